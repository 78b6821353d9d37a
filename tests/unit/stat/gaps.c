#include "stat/gaps.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Feeds readings; they cover [1000, 11000), so what is own and what is not add up to 10000. */
static void feed(struct gaps *g, const uint64_t *at_ns, uint32_t n)
{
	gaps_begin(g, 250, 1000, 11000);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(gaps_add(g, at_ns[i]), at_ns[i] < 11000);
	assert_int_equal(g->own_ns + g->gap_ns, 10000);
}

static void all_own(void **state)
{
	struct gaps g;

	(void)state;
	gaps_begin(&g, 250, 1000, 11000);
	for (uint64_t t = 100; gaps_add(&g, t); t += 30)
		;
	assert_int_equal(g.own_ns, 10000);
	assert_int_equal(g.gap_ns, 0);
	assert_int_equal(g.n_gaps, 0);
}

static void gaps_and_their_sizes(void **state)
{
	/* 249 is own, 250 a gap, and one of 4096; the rest is own but for what needs filling. */
	const uint64_t at[] = {1000, 1249, 1499, 1699, 5795, 5995, 6195, 6395, 6595, 6795, 6995,
		7195, 7395, 7595, 7795, 7995, 8195, 8395, 8595, 8795, 8995, 9195, 9395, 9595, 9795,
		9995, 10195, 10395, 10595, 10795, 10995, 11001};
	struct gaps g;

	(void)state;
	feed(&g, at, ARRAY_SIZE(at));
	assert_int_equal(g.n_gaps, 2);
	assert_int_equal(g.gap_ns, 250 + 4096);
	assert_int_equal(g.longest_ns, 4096);
	assert_int_equal(g.bucket[7], 1);
	assert_int_equal(g.bucket[12], 1);
}

/* A gap over the begin or the end counts as one, by its part inside. */
static void clipped_at_both_ends(void **state)
{
	const uint64_t at[] = {400, 1400, 1500, 10900, 900000};
	struct gaps g;

	(void)state;
	feed(&g, at, ARRAY_SIZE(at));
	assert_int_equal(g.n_gaps, 3);
	assert_int_equal(g.own_ns, 100);
	assert_int_equal(g.longest_ns, 900000 - 10900);
}

static void one_gap_over_all(void **state)
{
	const uint64_t at[] = {1, 5000000000000};
	struct gaps g;

	(void)state;
	feed(&g, at, ARRAY_SIZE(at));
	assert_int_equal(g.n_gaps, 1);
	assert_int_equal(g.bucket[GAPS_BUCKETS - 1], 1);
}

static void nothing_before_and_after(void **state)
{
	struct gaps g;

	(void)state;
	gaps_begin(&g, 250, 1000, 11000);
	assert_true(gaps_add(&g, 10));
	assert_true(gaps_add(&g, 900));
	assert_true(gaps_add(&g, 1000));
	assert_int_equal(g.own_ns + g.gap_ns + g.n_gaps, 0);
	assert_false(gaps_add(&g, 11000));
	assert_false(gaps_add(&g, 13000));
	assert_int_equal(g.gap_ns, 10000);
	assert_int_equal(g.n_gaps, 1);
}

static void threshold_is_of_the_median(void **state)
{
	uint64_t quick[] = {20, 25, 90000, 22, 21}, usual[] = {60, 50, 55}, slow[] = {400};
	uint64_t step_ns;

	(void)state;
	assert_int_equal(gaps_least_ns(quick, ARRAY_SIZE(quick), &step_ns), 250);
	assert_int_equal(step_ns, 22);
	assert_int_equal(gaps_least_ns(usual, ARRAY_SIZE(usual), &step_ns), 440);
	assert_int_equal(step_ns, 55);
	assert_int_equal(gaps_least_ns(slow, ARRAY_SIZE(slow), &step_ns), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_own),
		cmocka_unit_test(gaps_and_their_sizes),
		cmocka_unit_test(clipped_at_both_ends),
		cmocka_unit_test(one_gap_over_all),
		cmocka_unit_test(nothing_before_and_after),
		cmocka_unit_test(threshold_is_of_the_median),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
