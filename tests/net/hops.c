/*
 * What happens between the ends of a path, as the namespaces on the way count it: fragments of a
 * tunnel whose MTU was forgotten, tracked connections, a full connection table.
 */
#include "net.h"

#include "base/macro.h"
#include "meter/drops.h"
#include "meter/table.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/conntrack.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define N_PACKETS 20

/* Return: false when there is no such path here, which is said. */
static bool open_path(struct path **ret, const char *text, bool ipv6)
{
	struct path_cfg cfg = path_cfg_default;
	struct path_spec spec;
	struct err e = {0};
	int r;

	cfg.ipv6 = ipv6;
	must(path_parse(&spec, text, &cfg, &e_));
	r = path_open(ret, &spec, -1, &e);
	if (r == PATH_UNAVAILABLE)
		net_skip(text, &e);
	else if (r < 0)
		fail_msg("%s: %s", text, e.text);
	return r == 0;
}

struct watch {
	_Alignas(max_align_t) char state[METER_STATE_BYTES];
};

static void watch_begin(struct watch *w, int netns_fd)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;

	must(ns_scope_enter(&scope, netns_fd, &e_));
	must(meter_drops.open(w->state, &e_));
	must(meter_drops.begin(w->state, &(struct meter_scope){0}, &e_));
}

static struct drops_reading watch_end(struct watch *w, int netns_fd)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	struct drops_reading ret;

	must(ns_scope_enter(&scope, netns_fd, &e_));
	must(meter_drops.end(w->state, &(struct meter_scope){0}, &ret, &e_));
	meter_drops.close(w->state);
	return ret;
}

static int udp_to(const struct path *p, const struct path_end *from, const struct path_end *to)
{
	int fd = must(net_bind(p, from, SOCK_DGRAM, from->port, &e_));

	must(sock_connect(fd, to->addr, to->port, net_deadline(), &e_));
	return fd;
}

static void pass(int tx, int rx, size_t size)
{
	char buf[2000] = {0};

	assert_int_equal(send(tx, buf, size, 0), size);
	assert_int_equal(sock_wait_readable(rx, net_deadline()), 0);
	assert_int_equal(recv(rx, buf, sizeof(buf), 0), size);
}

/*
 *	near pod 1500 ---- node, vxlan 1500 ==== wire 1500 ==== node, vxlan 1500 ---- 1500 far pod
 *	  1472 bytes of UDP -> 1550 bytes of outer IP, two fragments ->
 */
static void a_forgotten_mtu_makes_fragments(void **state)
{
	static struct watch at[2];
	struct drops_reading host, peer;
	struct path *p = NULL;
	int near, far;

	(void)state;
	if (!open_path(&p, "vxlan:overlay-mtu=keep", false))
		return;
	assert_int_equal(p->mtu, 1500);
	assert_int_equal(p->n_hops, 2);
	near = udp_to(p, &p->near, &p->far);
	far = udp_to(p, &p->far, &p->near);
	/* The verification has taught the pods the path's MTU; this one does not care. */
	must(sock_set_int(near, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT, "DF", &e_));
	for (int i = 0; i < 2; i++)
		watch_begin(&at[i], p->hop_fd[i]);
	for (int i = 0; i < N_PACKETS; i++)
		pass(near, far, 1472);
	host = watch_end(&at[0], p->hop_fd[0]);
	peer = watch_end(&at[1], p->hop_fd[1]);
	assert_int_equal(peer.ip_frag_oks, N_PACKETS);
	assert_int_equal(peer.ip_frag_creates, 2 * N_PACKETS);
	assert_int_equal(host.ip_reasm_reqds, 2 * N_PACKETS);
	assert_int_equal(host.ip_frag_creates, 0);
	assert_int_equal(host.ip_reasm_fails, 0);
	close(near);
	close(far);
	path_close(p);
}

/* The same packets with an MTU that leaves room: not a fragment between the nodes. */
static void a_lowered_mtu_makes_none(void **state)
{
	static struct watch at;
	struct drops_reading peer;
	struct path *p = NULL;
	int near, far;

	(void)state;
	if (!open_path(&p, "vxlan", false))
		return;
	near = udp_to(p, &p->near, &p->far);
	far = udp_to(p, &p->far, &p->near);
	watch_begin(&at, p->lab->peer_fd);
	pass(near, far, p->mtu - 28);
	peer = watch_end(&at, p->lab->peer_fd);
	assert_int_equal(p->mtu, 1450);
	assert_int_equal(peer.ip_frag_creates, 0);
	close(near);
	close(far);
	path_close(p);
}

/* Entries of the host's connection table once the path has been verified. */
static void tracks(const char *name, bool ipv6, bool tracked)
{
	struct conntrack_size size;
	struct path *p = NULL;

	if (!open_path(&p, name, ipv6))
		return;
	must(conntrack_size(p->lab->host_fd, &size, &e_));
	if (tracked)
		assert_true(size.count >= 2); /* a probe each way */
	else
		assert_int_equal(size.count, 0);
	path_close(p);
}

static void tracking_is_what_the_name_says(void **state)
{
	(void)state;
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		tracks("bridge", ipv6, false);
		tracks("nat-notrack", ipv6, false);
		tracks("conntrack", ipv6, true);
		tracks("nat", ipv6, true);
	}
}

static void a_service_is_built_by_iptables(void **state)
{
	struct path *p = NULL;

	(void)state;
	for (int ipv6 = 0; ipv6 < 2; ipv6++)
		if (open_path(&p, "service:service-by=iptables,backends=16", ipv6))
			path_close(p);
}

static void without_iptables_it_says_so(void **state)
{
	const char *path = getenv("PATH");
	struct path *p = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(setenv("PATH", "/nonexistent", true), 0);
	assert_int_equal(net_path_open(&p, &path_natiptables, &path_cfg_default, &e),
		PATH_UNAVAILABLE);
	assert_non_null(strstr(e.text, "package iptables"));
	assert_null(p);
	if (path)
		assert_int_equal(setenv("PATH", path, true), 0);
}

/* From a port of its own each, until nothing comes any more. */
static uint32_t new_flows_that_pass(const struct path *p, int rx)
{
	for (uint32_t i = 0; i < 1000; i++) {
		int tx = must(net_bind(p, &p->near, SOCK_DGRAM, 0, &e_));
		char c = 0;
		int r;

		must(sock_connect(tx, p->far.addr, p->far.port, net_deadline(), &e_));
		assert_int_equal(send(tx, &c, 1, 0), 1);
		/* Nothing on the way waits: within 100 ms it is there or never comes. */
		r = sock_wait_readable(rx, clock_now_ns() + 100 * NSEC_PER_MSEC);
		close(tx);
		if (r < 0)
			return i;
		assert_int_equal(recv(rx, &c, 1, 0), 1);
	}
	return 1000;
}

/*
 *	near, old flow ------> host, connection table full ------> far
 *	near, new flow ------> dropped, and counted
 */
static void a_full_table_drops_what_is_new(void **state)
{
	static struct watch at;
	struct drops_reading host;
	struct path *p = NULL;
	int near, far;

	(void)state;
	if (!open_path(&p, "nat-full", false))
		return;
	print_message("# %s\n", p->note[0]);
	near = must(net_bind(p, &p->near, SOCK_DGRAM, 0, &e_));
	far = must(net_bind(p, &p->far, SOCK_DGRAM, p->far.port, &e_));
	must(sock_connect(near, p->far.addr, p->far.port, net_deadline(), &e_));
	pass(near, far, 1);
	watch_begin(&at, p->lab->host_fd);
	assert_in_range(new_flows_that_pass(p, far), 1, 999);
	pass(near, far, 1);
	host = watch_end(&at, p->lab->host_fd);
	assert_true(host.conntrack_drops >= 1);
	close(near);
	close(far);
	path_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forgotten_mtu_makes_fragments),
		cmocka_unit_test(a_lowered_mtu_makes_none),
		cmocka_unit_test(tracking_is_what_the_name_says),
		cmocka_unit_test(a_service_is_built_by_iptables),
		cmocka_unit_test(without_iptables_it_says_so),
		cmocka_unit_test(a_full_table_drops_what_is_new),
	};

	if (net_begin() < 0)
		return 0;
	return cmocka_run_group_tests_name("hops", tests, NULL, NULL);
}
