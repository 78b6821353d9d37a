#include "serve/sniff.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char cookie[IPERF_COOKIE_BYTES] = "abcdefghijklmnopqrstuvwxyz234567abcd";
static const uint8_t token[MAGIC_TOKEN_BYTES] = {1, 2, 3, 0xff};

/* Byte by byte: no more is asked for than the opening has; its last byte ends it. */
static void whole(const void *data, size_t len, enum sniff_kind kind)
{
	const uint8_t *d = data;

	for (size_t i = 0; i < len; i++) {
		struct sniff s = sniff_stream(d, i);

		assert_int_equal(s.kind, SNIFF_MORE);
		assert_true(s.want > i && s.want <= len);
	}
	assert_int_equal(sniff_stream(d, len).kind, kind);
}

static void openings(void **state)
{
	uint8_t data[MAGIC_DATA_BYTES];
	struct sniff s;

	(void)state;
	whole("TAREC", 5, SNIFF_CONTROL);
	whole(cookie, sizeof(cookie), SNIFF_IPERF);
	magic_put_flow(data, MAGIC_DATA, token, 258);
	whole(data, sizeof(data), SNIFF_DATA);
	s = sniff_stream(data, sizeof(data));
	assert_int_equal(s.flow, 258);
	assert_memory_equal(s.token, token, sizeof(token));
}

static void strangers(void **state)
{
	char long_cookie[IPERF_COOKIE_BYTES];

	(void)state;
	memset(long_cookie, 'a', sizeof(long_cookie));
	assert_int_equal(sniff_stream((const uint8_t *)long_cookie, 37).kind, SNIFF_BAD);
	assert_int_equal(sniff_stream((const uint8_t *)"GET / HTTP/1.1\r\n", 16).kind, SNIFF_BAD);
	assert_int_equal(sniff_stream((const uint8_t *)"\x16\x03\x01", 3).kind, SNIFF_BAD);
	assert_int_equal(sniff_stream((const uint8_t *)"TAREX", 5).kind, SNIFF_BAD);
	assert_int_equal(sniff_stream((const uint8_t *)"TAREU", 5).kind, SNIFF_BAD);
	assert_int_equal(sniff_stream((const uint8_t *)"ab\0", 3).kind, SNIFF_BAD);
}

static void datagrams(void **state)
{
	uint8_t data[MAGIC_DATA_BYTES + 1] = {0};

	(void)state;
	magic_put_flow(data, MAGIC_HELLO, token, 7);
	assert_int_equal(sniff_datagram(data, MAGIC_DATA_BYTES).kind, SNIFF_HELLO);
	assert_int_equal(sniff_datagram(data, MAGIC_DATA_BYTES).flow, 7);
	assert_int_equal(sniff_datagram(data, MAGIC_DATA_BYTES + 1).kind, SNIFF_BAD);
	assert_int_equal(sniff_datagram(data, MAGIC_DATA_BYTES - 1).kind, SNIFF_BAD);
	assert_int_equal(sniff_datagram(data, 0).kind, SNIFF_BAD);
	assert_int_equal(sniff_datagram((const uint8_t *)"9876", 4).kind, SNIFF_IPERF_HELLO);
	assert_int_equal(sniff_datagram((const uint8_t *)"\x15\xcd\x5b\x07", 4).kind,
		SNIFF_IPERF_HELLO);
	assert_int_equal(sniff_datagram((const uint8_t *)"98765", 5).kind, SNIFF_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(openings), cmocka_unit_test(strangers),
		cmocka_unit_test(datagrams)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
