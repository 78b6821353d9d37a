/* Points of time that come one after another, and what becomes of them when one is late. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void next_is_a_whole_one(void **state)
{
	const uint64_t hour_ns = 3600 * NSEC_PER_SEC, now_ns = clock_now_ns();
	uint64_t next_ns;

	(void)state;
	assert_true(clock_next_ns(now_ns, hour_ns) == now_ns + hour_ns);
	/* A little late: they stay where they were. */
	assert_true(clock_next_ns(now_ns - 1, hour_ns) == now_ns - 1 + hour_ns);
	next_ns = clock_next_ns(now_ns - 2, 1);
	assert_true(next_ns > now_ns && next_ns <= clock_now_ns() + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(next_is_a_whole_one)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
