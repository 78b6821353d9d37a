#include "cni/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int parse(struct cni_result *ret, const char *text, struct err *e)
{
	return cni_result_parse(ret, text, strlen(text), e);
}

/* As bridge 1.1.1 answers in 0.4.0; the second address is the bridge's own. */
static void addresses_of_the_container(void **state)
{
	static const char text[] =
		"{\"cniVersion\":\"0.4.0\",\"interfaces\":[{\"name\":\"cni0\"},"
		"{\"name\":\"eth0\",\"sandbox\":\"/run/netns/a\"}],"
		"\"ips\":[{\"version\":\"4\",\"interface\":0,\"address\":\"10.1.0.1/16\"},"
		"{\"version\":\"4\",\"interface\":1,\"address\":\"10.1.0.5/16\","
		"\"gateway\":\"10.1.0.1\"},{\"version\":\"6\",\"address\":\"fd00::5/64\"}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"fd01::/64\"}],\"dns\":{}}";
	struct cni_result r = CNI_RESULT_NONE;
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(&r, text, &e), 0);
	assert_int_equal(r.n_ips, 2);
	assert_string_equal(cni_result_ip(&r, false)->addr, "10.1.0.5");
	assert_string_equal(cni_result_ip(&r, false)->gateway, "10.1.0.1");
	assert_int_equal(cni_result_ip(&r, false)->prefix, 16);
	assert_string_equal(cni_result_ip(&r, true)->addr, "fd00::5");
	assert_string_equal(cni_result_ip(&r, true)->gateway, "");
	assert_true(r.default_v4);
	assert_false(r.default_v6);
	cni_result_fini(&r);
	assert_null(r.json);
}

static void no_addresses_are_a_result(void **state)
{
	struct cni_result r = CNI_RESULT_NONE;
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(&r, "{\"ips\":null}", &e), 0);
	assert_null(cni_result_ip(&r, false));
	cni_result_fini(&r);
	assert_int_equal(
		parse(&r, "{\"ips\":[{\"address\":\"127.0.0.1/8\"},{\"address\":\"::1/128\"}]}",
			&e),
		0);
	assert_null(cni_result_ip(&r, false));
	assert_null(cni_result_ip(&r, true));
	cni_result_fini(&r);
}

static void what_is_no_result(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"", "not JSON"},
		{"hello", "not JSON"},
		{"{\"ips\":{}}", "\"ips\" is not a list"},
		{"{\"ips\":[1]}", "ips[0]: not an object"},
		{"{\"ips\":[{}]}", "'' is not an address with a prefix length"},
		{"{\"ips\":[{\"address\":\"10.0.0.1\"}]}", "not an address with"},
		{"{\"ips\":[{\"address\":\"10.0.0.1/33\"}]}", "not an address with"},
		{"{\"ips\":[{\"address\":\"10.0.0.1/\"}]}", "not an address with"},
		{"{\"ips\":[{\"address\":\"10.0.0.256/8\"}]}", "not an address with"},
		{"{\"ips\":[{\"address\":\"::1/129\"}]}", "not an address with"},
		{"{\"ips\":[{\"address\":\"10.0.0.1/8\",\"gateway\":\"::1\"}]}", "gateway '::1'"},
		{"{\"ips\":[{\"address\":\"10.0.0.1/8\",\"interface\":0}]}", "number of an"},
		{"{\"ips\":[{\"address\":\"10.0.0.1/8\",\"interface\":-1}]}", "number of an"},
		{"{\"routes\":[{\"dst\":1}]}", "routes[0]: \"dst\" is not a string"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cni_result r = CNI_RESULT_NONE;
		struct err e = {0};

		assert_int_equal(parse(&r, bad[i].text, &e), -EINVAL);
		assert_null(r.json);
		if (!strstr(e.text, bad[i].says))
			fail_msg("%s: '%s'", bad[i].text, e.text);
	}
}

static void errors_are_sentences(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"{\"code\":7,\"msg\":\"bad\",\"details\":\"it is\"}", "bad: it is (code 7)"},
		{"{\"code\":11,\"msg\":\"later\"}", "later (code 11)"},
		{"{\"code\":3}", "it failed (code 3)"},
		{"{\"msg\":\"no code\"}", NULL},
		{"{\"code\":\"3\"}", NULL},
		{"bad", NULL},
		{"", NULL},
	};
	char words[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool ok = cni_error_text(rows[i].text, strlen(rows[i].text), words, sizeof(words));

		assert_int_equal(ok, rows[i].says != NULL);
		if (ok)
			assert_string_equal(words, rows[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_the_container),
		cmocka_unit_test(no_addresses_are_a_result),
		cmocka_unit_test(what_is_no_result),
		cmocka_unit_test(errors_are_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
