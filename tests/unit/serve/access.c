#include "serve/access.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool allows(const char *list, const char *ip)
{
	struct access_list a;
	struct sockaddr_storage addr;
	struct peer p;
	struct err e = {0};

	assert_int_equal(access_parse(&a, list, &e), 0);
	assert_true(sock_addr(&addr, ip, 1, &e) > 0);
	peer_from(&p, &addr);
	return access_allows(&a, &p);
}

static const struct {
	const char *list, *ip;
	bool allowed;
} row[] = {
	{"", "192.0.2.1", true},
	{"", "2001:db8::1", true},
	{"10.0.0.0/8", "10.255.255.255", true},
	{"10.0.0.0/8", "11.0.0.0", false},
	{"10.0.0.0/8", "::ffff:10.1.2.3", true},
	{"10.0.0.0/8", "2001:db8::1", false},
	{"192.0.2.7", "192.0.2.7", true},
	{"192.0.2.7", "192.0.2.6", false},
	{"192.0.2.6/31", "192.0.2.7", true},
	{"192.0.2.6/31", "192.0.2.8", false},
	{"0.0.0.0/0", "203.0.113.9", true},
	{"0.0.0.0/0", "2001:db8::1", false},
	{"::/0", "203.0.113.9", true},
	{"::/0", "2001:db8::1", true},
	{"::1,10.0.0.0/8", "::1", true},
	{"::1,10.0.0.0/8", "::2", false},
	{"2001:db8::/33", "2001:db8:7fff::1", true},
	{"2001:db8::/33", "2001:db8:8000::1", false},
};

static void lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (allows(row[i].list, row[i].ip) != row[i].allowed)
			fail_msg("'%s' and %s", row[i].list, row[i].ip);
}

static void bad_lists(void **state)
{
	static const char *const bad[] = {"x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
		"10.0.0.0/8 ", " 10.0.0.0/8", "10.0.0.1/8", "::/129", "::1/127/1", ",", "::1,",
		",::1", "10/8", "10.0.0.0/+8", "10.0.0.0/0008",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct access_list a = {.n = 7};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = {0};

		if (access_parse(&a, bad[i], &e) != -EINVAL || !e.text[0] || a.n != 7)
			fail_msg("'%s' is taken", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(bad_lists)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
