#include "load/schedule.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BEGIN_NS (1000 * NSEC_PER_SEC)

static struct schedule at(uint64_t rate_tps, uint32_t n, uint32_t i, uint64_t now_ns)
{
	struct schedule s = {.begin_ns = BEGIN_NS,
		.end_ns = BEGIN_NS + NSEC_PER_SEC,
		.rate_tps = rate_tps,
		.n_flows = n};

	schedule_start(&s, i, now_ns);
	return s;
}

/* All flows together have each number once, and rate times span of them in the span. */
static void flows_share_all_that_is_due(void **state)
{
	static const uint64_t rate[] = {1, 3, 7, 1000, 99991, 1000000};
	static const uint32_t flows[] = {1, 2, 3, 16, 1024};
	static const uint64_t before_ns[] = {0, 1, NSEC_PER_MSEC, NSEC_PER_SEC};

	(void)state;
	for (size_t a = 0; a < ARRAY_SIZE(rate); a++)
		for (size_t b = 0; b < ARRAY_SIZE(flows); b++)
			for (size_t c = 0; c < ARRAY_SIZE(before_ns); c++) {
				uint64_t n_due = 0;

				for (uint32_t i = 0; i < flows[b]; i++) {
					/* A request due just as the flow starts is not its. */
					struct schedule s = at(rate[a], flows[b], i,
						BEGIN_NS - before_ns[c] - 1);

					assert_true(s.due_ns >= BEGIN_NS - before_ns[c]);
					schedule_pass(&s, BEGIN_NS + 2 * NSEC_PER_SEC);
					n_due += s.n_due;
				}
				assert_int_equal(n_due, rate[a]);
			}
}

/* The first request is the first one of the flow after now: not a later one. */
static void starts_with_the_next_one(void **state)
{
	(void)state;
	for (int64_t ms = -50; ms <= 50; ms++)
		for (uint32_t i = 0; i < 7; i++) {
			uint64_t now_ns = BEGIN_NS + (uint64_t)(ms * (int64_t)NSEC_PER_MSEC);
			struct schedule s = at(1000, 7, i, now_ns);

			assert_true(s.due_ns > now_ns);
			assert_true(s.due_ns <= now_ns + 7 * NSEC_PER_MSEC);
			assert_int_equal(((s.next % 7) + 7) % 7, i);
		}
}

/* A year at a rate that divides nothing: still where it should be, to the nanosecond. */
static void does_not_drift(void **state)
{
	struct schedule s = at(999983, 1, 0, BEGIN_NS);

	(void)state;
	s.next = (int64_t)999983 * 365 * 86400 - 1;
	schedule_advance(&s);
	assert_int_equal(s.due_ns, BEGIN_NS + 365 * 86400 * NSEC_PER_SEC);
}

static void late_is_past_the_next_one(void **state)
{
	struct schedule s = at(1000, 4, 0, BEGIN_NS);

	(void)state;
	assert_false(schedule_late(&s, BEGIN_NS, BEGIN_NS));
	assert_false(schedule_late(&s, BEGIN_NS, BEGIN_NS + NSEC_PER_MSEC));
	assert_true(schedule_late(&s, BEGIN_NS, BEGIN_NS + NSEC_PER_MSEC + 1));
	/* Hours late is late as well. */
	assert_true(schedule_late(&s, BEGIN_NS, BEGIN_NS + 86400 * NSEC_PER_SEC));
	assert_true(schedule_counts(&s, BEGIN_NS));
	assert_false(schedule_counts(&s, BEGIN_NS - 1));
	assert_false(schedule_counts(&s, BEGIN_NS + NSEC_PER_SEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_share_all_that_is_due),
		cmocka_unit_test(starts_with_the_next_one),
		cmocka_unit_test(does_not_drift),
		cmocka_unit_test(late_is_past_the_next_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
