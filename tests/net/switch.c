/* Switches in user space: what the conformance test of plain paths does not show. */
#include "net.h"

#include "base/macro.h"
#include "base/mem.h"
#include "path/lab.h"
#include "path/verify.h"
#include "sys/exec.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_as(struct path **ret, const char *text, int cancel_fd, struct err *e)
{
	struct path_spec spec;
	int r = path_parse(&spec, text, &path_cfg_default, e);

	return r < 0 ? r : path_open(ret, &spec, cancel_fd, e);
}

/* Return: whether the path is there; else why not was printed. */
static bool opens(struct path **ret, const char *text)
{
	struct err e = {0};
	int r = open_as(ret, text, -1, &e);

	if (r < 0)
		fail_msg("%s: %s (%d)", text, e.text, r);
	if (r == PATH_UNAVAILABLE)
		net_skip(text, &e);
	return r == 0;
}

/* Verified when they are open, and again after a rest. */
static void every_option(void **state)
{
	static const char *const text[] = {"ovs-netdev:ovs-tso=on", "ovs-netdev:mtu=9000",
		"ovs-afxdp:ovs-pmd=nonpmd", "ovs-afxdp:mtu=3506", "dpdk-testpmd:dpdk-port=af_xdp",
		"dpdk-testpmd:mtu=9216", "dpdk-testpmd:ipv6"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		_cleanup_(path_closep) struct path *p = NULL;

		if (!opens(&p, text[i]))
			continue;
		must(path_rest(p, true, &e_));
		must(path_rest(p, false, &e_));
		must(path_verify(p, &e_));
	}
}

static void what_cannot_be_is_refused(void **state)
{
	static const char *const text[] = {"ovs-afxdp:wire-rate=1Gbps", "ovs-afxdp:mtu=3507",
		"dpdk-testpmd:dpdk-port=af_xdp,wire-rate=1Gbps",
		"dpdk-testpmd:dpdk-port=af_xdp,mtu=1501", "dpdk-testpmd:mtu=9217"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		struct path_spec spec;
		struct err e = {0};

		assert_int_equal(path_parse(&spec, text[i], &path_cfg_default, &e), -EINVAL);
		assert_non_null(strstr(e.text, "path '"));
	}
}

/*
 *	near (checksum left to veth) ---- ovs-vswitchd, which is no device ---- far drops it
 */
static void missing_checksums_are_named(void **state)
{
	static const char *const text[] = {"ovs-netdev:switch-offload=keep",
		"ovs-netdev:switch-offload=keep,ipv6"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		struct path *p = NULL;
		struct err e = {0};
		int r = open_as(&p, text[i], -1, &e);

		if (r == PATH_UNAVAILABLE) {
			net_skip(text[i], &e);
			return;
		}
		assert_int_equal(r, -EBADMSG);
		assert_non_null(strstr(e.text, "checksum was left to a device"));
	}
}

/* A switch that is not told otherwise takes the wire's shaping away. */
static void the_wire_stays_shaped(void **state)
{
	_cleanup_(path_closep) struct path *p = NULL;
	_cleanup_(freep) struct exec_result *x = NULL;
	struct exec_args args = {
		.argv = (const char *const[]){"tc", "qdisc", "show", "dev", "wire", NULL},
		.cancel_fd = -1,
		.timeout_ns = NET_DEADLINE_NS};

	(void)state;
	if (!opens(&p, "ovs-netdev:wire-rate=1Gbps"))
		return;
	args.netns_fd = p->lab->host_fd;
	assert_int_equal(must(exec_run(&x, &args, &e_)), 0);
	assert_non_null(strstr(x->out, "qdisc tbf"));
}

/*
 *	near (one send of two datagrams, UDP_SEGMENT) ---- ovs-vswitchd with TSO ---- far gets both
 */
static void udp_segments_arrive(void **state)
{
	_cleanup_(path_closep) struct path *p = NULL;
	_cleanup_(closep) int near = -1;
	_cleanup_(closep) int far = -1;
	char buf[2000] = "";

	(void)state;
	if (!opens(&p, "ovs-netdev:ovs-tso=on"))
		return;
	near = must(net_bind(p, &p->near, SOCK_DGRAM, 0, &e_));
	far = must(net_bind(p, &p->far, SOCK_DGRAM, p->far.port, &e_));
	must(sock_connect(near, p->far.addr, p->far.port, net_deadline(), &e_));
	must(sock_set_int(near, IPPROTO_UDP, UDP_SEGMENT, sizeof(buf) / 2, "UDP_SEGMENT", &e_));
	assert_int_equal(send(near, buf, sizeof(buf), 0), sizeof(buf));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sock_wait_readable(far, net_deadline()), 0);
		assert_int_equal(recv(far, buf, sizeof(buf), 0), sizeof(buf) / 2);
	}
}

static void interrupted_while_it_is_built(void **state)
{
	_cleanup_(path_closep) struct path *p = NULL;
	struct err e = {0};
	int fd[2];

	(void)state;
	if (!opens(&p, "ovs-netdev"))
		return;
	path_close(take_ptr(p));
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	close(fd[1]);
	assert_int_equal(open_as(&p, "ovs-netdev", fd[0], &e), -ECANCELED);
	close(fd[0]);
}

static void put_program(const char *dir, const char *name, const char *text)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", dir, name);
	_cleanup_(fclosep) FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fchmod(fileno(f), 0755), 0);
}

static void drop_program(const char *dir, const char *name)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(unlink(path), 0);
}

/* Programs that are broken; what they say is the reason. */
static void a_program_that_dies(void **state)
{
	static const struct {
		const char *path, *program, *text, *reason;
	} t[] = {
		{"ovs-netdev", "ovsdb-server", "#!/bin/sh\necho no disk >&2; exit 1\n",
			"ovsdb-server ended with status 1: no disk"},
		{"ovs-netdev", "ovs-vswitchd", "#!/bin/sh\necho no luck >&2; kill -9 $$\n",
			"ovs-vswitchd ended with status 137: no luck"},
		{"dpdk-testpmd", "dpdk-testpmd", "#!/bin/sh\necho EAL: no\n",
			"dpdk-testpmd ended with status 0: EAL: no"},
	};
	_cleanup_(freep) char *path = xstrdup(getenv("PATH") ?: "/usr/sbin:/usr/bin:/sbin:/bin");
	char dir[] = "/tmp/tare-switch-XXXXXX";
	_cleanup_(freep) char *changed = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	changed = xasprintf("%s:%s", dir, path);
	setenv("PATH", changed, 1);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct path *p = NULL;
		struct err e = {0};
		int r;

		put_program(dir, t[i].program, t[i].text);
		r = open_as(&p, t[i].path, -1, &e);
		drop_program(dir, t[i].program);
		if (r == PATH_UNAVAILABLE) {
			net_skip(t[i].path, &e);
			continue;
		}
		assert_true(r < 0);
		assert_string_equal(e.text, t[i].reason);
	}
	setenv("PATH", path, 1);
	assert_int_equal(rmdir(dir), 0);
}

static void without_the_programs(void **state)
{
	_cleanup_(freep) char *path = xstrdup(getenv("PATH") ?: "/usr/sbin:/usr/bin:/sbin:/bin");
	struct path *p = NULL;
	struct err e = {0};

	(void)state;
	setenv("PATH", "/nonexistent", 1);
	assert_int_equal(open_as(&p, "ovs-netdev", -1, &e), PATH_UNAVAILABLE);
	assert_non_null(strstr(e.text, "Debian: openvswitch-switch"));
	assert_int_equal(open_as(&p, "dpdk-testpmd", -1, &e), PATH_UNAVAILABLE);
	assert_non_null(strstr(e.text, "Debian: dpdk-dev"));
	setenv("PATH", path, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(missing_checksums_are_named),
		cmocka_unit_test(the_wire_stays_shaped),
		cmocka_unit_test(udp_segments_arrive),
		cmocka_unit_test(interrupted_while_it_is_built),
		cmocka_unit_test(a_program_that_dies),
		cmocka_unit_test(without_the_programs),
	};

	return net_begin() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
