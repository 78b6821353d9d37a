/*
 * What the kernel's other devices do beyond carrying packets (tests/net/path.c): their modes, and
 * the process that copies frames between two taps.
 */
#include "net.h"

#include "base/macro.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/sock.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Opening a path sends a packet each way. NULL: unavailable, and said so. */
static struct path *open_as(const char *text)
{
	struct path_spec spec;
	struct path *p = NULL;
	struct err e = {0};
	int r;

	must(path_parse(&spec, text, &path_cfg_default, &e_));
	r = path_open(&p, &spec, -1, &e);
	if (r < 0)
		fail_msg("%s: %s", text, e.text);
	if (r == PATH_UNAVAILABLE)
		net_skip(text, &e);
	return p;
}

static void every_mode_carries(void **state)
{
	static const char *const text[] = {
		"macvlan:macvlan-mode=private",
		"macvlan:macvlan-mode=vepa",
		"netkit:netkit-mode=l2",
		"netkit:netkit-mode=l2,between=pods",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		path_close(open_as(text[i]));
}

static void refuses_what_cannot_be(void **state)
{
	static const char *const text[] = {
		"macvlan:macvlan-mode=private,between=pods",
		"macvlan:macvlan-mode=vepa,between=pods",
		"vlan:between=pods",
		"tap:mtu=65522",
	};
	struct path_spec spec;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		assert_int_equal(path_parse(&spec, text[i], &path_cfg_default, &e), -EINVAL);
	assert_int_equal(path_parse(&spec, "tap:mtu=65521", &path_cfg_default, &e), 0);
}

/* A TCP connection from near to far. */
static void connect_ends(const struct path *p, int *ret_near, int *ret_far)
{
	int listen_fd = must(net_bind(p, &p->far, SOCK_STREAM, p->far.port, &e_));

	assert_int_equal(listen(listen_fd, 1), 0);
	*ret_near = must(net_bind(p, &p->near, SOCK_STREAM, 0, &e_));
	must(sock_connect(*ret_near, p->far.addr, p->far.port, net_deadline(), &e_));
	assert_int_equal(sock_wait_readable(listen_fd, net_deadline()), 0);
	*ret_far = accept(listen_fd, NULL, NULL);
	assert_true(*ret_far >= 0);
	close(listen_fd);
}

/*
 *	peer ==== host br0 ---- tap | forwarder | tap ---- container
 *	           packets of more than an MTU stay whole ->
 */
static void tap_passes_large_packets(void **state)
{
	const size_t bytes = 8 << 20;
	struct path *p = open_as("tap");
	struct rt_stats b, a;
	int near, far;

	(void)state;
	if (!p)
		return;
	connect_ends(p, &near, &far);
	must(rt_stats(p->lab->pod[0], "eth0", &b, &e_));
	net_push(near, far, bytes);
	must(rt_stats(p->lab->pod[0], "eth0", &a, &e_));
	assert_true(a.rx_bytes - b.rx_bytes >= bytes);
	/* Not one could be above the MTU if they were split; some are small all the same. */
	assert_true(
		(a.rx_bytes - b.rx_bytes) / (a.rx_packets - b.rx_packets) > p->cfg.mtu + ETH_HLEN);
	close(near);
	close(far);
	path_close(p);
	/* The forwarder has been reaped. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Holds the path until it is killed; says that it is there, or ends. */
static _Noreturn void owner_main(int ready_fd)
{
	struct path *p = open_as("tap");

	if (!p || write(ready_fd, "x", 1) != 1)
		_exit(0);
	for (;;)
		pause();
}

/* Reaps what has become a child of ours, within the deadline. */
static void reap_orphan(void)
{
	uint64_t deadline_ns = net_deadline();
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) == 0 && clock_left_ms(deadline_ns) > 0)
		poll(NULL, 0, 1);
	assert_true(pid > 0);
}

/*
 *	this process ---- owner (killed) ---- forwarder: becomes a child of this process, and ends
 */
static void forwarder_dies_with_its_owner(void **state)
{
	int pipe_fd[2];
	char ready;
	pid_t owner;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(pipe_fd), 0);
	owner = fork();
	assert_true(owner >= 0);
	if (owner == 0)
		owner_main(pipe_fd[1]);
	close(pipe_fd[1]);
	if (read(pipe_fd[0], &ready, 1) == 1) {
		assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
		assert_int_equal(kill(owner, SIGKILL), 0);
		assert_int_equal(waitpid(owner, NULL, 0), owner);
		reap_orphan();
	} else {
		assert_int_equal(waitpid(owner, NULL, 0), owner);
	}
	close(pipe_fd[0]);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mode_carries),
		cmocka_unit_test(refuses_what_cannot_be),
		cmocka_unit_test(tap_passes_large_packets),
		cmocka_unit_test(forwarder_dies_with_its_owner),
	};

	if (net_begin() < 0)
		return 0;
	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
