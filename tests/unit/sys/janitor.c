/* What the janitor is told of stays until the end, however much it is, and goes then. */
#include "sys/janitor.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* More than a pipe holds: one who stopped reading would be noticed. */
#define N_DIRS 3000

static void nothing_goes_before_the_end(void **state)
{
	char top[] = "/tmp/tare-janitor-XXXXXX", dir[PATH_MAX];
	struct janitor *j = NULL;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_non_null(mkdtemp(top));
	assert_int_equal(janitor_start(&j, NULL), 0);
	for (int i = 0; i < N_DIRS; i++) {
		snprintf(dir, sizeof(dir), "%s/%d", top, i);
		assert_int_equal(janitor_note(j, dir, NULL), 0);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
	for (int i = 0; i < N_DIRS; i++) {
		snprintf(dir, sizeof(dir), "%s/%d", top, i);
		assert_int_equal(access(dir, F_OK), 0);
	}
	janitor_finish(j);
	assert_int_equal(rmdir(top), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_goes_before_the_end)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
