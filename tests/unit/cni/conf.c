#include "cni/conf.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"cniVersion\":\"1.0.0\",\"name\":\"n\""

static int parse(struct cni_conf **ret, const char *text, struct err *e)
{
	return cni_conf_parse(ret, text, strlen(text), e);
}

static void a_list_is_read(void **state)
{
	static const char text[] =
		HEAD ",\"plugins\":[{\"type\":\"bridge\",\"ipMasq\":true,"
		     "\"ipam\":{\"type\":\"host-local\"}},"
		     "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true,\"x\":1}},"
		     "{\"type\":\"tuning\",\"ipam\":{}}]}";
	_cleanup_(cni_conf_freep) struct cni_conf *c = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(&c, text, &e), 0);
	assert_int_equal(c->n_plugins, 3);
	assert_string_equal(c->name, "n");
	assert_string_equal(c->plugin[0].type, "bridge");
	assert_string_equal(c->plugin[0].ipam, "host-local");
	assert_false(c->plugin[0].port_mappings);
	assert_true(c->plugin[1].port_mappings);
	assert_string_equal(c->plugin[2].ipam, "");
	assert_true(c->check);
	assert_true(cni_conf_declares(c, port_mappings));
	assert_false(cni_conf_declares(c, bandwidth));
	assert_true(cni_conf_declares(c, masquerades));
	assert_int_equal(cni_conf_attach(c, "wire"), CNI_ATTACH_NONE);
}

static void a_single_plugin_is_read(void **state)
{
	_cleanup_(cni_conf_freep) struct cni_conf *c = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		parse(&c, "{\"cniVersion\":\"0.3.1\",\"name\":\"n\",\"type\":\"ptp\"}", &e), 0);
	assert_int_equal(c->n_plugins, 1);
	assert_false(c->check);
	assert_false(cni_conf_declares(c, masquerades));
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"", "not JSON at line"},
		{"{\"name\":\n \"n\",,}", "line 2, column"},
		{"[1]", "not a JSON object"},
		{"{\"name\":\"n\",\"name\":\"n\"}", "duplicate"},
		{"{\"cniVersion\":\"1.0.0\"}", "no \"name\""},
		{"{\"cniVersion\":\"1.0.0\",\"name\":7}", "\"name\" is not a string"},
		{"{\"cniVersion\":\"1.0.0\",\"name\":\"a/b\"}", "other characters"},
		{"{\"cniVersion\":\"1.0.0\",\"name\":\".a\"}", "other characters"},
		{"{\"name\":\"n\"}", "no \"cniVersion\""},
		{"{\"cniVersion\":\"0.2.0\",\"name\":\"n\"}", "'0.2.0' is none of"},
		{"{\"cniVersion\":\"2.0.0\",\"name\":\"n\"}", "'2.0.0' is none of"},
		{HEAD "}", "neither \"plugins\" nor \"type\""},
		{HEAD ",\"plugins\":{}}", "\"plugins\" is not a list"},
		{HEAD ",\"plugins\":[]}", "has 0 entries"},
		{HEAD ",\"plugins\":[7]}", "plugins[0]: not an object"},
		{HEAD ",\"plugins\":[{\"type\":\"a\"},{}]}", "plugins[1]: there is no \"type\""},
		{HEAD ",\"plugins\":[{\"type\":\"../sh\"}]}", "other characters"},
		{HEAD ",\"plugins\":[{\"type\":\"a\",\"ipam\":7}]}", "\"ipam\" is not an object"},
		{HEAD ",\"plugins\":[{\"type\":\"a\",\"ipam\":{\"type\":\"\"}}]}", "ipam: there"},
		{HEAD ",\"type\":\"a\",\"capabilities\":[]}", "\"capabilities\" is not an object"},
		{HEAD ",\"type\":\"a\",\"capabilities\":{\"ips\":1}}", "neither true nor false"},
		{HEAD ",\"type\":\"a\",\"disableCheck\":\"yes\"}", "neither true nor false"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cni_conf *c = NULL;
		struct err e = {0};

		assert_int_equal(parse(&c, bad[i].text, &e), -EINVAL);
		assert_null(c);
		if (!strstr(e.text, bad[i].says))
			fail_msg("%s: '%s'", bad[i].text, e.text);
	}
}

static void too_many_plugins(void **state)
{
	char text[2048] = HEAD ",\"plugins\":[";
	struct cni_conf *c = NULL;
	struct err e = {0};
	size_t n = strlen(text);

	(void)state;
	for (int i = 0; i <= CNI_MAX_PLUGINS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s{\"type\":\"a\"}",
			i ? "," : "");
	snprintf(text + n, sizeof(text) - n, "]}");
	assert_int_equal(parse(&c, text, &e), -EINVAL);
	assert_non_null(strstr(e.text, "17 entries"));
}

static void files_have_limits(void **state)
{
	_cleanup_(freep) char *big = xcalloc(1, CNI_MAX_FILE_BYTES + 2);
	char path[] = "/tmp/cni-conf-XXXXXX";
	struct cni_conf *c = NULL;
	struct err e = {0};
	int fd = mkstemp(path);

	(void)state;
	memset(big, ' ', CNI_MAX_FILE_BYTES + 1);
	assert_int_equal(write(fd, big, CNI_MAX_FILE_BYTES + 1), CNI_MAX_FILE_BYTES + 1);
	assert_int_equal(cni_conf_read(&c, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, "is longer than 256 kB"));
	assert_int_equal(ftruncate(fd, 1), 0);
	assert_int_equal(cni_conf_read(&c, path, &e), -EINVAL);
	assert_non_null(strstr(e.text, path));
	close(fd);
	unlink(path);
	assert_int_equal(cni_conf_read(&c, path, &e), -ENOENT);
	assert_int_equal(cni_conf_read(&c, "/", &e), -EISDIR);
}

static void devices_are_replaced(void **state)
{
	static const struct {
		const char *plugin, *old;
		enum cni_attach attach;
	} rows[] = {
		{"\"type\":\"macvlan\",\"master\":\"eth0\"", "eth0", CNI_ATTACH_L2},
		{"\"type\":\"macvlan\"", "", CNI_ATTACH_L2},
		{"\"type\":\"ipvlan\",\"mode\":\"l3s\",\"master\":\"e\"", "e", CNI_ATTACH_L3},
		{"\"type\":\"host-device\",\"hwaddr\":\"02:00:00:00:00:01\"", "", CNI_ATTACH_TAKEN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(cni_conf_freep) struct cni_conf *c = NULL;
		char text[200], old[64];
		struct err e = {0};

		snprintf(text, sizeof(text), HEAD ",%s}", rows[i].plugin);
		assert_int_equal(parse(&c, text, &e), 0);
		assert_int_equal(cni_conf_attach(c, "wire"), CNI_ATTACH_NONE);
		assert_int_equal(cni_conf_replace_device(c, "wire", old, sizeof(old)), 1);
		assert_string_equal(old, rows[i].old);
		assert_int_equal(cni_conf_replace_device(c, "wire", old, sizeof(old)), 0);
		assert_int_equal(cni_conf_attach(c, "wire"), rows[i].attach);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_read),
		cmocka_unit_test(a_single_plugin_is_read),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(too_many_plugins),
		cmocka_unit_test(files_have_limits),
		cmocka_unit_test(devices_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
