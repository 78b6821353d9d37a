#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define UNTOUCHED 12345678901ULL

struct row {
	enum num_unit unit;
	const char *text;
	int r;
	uint64_t v;
};

static const struct row good[] = {
	{NUM_COUNT, "0", 0, 0},
	{NUM_COUNT, "4", 0, 4},
	{NUM_COUNT, "007", 0, 7},
	{NUM_COUNT, "9223372036854775807", 0, INT64_MAX},
	{NUM_BYTES, "0", 0, 0},
	{NUM_BYTES, "1448", 0, 1448},
	{NUM_BYTES, "64k", 0, 65536},
	{NUM_BYTES, "1M", 0, 1048576},
	{NUM_BYTES, "2G", 0, 2147483648},
	{NUM_BYTES, "0.5k", 0, 512},
	{NUM_BYTES, "1.5M", 0, 1572864},
	{NUM_BYTES, "8589934591G", 0, 9223372035781033984},
	{NUM_DURATION, "0s", 0, 0},
	{NUM_DURATION, "1ns", 0, 1},
	{NUM_DURATION, "1us", 0, 1000},
	{NUM_DURATION, "500ms", 0, 500000000},
	{NUM_DURATION, "10s", 0, 10000000000},
	{NUM_DURATION, "2m", 0, 120000000000},
	{NUM_DURATION, "1h", 0, 3600000000000},
	{NUM_DURATION, "1.5h", 0, 5400000000000},
	{NUM_DURATION, "0.1s", 0, 100000000},
	{NUM_DURATION, "0.000000001s", 0, 1},
	{NUM_RATE, "0bps", 0, 0},
	{NUM_RATE, "9600bps", 0, 9600},
	{NUM_RATE, "100kbps", 0, 100000},
	{NUM_RATE, "1.5Mbps", 0, 1500000},
	{NUM_RATE, "10Gbps", 0, 10000000000},
	{NUM_PERCENT, "0%", 0, 0},
	{NUM_PERCENT, "5%", 0, 50000},
	{NUM_PERCENT, "0.5%", 0, 5000},
	{NUM_PERCENT, "0.0001%", 0, 1},
	{NUM_PERCENT, "99.9999%", 0, 999999},
	{NUM_PERCENT, "100%", 0, 1000000},
	{NUM_SHARE, "0%", 0, 0},
	{NUM_SHARE, "0.5%", 0, 5000000},
	{NUM_SHARE, "0.0000001%", 0, 1},
	{NUM_SHARE, "33.3333333%", 0, 333333333},
	{NUM_MANY, "1.5M", 0, 1500000},
	{NUM_PER_S, "0", 0, 0},
	{NUM_PER_S, "9001", 0, 9001},
	{NUM_PER_S, "1.5M", 0, 1500000},
	{NUM_PER_S, "100k", 0, 100000},
	{NUM_PER_S, "10G", 0, 10000000000},
	{NUM_PER_S, "1e6", 0, 1000000},
	{NUM_PER_S, "1.488e7", 0, 14880000},
	{NUM_PER_S, "1e10", 0, 10000000000},
};

static const struct row bad[] = {
	{NUM_COUNT, "", -EINVAL, 0},
	{NUM_COUNT, " ", -EINVAL, 0},
	{NUM_COUNT, " 5", -EINVAL, 0},
	{NUM_COUNT, "5 ", -EINVAL, 0},
	{NUM_COUNT, "5\n", -EINVAL, 0},
	{NUM_COUNT, "-1", -EINVAL, 0},
	{NUM_COUNT, "+1", -EINVAL, 0},
	{NUM_COUNT, "12abc", -EINVAL, 0},
	{NUM_COUNT, "1e3", -EINVAL, 0},
	{NUM_COUNT, "0x10", -EINVAL, 0},
	{NUM_COUNT, "1.5", -EINVAL, 0},
	{NUM_COUNT, "1.", -EINVAL, 0},
	{NUM_COUNT, ".5", -EINVAL, 0},
	{NUM_COUNT, "1,000", -EINVAL, 0},
	{NUM_COUNT, "1k", -EINVAL, 0},
	{NUM_COUNT, "inf", -EINVAL, 0},
	{NUM_COUNT, "nan", -EINVAL, 0},
	{NUM_COUNT, "9223372036854775808", -ERANGE, 0},
	{NUM_COUNT, "18446744073709551616", -ERANGE, 0},
	{NUM_COUNT, "99999999999999999999", -ERANGE, 0},
	{NUM_BYTES, "k", -EINVAL, 0},
	{NUM_BYTES, "64K", -EINVAL, 0},
	{NUM_BYTES, "64kB", -EINVAL, 0},
	{NUM_BYTES, "64 k", -EINVAL, 0},
	{NUM_BYTES, "0.5", -EINVAL, 0},
	{NUM_BYTES, "0.0001k", -EINVAL, 0},
	{NUM_BYTES, "8589934592G", -ERANGE, 0},
	{NUM_DURATION, "10", -EINVAL, 0},
	{NUM_DURATION, "0", -EINVAL, 0},
	{NUM_DURATION, ".5s", -EINVAL, 0},
	{NUM_DURATION, "1.s", -EINVAL, 0},
	{NUM_DURATION, "1..5s", -EINVAL, 0},
	{NUM_DURATION, "1.5.5s", -EINVAL, 0},
	{NUM_DURATION, "1m30s", -EINVAL, 0},
	{NUM_DURATION, "10S", -EINVAL, 0},
	{NUM_DURATION, "1d", -EINVAL, 0},
	{NUM_DURATION, "0.5ns", -EINVAL, 0},
	{NUM_DURATION, "2562048h", -ERANGE, 0},
	{NUM_DURATION, "0.00000000000000000001s", -ERANGE, 0},
	{NUM_RATE, "10", -EINVAL, 0},
	{NUM_RATE, "10G", -EINVAL, 0},
	{NUM_RATE, "10gbps", -EINVAL, 0},
	{NUM_RATE, "10 Gbps", -EINVAL, 0},
	{NUM_RATE, "-10Gbps", -EINVAL, 0},
	{NUM_RATE, "1.5bps", -EINVAL, 0},
	{NUM_RATE, "9223372037Gbps", -ERANGE, 0},
	{NUM_PERCENT, "5", -EINVAL, 0},
	{NUM_PERCENT, "%", -EINVAL, 0},
	{NUM_PERCENT, "5%%", -EINVAL, 0},
	{NUM_PERCENT, "0.00001%", -EINVAL, 0},
	{NUM_PERCENT, "922337203685478%", -ERANGE, 0},
	{NUM_SHARE, "0.00000001%", -EINVAL, 0},
	{NUM_SHARE, "5", -EINVAL, 0},
	{NUM_PER_S, "0.5", -EINVAL, 0},
	{NUM_PER_S, "1.5e", -EINVAL, 0},
	{NUM_PER_S, "1e", -EINVAL, 0},
	{NUM_PER_S, "1e+6", -EINVAL, 0},
	{NUM_PER_S, "1E6", -EINVAL, 0},
	{NUM_PER_S, "1e06", -EINVAL, 0},
	{NUM_PER_S, "1e11", -EINVAL, 0},
	{NUM_PER_S, "1e6k", -EINVAL, 0},
	{NUM_PER_S, "1K", -EINVAL, 0},
	{NUM_PER_S, "9223372037G", -ERANGE, 0},
};

/* Names the row that fails, which the cmocka assertions would not. */
static void check_row(const struct row *row)
{
	const uint64_t want = row->r ? UNTOUCHED : row->v;
	uint64_t v = UNTOUCHED;
	struct err e = {0};
	int r = num_parse(row->text, row->unit, &v, &e);

	if (r != row->r || v != want)
		fail_msg("unit %d '%s': %d, %" PRIu64, row->unit, row->text, r, v);
	assert_int_equal(e.code, r);
	if (r < 0 && !strchr(row->text, '\n'))
		assert_non_null(strstr(e.text, row->text));
	assert_int_equal(num_parse(row->text, row->unit, &v, NULL), r);
}

static void good_numbers_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		check_row(&good[i]);
}

static void bad_numbers_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_row(&bad[i]);
}

static void format_is_short(void **state)
{
	static const struct row rows[] = {
		{NUM_COUNT, "65536", 0, 65536},
		{NUM_BYTES, "0", 0, 0},
		{NUM_BYTES, "64k", 0, 65536},
		{NUM_BYTES, "1448", 0, 1448},
		{NUM_BYTES, "1025k", 0, 1025 * 1024},
		{NUM_DURATION, "0ns", 0, 0},
		{NUM_DURATION, "1s", 0, 1000000000},
		{NUM_DURATION, "1500ms", 0, 1500000000},
		{NUM_DURATION, "90s", 0, 90000000000},
		{NUM_RATE, "0bps", 0, 0},
		{NUM_RATE, "1500Mbps", 0, 1500000000},
		{NUM_PERCENT, "0%", 0, 0},
		{NUM_PERCENT, "0.0001%", 0, 1},
		{NUM_PERCENT, "0.5%", 0, 5000},
		{NUM_PERCENT, "100%", 0, 1000000},
		{NUM_PERCENT, "1234.5678%", 0, 12345678},
		{NUM_SHARE, "99.9999999%", 0, 999999999},
		{NUM_SHARE, "0.5%", 0, 5000000},
		{NUM_PER_S, "0", 0, 0},
		{NUM_PER_S, "1500k", 0, 1500000},
		{NUM_PER_S, "14880952", 0, 14880952},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		num_format(rows[i].v, rows[i].unit, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

/* Every value of the shape 2^a * 5^b +-1, in every unit. */
static void format_and_parse_are_inverse(void **state)
{
	char text[32];
	uint64_t back;

	(void)state;
	for (uint64_t five = 1; five <= INT64_MAX / 5; five *= 5)
		for (uint64_t v = five; v < INT64_MAX / 2; v *= 2)
			for (int k = 0; k < 3 * NUM_UNIT_N; k++) {
				const uint64_t x = v + (uint64_t)(k % 3) - 1;

				num_format(x, k / 3, text, sizeof(text));
				assert_int_equal(num_parse(text, k / 3, &back, NULL), 0);
				assert_int_equal(back, x);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_numbers_are_read),
		cmocka_unit_test(bad_numbers_are_refused),
		cmocka_unit_test(format_is_short),
		cmocka_unit_test(format_and_parse_are_inverse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
