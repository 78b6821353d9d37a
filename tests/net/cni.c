/* CNI plugins that misbehave: shell scripts of the test's own, in a directory of its own. */
#include "net.h"

#include "base/mem.h"
#include "base/str.h"
#include "path/table.h"
#include "sys/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/tare-cni-XXXXXX";

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	_cleanup_(freep) char *path = in_dir(name);
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void remove_file(const char *name)
{
	_cleanup_(freep) char *path = in_dir(name);

	unlink(path);
}

/* A network whose plugins are @plugins, "fake" or what is installed, found in @path. */
static struct path_spec network(const char *plugins, const char *path)
{
	_cleanup_(freep) char *file = in_dir("net.conflist");
	_cleanup_(freep) char *text = xasprintf("{\"cniVersion\":\"1.0.0\",\"name\":\"n\","
						"\"plugins\":[%s]}",
		plugins);
	struct path_spec spec = path_spec_of(&path_cni, &path_cfg_default);

	write_file("net.conflist", text, 0600);
	str_set(spec.arg, file);
	str_set(spec.cfg.cni_path, path);
	spec.cfg.cni_timeout_ns = NSEC_PER_SEC / 2;
	return spec;
}

/* A plugin "fake" that runs @script. */
static struct path_spec fake(const char *script)
{
	_cleanup_(freep) char *text = xasprintf("#!/bin/sh\n%s\n", script);

	write_file("fake", text, 0700);
	return network("{\"type\":\"fake\"}", dir);
}

static bool have_rooms(void)
{
	_cleanup_(room_closep) struct room *room = NULL;
	struct err e = {0};

	if (room_open(&room, &e) == 0)
		return true;
	net_skip("CNI", &e);
	return false;
}

static void failures_are_said(void **state)
{
	static const struct {
		const char *script;
		int r;
		const char *says;
	} rows[] = {
		{"echo hello", -EINVAL,
			"CNI plugin 'fake': ADD: what it printed is no result: not JSON"},
		{"true", -EINVAL, "no result"},
		{"echo '{\"code\":7,\"msg\":\"no way\",\"details\":\"here\"}'; exit 1", -EIO,
			"CNI plugin 'fake': ADD: no way: here (code 7)"},
		{"echo panic >&2; exit 2", -EIO, "/fake ended with status 2: panic"},
		{"echo '{\"code\":9,\"msg\":\"Operation not supported\"}'; exit 1",
			PATH_UNAVAILABLE, "not supported (code 9)"},
		{"[ $CNI_COMMAND = DEL ] || sleep 60", -ETIMEDOUT, "CNI plugin 'fake': ADD: "},
		{"kill -9 $$", -EIO, "/fake ended with status 137"},
		{"echo '{}'", PATH_UNAVAILABLE, "gave the container no IPv4 address"},
	};
	uint32_t n_fds = net_count_fds();

	(void)state;
	for (size_t i = 0; have_rooms() && i < ARRAY_SIZE(rows); i++) {
		const struct path_spec spec = fake(rows[i].script);
		struct path *p = NULL;
		struct err e = {0};
		int r = path_open(&p, &spec, -1, &e);

		assert_null(p);
		if (r != rows[i].r || !strstr(e.text, rows[i].says))
			fail_msg("%s: %d '%s'", rows[i].script, r, e.text);
		assert_int_equal(net_count_fds(), n_fds);
	}
}

static void both_pods_with_one_address(void **state)
{
	struct path_spec spec = fake("echo '{\"ips\":[{\"address\":\"10.1.1.1/24\"}]}'");
	struct path *p = NULL;
	struct err e = {0};

	(void)state;
	if (!have_rooms())
		return;
	spec.cfg.between = PATH_BETWEEN_PODS;
	assert_int_equal(path_open(&p, &spec, -1, &e), -EEXIST);
	assert_string_equal(e.text, "both containers got the address 10.1.1.1");
}

#define LOGS "echo \"$CNI_COMMAND $(basename $0)\" >> $(dirname $0)/log; "

static void assert_file(const char *name, const char *want)
{
	_cleanup_(freep) char *path = in_dir(name);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	assert_string_equal(text, want);
}

/* Whatever was begun is undone, in reverse, and a DEL that fails does not stop the others. */
static void commands_come_in_order(void **state)
{
	static const char script[] =
		"#!/bin/sh\n" LOGS "[ $CNI_COMMAND$(basename $0) != $(cat $(dirname $0)/fail) ] "
		"|| exit 1\n"
		"[ $CNI_COMMAND != DEL ] || exit 1\n"
		"echo '{}'\n";
	static const struct {
		const char *fail, *log;
	} rows[] = {
		{"ADDtwo", "ADD one\nADD two\nDEL two\nDEL one\n"},
		{"CHECKone", "ADD one\nADD two\nCHECK one\nDEL two\nDEL one\n"},
		{"none", "ADD one\nADD two\nCHECK one\nCHECK two\nDEL two\nDEL one\n"},
	};

	(void)state;
	for (size_t i = 0; have_rooms() && i < ARRAY_SIZE(rows); i++) {
		const struct path_spec spec = network("{\"type\":\"one\"},{\"type\":\"two\"}", dir);
		struct path *p = NULL;
		struct err e = {0};

		write_file("one", script, 0700);
		write_file("two", script, 0700);
		write_file("fail", rows[i].fail, 0600);
		assert_int_not_equal(path_open(&p, &spec, -1, &e), 0);
		assert_file("log", rows[i].log);
		remove_file("log");
	}
}

/* What a plugin is told; and that its files are the room's, not the machine's. */
static void a_plugin_gets_what_it_needs(void **state)
{
	static const char script[] =
		"#!/bin/sh\n"
		"[ $CNI_COMMAND = ADD ] || exit 0\n"
		"cat > $(dirname $0)/in.$(basename $0)\n"
		"echo > /var/lib/cni/tare-test; echo > /run/tare-test\n"
		"echo \"$CNI_IFNAME $(readlink /proc/self/ns/net) $(stat -Lc %i $CNI_NETNS)\""
		"> $(dirname $0)/env\n"
		"echo '{\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}'\n";
	struct path_spec spec =
		network("{\"type\":\"one\",\"dataDir\":\"/x\",\"capabilities\":{\"portMappings\":"
			"true}},{\"type\":\"two\"}",
			dir);
	struct path *p = NULL;
	struct err e = {0};

	(void)state;
	if (!have_rooms())
		return;
	spec.cfg.cni_ports = 1;
	write_file("one", script, 0700);
	write_file("two", script, 0700);
	assert_int_equal(path_open(&p, &spec, -1, &e), PATH_UNAVAILABLE);
	assert_file("in.one", "{\"type\":\"one\",\"name\":\"n\",\"cniVersion\":\"1.0.0\","
			      "\"runtimeConfig\":{\"portMappings\":["
			      "{\"hostPort\":5201,\"containerPort\":5201,\"protocol\":\"tcp\"},"
			      "{\"hostPort\":5201,\"containerPort\":5201,\"protocol\":\"udp\"}]}}");
	assert_file("in.two", "{\"type\":\"two\",\"name\":\"n\",\"cniVersion\":\"1.0.0\","
			      "\"prevResult\":{\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}");
	assert_int_equal(access("/var/lib/cni/tare-test", F_OK), -1);
	assert_int_equal(access("/run/tare-test", F_OK), -1);
}

static void what_is_missing_is_named(void **state)
{
	const struct path_spec ipam =
		network("{\"type\":\"one\",\"ipam\":{\"type\":\"tare-no-ipam\"}}", dir);
	struct path_cfg cfg = path_cfg_default;
	struct path *p = NULL;
	struct path_spec spec;
	struct err e = {0};
	_cleanup_(freep) char *text = xasprintf("cni:%s,cni-rate=100Mbps", ipam.arg);

	(void)state;
	assert_int_equal(path_open(&p, &ipam, -1, &e), PATH_UNAVAILABLE);
	assert_non_null(strstr(e.text, "no CNI plugin 'tare-no-ipam' in /tmp/"));
	assert_int_equal(path_parse(&spec, "cni", &cfg, &e), -EINVAL);
	assert_int_equal(path_parse(&spec, "cni:/tare/none.conflist", &cfg, &e), -ENOENT);
	assert_non_null(strstr(e.text, "'/tare/none.conflist'"));
	assert_int_equal(path_parse(&spec, text, &cfg, &e), -EINVAL);
	assert_non_null(strstr(e.text, "cni-rate: no plugin of"));
}

static void a_plugin_can_be_interrupted(void **state)
{
	struct path_spec spec = fake("[ $CNI_COMMAND = DEL ] || sleep 60");
	_cleanup_(closep) int cancel_fd = eventfd(1, EFD_CLOEXEC);
	struct path *p = NULL;
	struct err e = {0};

	(void)state;
	if (!have_rooms())
		return;
	spec.cfg.cni_timeout_ns = 60 * NSEC_PER_SEC;
	assert_int_equal(path_open(&p, &spec, cancel_fd, &e), -ECANCELED);
}

static int remove_all(void **state)
{
	static const char *const names[] = {"net.conflist", "fake", "one", "two", "fail", "log",
		"in.one", "in.two", "env"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		remove_file(names[i]);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_are_said),
		cmocka_unit_test(both_pods_with_one_address),
		cmocka_unit_test(commands_come_in_order),
		cmocka_unit_test(a_plugin_gets_what_it_needs),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(a_plugin_can_be_interrupted),
	};

	if (net_begin() < 0)
		return 0;
	return mkdtemp(dir) ? cmocka_run_group_tests(tests, NULL, remove_all) : 1;
}
