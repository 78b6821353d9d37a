/*
 * Chains and pipelines: a datagram each way by each instance crosses exactly the functions that it
 * should, all of them a hop older where they route, and reaches no other instance; killed, nothing
 * stays.
 *
 *	near (addresses 0, 1) == wire == S == in F out == S or not == in F out == S == far (0, 1)
 */
#include "net.h"

#include "base/macro.h"
#include "path/lab.h"
#include "path/nf.h"
#include "path/scenario.h"
#include "path/table.h"
#include "sys/ns.h"
#include "sys/rtnl.h"
#include "sys/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define N_DATAGRAMS 8
#define MAX_NFS     3
#define MAX_NF      6 /* instances * functions, here */
/* Ref: net/ipv4/af_inet.c, net.ipv4.ip_default_ttl; the same for IPv6. */
#define DEFAULT_TTL 64
/* The kernel's own packets may fall into a count; then it is taken again, but never forgiven. */
#define MAX_COUNTS 5

struct variant {
	const char *text; /* as on the command line */
	uint32_t nfs, instances;
	bool l2, ipv6;
	bool shared; /* the last function is all instances' */
};

static struct variant variants[] = {
	{"pcp", 1, 1},
	{"chain:nfs=3,instances=2", 3, 2},
	{"chain:nfs=3,instances=2", 3, 2, .ipv6 = true},
	{"pipeline:nfs=2,instances=2", 2, 2},
	{"chain:nf=bridge", 2, 1, .l2 = true},
	{"pipeline:nf=bridge,nfs=3", 3, 1, .l2 = true},
	{"chain:nf=tc,instances=2", 2, 2, .ipv6 = true},
	{"pipeline:nf=tc,nfs=3,instances=2", 3, 2},
	{"shared-nf:instances=3", 2, 3, .shared = true},
	{"shared-nf:instances=2,nfs=3", 3, 2, .ipv6 = true, .shared = true},
	{"pcscp:nfs=3", 3, 1},
	{"pcscp", 2, 1, .ipv6 = true},
	{"pcscp:nf=bridge", 2, 1, .l2 = true},
	{"pcscp:nf=tc,nfs=1", 1, 1},
	{"pcp:nf=xdp,instances=2", 1, 2},
	{"chain:nf=xdp,nfs=2,instances=2", 2, 2},
	{"pipeline:nf=xdp,nfs=3,instances=2", 3, 2, .ipv6 = true},
	{"pcp:nf=afxdp,instances=2,nf-poll=busy", 1, 2},
	{"chain:nf=afxdp", 2, 1, .ipv6 = true},
	{"pipeline:nf=afxdp,nfs=3", 3, 1},
};

/* A UDP socket at @own of an end, connected to @other. */
static int udp_at(const struct path *p, const struct path_end *end, const char *own,
	const char *other, uint16_t other_port)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int fd;

	must(ns_scope_enter(&scope, end->netns_fd, &e_));
	fd = must(sock_bind(SOCK_DGRAM, own, end->port, &e_));
	must(sock_connect(fd, other, other_port, net_deadline(), &e_));
	if (p->cfg.ipv6)
		must(sock_set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "hop limit", &e_));
	else
		must(sock_set_int(fd, IPPROTO_IP, IP_RECVTTL, 1, "TTL", &e_));
	return fd;
}

/* What the devices of every function have received; hop 0 is the host. */
struct crossed {
	uint64_t rx[MAX_NF][NF_N_SIDES];
};

static void read_all(const struct path *p, struct crossed *ret)
{
	assert_true(p->n_hops - 1 <= MAX_NF);
	for (uint32_t j = 0; j + 1 < p->n_hops; j++) {
		_cleanup_(rt_closep) struct rt *rt = NULL;

		must(rt_open(&rt, p->hop_fd[1 + j], &e_));
		for (int i = 0; i < NF_N_SIDES; i++) {
			struct rt_stats s;

			must(rt_stats(rt, nf_dev[i], &s, &e_));
			ret->rx[j][i] = s.rx_packets;
		}
	}
}

static void exchange(int near, int far, int ttl)
{
	for (int i = 0; i < N_DATAGRAMS; i++) {
		assert_int_equal(send(near, "x", 1, 0), 1);
		assert_int_equal(net_receive_ttl(far), ttl);
		assert_int_equal(send(far, "y", 1, 0), 1);
		assert_int_equal(net_receive_ttl(near), ttl);
	}
}

/* Only near sends: for a bridge that had to learn where far is, the way to flood. */
static void one_way(int near, int far)
{
	for (int i = 0; i < N_DATAGRAMS; i++) {
		assert_int_equal(send(near, "x", 1, 0), 1);
		(void)net_receive_ttl(far);
	}
}

static uint32_t n_functions(const struct variant *v)
{
	return v->nfs * v->instances - (v->shared ? v->instances - 1 : 0);
}

/* Is function @j, a hop, one of the instance's? */
static bool is_of(const struct variant *v, uint32_t j, uint32_t instance)
{
	if (!v->shared || j < v->nfs)
		return j / v->nfs == instance || (v->shared && j == v->nfs - 1);
	return 1 + (j - v->nfs) / (v->nfs - 1) == instance;
}

/* Return: whether function j of every instance counted what it should, and no other anything. */
static bool crossed_by(const struct variant *v, const struct crossed *a, const struct crossed *b,
	uint32_t instance)
{
	bool as_sent = true;

	for (uint32_t j = 0; j < n_functions(v); j++) {
		bool mine = is_of(v, j, instance);
		const uint64_t want[] = {mine ? 2 * N_DATAGRAMS : 0, mine ? N_DATAGRAMS : 0};

		for (int i = 0; i < NF_N_SIDES; i++) {
			uint64_t n = b->rx[j][i] - a->rx[j][i];

			if (n < want[i])
				fail_msg("%s: function %u, %s: %ju packets", v->text, j, nf_dev[i],
					(uintmax_t)n);
			as_sent = as_sent && n == want[i];
		}
	}
	return as_sent;
}

static bool count_once(const struct path *p, const struct variant *v, uint32_t instance, int near,
	int far)
{
	struct crossed a, b;

	read_all(p, &a);
	one_way(near, far);
	exchange(near, far, DEFAULT_TTL - (v->l2 ? 0 : (int)v->nfs));
	read_all(p, &b);
	return crossed_by(v, &a, &b, instance);
}

static void check_instance(const struct path *p, const struct variant *v, uint32_t i)
{
	const struct path_instance *x = &p->instance[i];
	int near = udp_at(p, &p->near, x->near, x->far, p->far.port);
	int far = udp_at(p, &p->far, x->far, x->near, p->near.port);
	bool counted = false;

	for (int k = 0; !counted && k < MAX_COUNTS; k++)
		counted = count_once(p, v, i, near, far);
	if (!counted)
		fail_msg("%s: instance %u: packets elsewhere, %d times", v->text, i, MAX_COUNTS);
	close(near);
	close(far);
}

static void crosses_its_functions(void **state)
{
	const struct variant *v = *state;
	uint32_t n_fds = net_count_fds();
	struct path *p = NULL;

	if (net_path_open_as(&p, v->text, v->ipv6) != 0)
		return;
	assert_int_equal(p->n_instances, v->instances);
	assert_int_equal(p->n_hops, 1 + n_functions(v));
	assert_string_equal(p->instance[0].near, p->near.addr);
	assert_string_equal(p->instance[0].far, p->far.addr);
	for (uint32_t i = 0; i < v->instances; i++)
		check_instance(p, v, i);
	path_close(p);
	assert_int_equal(net_count_fds(), n_fds);
}

/* A path without instances of its own has one: its ends. */
static void every_path_has_an_instance(void **state)
{
	pid_t pid;
	struct path *p = NULL;

	(void)state;
	must(net_path_open(&p, path_find("p2p"), &path_cfg_default, &e_));
	assert_int_equal(p->n_instances, 1);
	assert_string_equal(p->instance[0].far, p->far.addr);
	assert_int_equal(path_nf_pids(p, &pid, 1), 0);
	path_close(p);
}

static void refused(const char *text, const char *word)
{
	struct path_spec spec;
	struct err e = {0};

	assert_int_equal(path_parse(&spec, text, &path_cfg_default, &e), -EINVAL);
	if (!strstr(e.text, word))
		fail_msg("%s: %s", text, e.text);
}

static void what_cannot_be_is_refused(void **state)
{
	(void)state;
	refused("chain:nf=bridge,instances=2", "loop");
	refused("pcp:nfs=2", "one function");
	refused("shared-nf:nf=tc", "nf=route");
	refused("shared-nf:nfs=1", "two functions");
	refused("pcscp:instances=2", "one instance");
	refused("pcscp:nf=xdp", "the host's switch");
	refused("pcscp:wire-rate=1Gbps", "wire-rate");
	refused("chain:between=pods", "port at each side");
	refused("c2c:wire-rate=1Gbps", "do not cross");
}

/* Each scenario says how it is built, in words that are a path. */
static void scenarios_name_paths(void **state)
{
	(void)state;
	for (const struct scenario *s = scenario_table; s->name; s++) {
		struct path_spec spec;

		assert_non_null(scenario_ops(s));
		if (!strchr(s->path, '<'))
			must(path_parse(&spec, s->path, &path_cfg_default, &e_));
	}
}

/* Says the pids of its functions; none: there is no path. Never returns. */
static _Noreturn void hold_path(const struct variant *v, int say_fd)
{
	struct path_cfg cfg = path_cfg_default;
	pid_t pid[MAX_NF] = {0};
	struct path_spec spec;
	struct path *p = NULL;
	struct err e = {0};

	if (path_parse(&spec, v->text, &cfg, &e) == 0 && path_open(&p, &spec, -1, &e) == 0 &&
		path_nf_pids(p, pid, MAX_NF) != v->nfs * v->instances)
		pid[0] = -1;
	if (write(say_fd, pid, sizeof(pid)) == sizeof(pid))
		for (;;)
			pause();
	_exit(1);
}

static void wait_gone(pid_t pid)
{
	uint64_t deadline_ns = net_deadline();
	char name[64], state;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	for (;;) {
		FILE *f = fopen(name, "re");
		int n = f ? fscanf(f, "%*d (tare-nf) %c", &state) : 0;

		if (f)
			fclose(f);
		if (n != 1 || state == 'Z') /* whoever is pid 1 here may not reap it */
			return;
		if (clock_left_ms(deadline_ns) == 0)
			fail_msg("function %d is still there", pid);
		net_wait_until(clock_now_ns() + NSEC_PER_MSEC);
	}
}

/* A namespace of a function has no other user than its descriptor and its process. */
static void kill_leaves_nothing(void **state)
{
	static const struct variant v = {"chain:nf=afxdp", 2, 1};
	pid_t pid[MAX_NF] = {0}, child;
	int said[2];

	(void)state;
	assert_int_equal(pipe(said), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		hold_path(&v, said[1]);
	close(said[1]);
	assert_int_equal(sock_wait_readable(said[0], net_deadline()), 0);
	assert_int_equal(read(said[0], pid, sizeof(pid)), sizeof(pid));
	close(said[0]);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(pid[0] >= 0);
	if (pid[0] == 0)
		print_message("# skipped %s, killed: no path\n", v.text);
	for (uint32_t i = 0; i < MAX_NF && pid[i] > 0; i++)
		wait_gone(pid[i]);
}

static void rests(void **state)
{
	static const struct variant v = {"pcp:nf=afxdp", 1, 1};
	struct path *p = NULL;

	(void)state;
	if (net_path_open_as(&p, v.text, v.ipv6) != 0)
		return;
	must(path_rest(p, true, &e_));
	must(path_rest(p, false, &e_));
	check_instance(p, &v, 0);
	must(path_rest(p, true, &e_));
	path_close(p);
}

int main(void)
{
	static struct CMUnitTest tests[ARRAY_SIZE(variants) + 5];
	size_t n = 0;

	if (net_begin() < 0)
		return 0;
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_cannot_be_is_refused);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(scenarios_name_paths);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_path_has_an_instance);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		tests[n++] = (struct CMUnitTest){.name = variants[i].text,
			.test_func = crosses_its_functions,
			.initial_state = &variants[i]};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(rests);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(kill_leaves_nothing);
	return _cmocka_run_group_tests("chain", tests, n, NULL, NULL);
}
