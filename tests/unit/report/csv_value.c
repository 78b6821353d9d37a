#include "report/csv_value.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NONE "\xef\xbf\xbd"

/* Names that others chose: as they are, as long as they are words. */
static void words(void **state)
{
	static const char *const row[][2] = {
		{"", "\"\""},
		{"web, \"1\"", "\"web, \"\"1\"\"\""},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
			"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"\x1b[2J\a\n\x7f", "\"" NONE "[2J" NONE NONE NONE "\""},
		{"\xc2\x9b"
		 "31m\xc2\xa0",
			"\"" NONE "31m\xc2\xa0\""},
		{"\xff"
		 "a\xe2\x82",
			"\"" NONE "a" NONE NONE "\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);

		assert_non_null(out);
		csv_quoted(row[i][0], out);
		assert_int_equal(fclose(out), 0);
		assert_string_equal(text, row[i][1]);
		free(text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(words)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
