#include "serve/http.h"

#include <errno.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *text, *ip; /* NULL: refused */
	uint16_t port;
} row[] = {
	{"9000", "127.0.0.1", 9000},
	{":9000", "127.0.0.1", 9000},
	{"0", "127.0.0.1", 0},
	{"65535", "127.0.0.1", 65535},
	{"192.0.2.1:80", "192.0.2.1", 80},
	{"0.0.0.0:80", "0.0.0.0", 80},
	{"[::]:80", "::", 80},
	{"[2001:db8::1]:80", "2001:db8::1", 80},
	{"[::ffff:255.255.255.255]:1", "::ffff:255.255.255.255", 1},
	{"", NULL, 0},
	{":", NULL, 0},
	{"65536", NULL, 0},
	{"-1", NULL, 0},
	{"9000 ", NULL, 0},
	{"192.0.2.1", NULL, 0},
	{"192.0.2.1:", NULL, 0},
	{"192.0.2:80", NULL, 0},
	{"[192.0.2.1]:80", NULL, 0},
	{"::1:80", NULL, 0},
	{"[::1]", NULL, 0},
	{"[::1]80", NULL, 0},
	{"[::1:80", NULL, 0},
	{"[]:80", NULL, 0},
	{"localhost:80", NULL, 0},
	{"[1234:1234:1234:1234:1234:1234:1234:1234:1234:1234]:80", NULL, 0},
};

static void addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char ip[SOCK_ADDR_LEN];
		struct err e = {0};
		uint16_t port;
		int r = http_addr(row[i].text, ip, &port, &e);

		if ((r == 0) != (row[i].ip != NULL))
			fail_msg("'%s': %d %s", row[i].text, r, e.text);
		if (r < 0) {
			assert_int_equal(r, -EINVAL);
			assert_true(*e.text);
			continue;
		}
		assert_string_equal(ip, row[i].ip);
		assert_int_equal(port, row[i].port);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(addresses)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
