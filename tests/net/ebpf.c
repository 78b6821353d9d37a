/*
 * The eBPF paths do go past the host's IP layer, carry TCP, and leave neither program nor map:
 *
 *	near (198.18.0.1) ====== wire, host, pod0 ------ eth0 (198.18.1.2) far
 *	                         ^ programs: ingress of wire and of pod0
 */
#include "net.h"

#include "base/macro.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/file.h"
#include "sys/ns.h"
#include "sys/procnet.h"
#include "sys/rtnl.h"
#include "sys/sock.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define N_DATAGRAMS 100
/* Several of the largest segments that TSO makes, so that one of these has to come through. */
#define TCP_BYTES ((size_t)512 << 10)
/* Ref: net/ipv4/af_inet.c, net.ipv4.ip_default_ttl; the same for IPv6. */
#define DEFAULT_TTL 64

struct variant {
	const char *text; /* as on the command line */
	bool ipv6;
	bool forwards; /* by the host's IP layer: the control experiment */
};

static uint64_t forwarded(const struct path *p)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	char text[16384];

	must(ns_scope_enter(&scope, p->lab->host_fd, &e_));
	if (p->cfg.ipv6) {
		must(file_read("/proc/thread-self/net/snmp6", text, sizeof(text), &e_));
		return procnet_snmp6(text, "Ip6OutForwDatagrams");
	}
	must(file_read("/proc/thread-self/net/snmp", text, sizeof(text), &e_));
	return procnet_snmp(text, "Ip", "ForwDatagrams");
}

static int udp_between(const struct path *p, const struct path_end *end,
	const struct path_end *other)
{
	int fd = must(net_bind(p, end, SOCK_DGRAM, end->port, &e_));

	must(sock_connect(fd, other->addr, other->port, net_deadline(), &e_));
	if (p->cfg.ipv6)
		must(sock_set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "hop limit", &e_));
	else
		must(sock_set_int(fd, IPPROTO_IP, IP_RECVTTL, 1, "TTL", &e_));
	return fd;
}

/* Both ways, one hop, and by the host's IP layer or not. */
static void goes_past_ip(void **state)
{
	const struct variant *v = *state;
	struct path *p = NULL;
	uint64_t before, n;
	int near, far;

	if (net_path_open_as(&p, v->text, v->ipv6) != 0)
		return;
	near = udp_between(p, &p->near, &p->far);
	far = udp_between(p, &p->far, &p->near);
	before = forwarded(p);
	for (int i = 0; i < N_DATAGRAMS; i++) {
		assert_int_equal(send(near, "x", 1, 0), 1);
		assert_int_equal(net_receive_ttl(far), DEFAULT_TTL - 1);
		assert_int_equal(send(far, "y", 1, 0), 1);
		assert_int_equal(net_receive_ttl(near), DEFAULT_TTL - 1);
	}
	n = forwarded(p) - before;
	if (v->forwards)
		assert_true(n >= (uint64_t)2 * N_DATAGRAMS);
	else
		assert_int_equal(n, 0);
	close(near);
	close(far);
	path_close(p);
}

/* What checksum and segmentation offload leave undone gets lost where no skb goes along. */
static void carries_tcp(void **state)
{
	const struct variant *v = *state;
	struct path *p = NULL;
	int listener, near, far;

	if (net_path_open_as(&p, v->text, v->ipv6) != 0)
		return;
	listener = must(net_bind(p, &p->far, SOCK_STREAM, p->far.port, &e_));
	assert_int_equal(listen(listener, 1), 0);
	near = must(net_bind(p, &p->near, SOCK_STREAM, 0, &e_));
	must(sock_connect(near, p->far.addr, p->far.port, net_deadline(), &e_));
	far = must(sock_accept(listener, net_deadline(), &e_));
	net_push(near, far, TCP_BYTES);
	net_push(far, near, TCP_BYTES);
	close(near);
	close(far);
	close(listener);
	path_close(p);
}

/* The ids of the programs on the host's two devices, 0: none. */
struct progs {
	uint32_t tc[2], xdp_driver[2], xdp_skb[2];
};

static void progs_of(int host_fd, struct progs *ret)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(rt_closep) struct rt *rt = NULL;
	const char *const dev[] = {"wire", "pod0"};

	*ret = (struct progs){0};
	must(rt_open(&rt, host_fd, &e_));
	must(ns_scope_enter(&scope, host_fd, &e_));
	for (size_t i = 0; i < ARRAY_SIZE(dev); i++) {
		LIBBPF_OPTS(bpf_tc_opts, tc, .handle = 1, .priority = 1);
		LIBBPF_OPTS(bpf_xdp_query_opts, xdp);
		LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
		struct rt_id id;

		must(rt_id(rt, dev[i], &id, &e_));
		hook.ifindex = id.ifindex;
		if (bpf_tc_query(&hook, &tc) == 0)
			ret->tc[i] = tc.prog_id;
		assert_int_equal(bpf_xdp_query(id.ifindex, 0, &xdp), 0);
		ret->xdp_driver[i] = xdp.drv_prog_id;
		ret->xdp_skb[i] = xdp.skb_prog_id;
	}
}

/* The kernel frees programs and their maps a moment after the last user has gone. */
static void wait_gone(int (*by_id)(uint32_t id), uint32_t id)
{
	uint64_t deadline_ns = net_deadline();
	int fd;

	while ((fd = by_id(id)) >= 0) {
		close(fd);
		if (clock_left_ms(deadline_ns) == 0)
			fail_msg("BPF object %u is still there", id);
		net_wait_until(clock_now_ns() + NSEC_PER_MSEC);
	}
	assert_int_equal(fd, -ENOENT);
}

/* A program on the wire, and its map of routes. */
struct ids {
	uint32_t prog, map;
};

static struct ids ids_of(const struct progs *progs)
{
	uint32_t prog = progs->tc[0] + progs->xdp_driver[0] + progs->xdp_skb[0];
	uint32_t maps[4] = {0};
	struct bpf_prog_info info = {.nr_map_ids = ARRAY_SIZE(maps), .map_ids = (uintptr_t)maps};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog);

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	assert_true(info.nr_map_ids > 0);
	close(fd);
	return (struct ids){prog, maps[0]};
}

static void check_mode(const struct variant *v, const struct progs *progs)
{
	bool tc = strncmp(v->text, "ebpf-tc", 7) == 0;
	bool generic = strstr(v->text, "generic");

	for (size_t i = 0; i < ARRAY_SIZE(progs->tc); i++) {
		assert_int_equal(progs->tc[i] > 0, tc);
		assert_int_equal(progs->xdp_driver[i] > 0, !tc && !generic);
		assert_int_equal(progs->xdp_skb[i] > 0, !tc && generic);
	}
}

static void close_leaves_nothing(void **state)
{
	const struct variant *v = *state;
	uint32_t n_fds = net_count_fds();
	struct path *p = NULL;
	struct progs progs;
	struct ids ids;

	if (net_path_open_as(&p, v->text, v->ipv6) != 0)
		return;
	progs_of(p->lab->host_fd, &progs);
	check_mode(v, &progs);
	ids = ids_of(&progs);
	path_close(p);
	wait_gone(bpf_prog_get_fd_by_id, ids.prog);
	wait_gone(bpf_map_get_fd_by_id, ids.map);
	assert_int_equal(net_count_fds(), n_fds);
}

/* Says which of its descriptors is the host's namespace, -1: there is no path. Never returns. */
static _Noreturn void hold_path(const struct variant *v, int say_fd)
{
	struct path_cfg cfg = path_cfg_default;
	struct path_spec spec;
	struct path *p = NULL;
	struct err e = {0};
	int fd = -1;

	if (path_parse(&spec, v->text, &cfg, &e) == 0 && path_open(&p, &spec, -1, &e) == 0)
		fd = p->lab->host_fd;
	if (write(say_fd, &fd, sizeof(fd)) == sizeof(fd))
		for (;;)
			pause();
	_exit(1);
}

static struct ids ids_in(pid_t pid, int fd)
{
	_cleanup_(closep) int host_fd = -1;
	struct progs progs;
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", pid, fd);
	host_fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(host_fd >= 0);
	progs_of(host_fd, &progs);
	return ids_of(&progs);
}

static void kill_leaves_nothing(void **state)
{
	const struct variant *v = *state;
	struct ids ids = {0};
	int said[2], fd = -1;
	pid_t pid;

	assert_int_equal(pipe(said), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		hold_path(v, said[1]);
	close(said[1]);
	if (sock_wait_readable(said[0], net_deadline()) == 0 &&
		read(said[0], &fd, sizeof(fd)) == sizeof(fd) && fd >= 0)
		ids = ids_in(pid, fd);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(said[0]);
	if (ids.prog == 0) {
		print_message("# skipped %s, killed: no path\n", v->text);
		return;
	}
	wait_gone(bpf_prog_get_fd_by_id, ids.prog);
	wait_gone(bpf_map_get_fd_by_id, ids.map);
}

static struct variant control[] = {
	{"veth", .forwards = true},
	{"veth", .ipv6 = true, .forwards = true},
};

static struct variant variants[] = {
	{"ebpf-tc"},
	{"ebpf-tc", .ipv6 = true},
	{"ebpf-tc:ebpf-redirect=redirect"},
	{"ebpf-xdp"},
	{"ebpf-xdp", .ipv6 = true},
	{"ebpf-xdp:ebpf-xdp-mode=generic"},
};

#define MAX_TESTS 32

static size_t add(struct CMUnitTest *ret, size_t n, const char *name, CMUnitTestFunction f,
	struct variant *v)
{
	assert(n < MAX_TESTS);
	ret[n] = (struct CMUnitTest){.name = name, .test_func = f, .initial_state = v};
	return n + 1;
}

int main(void)
{
	static struct CMUnitTest tests[MAX_TESTS];
	size_t n = 0;

	if (net_begin() < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(control); i++)
		n = add(tests, n, "veth forwards", goes_past_ip, &control[i]);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		n = add(tests, n, variants[i].text, goes_past_ip, &variants[i]);
		n = add(tests, n, "carries TCP", carries_tcp, &variants[i]);
		n = add(tests, n, "close leaves nothing", close_leaves_nothing, &variants[i]);
	}
	n = add(tests, n, "kill leaves nothing", kill_leaves_nothing, &variants[0]);
	n = add(tests, n, "kill leaves nothing", kill_leaves_nothing, &variants[3]);
	return _cmocka_run_group_tests("ebpf", tests, n, NULL, NULL);
}
