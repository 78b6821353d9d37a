#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void copy_is_bounded(void **state)
{
	static const struct {
		const char *src;
		size_t size;
		int r;
		const char *dst;
	} rows[] = {
		{"", 1, 0, ""},
		{"", 8, 0, ""},
		{"a", 1, -E2BIG, ""},
		{"abc", 4, 0, "abc"},
		{"abcd", 4, -E2BIG, "abc"},
		{"abcdefgh", 4, -E2BIG, "abc"},
	};
	char dst[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(dst, '#', sizeof(dst));
		assert_int_equal(str_copy(dst, rows[i].size, rows[i].src), rows[i].r);
		assert_string_equal(dst, rows[i].dst);
		assert_int_equal(dst[rows[i].size], '#');
	}
}

static void one_line_can_be_shown(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", ""},
		{" \n\r\n", ""},
		{"a\nb\n", "a;b"},
		{"a\r\n\tb", "a ; b"},
		{"\033[31mred\303\274\377", " [31mred   "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[32];

		(void)str_copy(text, sizeof(text), rows[i].text);
		str_one_line(text);
		assert_string_equal(text, rows[i].want);
	}
}

static void set_takes_the_array_size(void **state)
{
	char dst[4];

	(void)state;
	str_set(dst, "ab");
	assert_string_equal(dst, "ab");
	str_set(dst, "abcdef");
	assert_string_equal(dst, "abc");
}

static void index_is_exact(void **state)
{
	static const char *const names[] = {"tcp", "udp", "udp-gso"};
	static const struct {
		const char *s;
		int index;
	} rows[] = {{"tcp", 0}, {"udp", 1}, {"udp-gso", 2}, {"ud", -1}, {"udp-", -1}, {"TCP", -1},
		{"", -1}, {"tcp ", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(str_index(rows[i].s, names, ARRAY_SIZE(names)), rows[i].index);
	assert_int_equal(str_index("tcp", names, 0), -1);
}

static void add_appends_and_cuts(void **state)
{
	char dst[12] = "";

	(void)state;
	memset(dst + 8, '#', 4);
	str_addf(dst, 8, "%s", "ab");
	assert_string_equal(dst, "ab");
	str_addf(dst, 8, "%d-%d", 12, 3);
	assert_string_equal(dst, "ab12-3");
	str_addf(dst, 8, "%s", "xyz");
	assert_string_equal(dst, "ab12-3x");
	str_addf(dst, 8, "%s", "more");
	assert_string_equal(dst, "ab12-3x");
	assert_memory_equal(dst + 8, "####", 4);
	str_addf(dst, 0, "%s", "nothing");
	assert_string_equal(dst, "ab12-3x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_is_bounded),
		cmocka_unit_test(one_line_can_be_shown),
		cmocka_unit_test(set_takes_the_array_size),
		cmocka_unit_test(index_is_exact),
		cmocka_unit_test(add_appends_and_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
