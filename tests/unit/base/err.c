#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void set_appends_the_reason(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, ENOENT, "cannot open '%s'", "x"), -ENOENT);
	assert_int_equal(e.code, -ENOENT);
	assert_string_equal(e.text, "cannot open 'x': No such file or directory");
	assert_int_equal(err_set(&e, 0, "odd"), -EINVAL);
	assert_int_equal(e.code, -EINVAL);
}

static void say_is_complete(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_say(&e, ERANGE, "%d is too many", 9), -ERANGE);
	assert_int_equal(e.code, -ERANGE);
	assert_string_equal(e.text, "9 is too many");
}

static void wrap_goes_in_front(void **state)
{
	struct err e;

	(void)state;
	(void)err_say(&e, EPERM, "not allowed");
	assert_int_equal(err_wrap(&e, "path '%s'", "nat"), -EPERM);
	assert_int_equal(err_wrap(&e, "trial %d", 3), -EPERM);
	assert_string_equal(e.text, "trial 3: path 'nat': not allowed");
}

static void null_discards_words_only(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, EPERM, "x"), -EPERM);
	assert_int_equal(err_say(NULL, ERANGE, "x"), -ERANGE);
	assert_int_equal(err_wrap(NULL, "x"), -EINVAL);
}

static void text_is_one_line(void **state)
{
	struct err e;

	(void)state;
	(void)err_say(&e, EIO, "%s", "bad\trule\nhere \r\n\n");
	assert_string_equal(e.text, "bad rule here");
	assert_int_equal(err_wrap(&e, "path '%s'", "a\nb"), -EIO);
	assert_string_equal(e.text, "path 'a b': bad rule here");
}

static void long_text_is_cut(void **state)
{
	struct err e;
	char longest[2 * sizeof(e.text)];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(err_set(&e, EPERM, "%s", longest), -EPERM);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_int_equal(err_wrap(&e, "front"), -EPERM);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_memory_equal(e.text, "front: xxx", 10);
	assert_int_equal(err_wrap(&e, "%s", longest), -EPERM);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_appends_the_reason),
		cmocka_unit_test(say_is_complete),
		cmocka_unit_test(wrap_goes_in_front),
		cmocka_unit_test(null_discards_words_only),
		cmocka_unit_test(text_is_one_line),
		cmocka_unit_test(long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
