#include "stat/mlr.h"

#include "base/macro.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define LOAD 1000.0
#define S    NSEC_PER_SEC
#define PCT  (MLR_PPB / 100)

/* A trial that loses nothing, or all. */
static struct search_trial trial_of(uint64_t intended_ns, uint64_t effective_ns, bool bad)
{
	return (struct search_trial){LOAD, intended_ns, effective_ns, 100, bad ? 100 : 0};
}

/* Trials of one sort until the load is @want. */
static uint32_t trials_until(const struct mlr_goal *goal, uint64_t effective_ns, bool bad,
	enum mlr_class want)
{
	const struct search_trial t = trial_of(goal->final_ns, effective_ns, bad);
	struct search_log log = {0};
	uint32_t n = 0;

	for (; n < 1000 && mlr_classify(&log, LOAD, goal) != want; n++)
		search_log_add(&log, &t);
	search_log_fini(&log);
	return n;
}

/* Ref: RFC 9971 appendix A, worked out: all good makes a lower bound, all bad an upper one. */
static void equal_trials_decide_at_the_table(void **state)
{
	static const struct {
		uint64_t final_s, sum_s;
		uint32_t exceed_pct;
		uint64_t effective_ms;
		uint32_t lower_at, upper_at;
	} rows[] = {
		{1, 21, 50, 1000, 11, 11},
		{1, 21, 50, 1500, 7, 8},
		{1, 21, 0, 1000, 21, 1},
		{1, 21, 25, 1000, 16, 6},
		{1, 30, 50, 1000, 15, 16},
		{60, 60, 0, 60000, 1, 1},
		{60, 120, 50, 60000, 1, 2},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct mlr_goal goal = {
			.final_ns = rows[i].final_s * S,
			.sum_ns = rows[i].sum_s * S,
			.exceed_ppb = rows[i].exceed_pct * PCT,
		};
		const uint64_t d_ns = rows[i].effective_ms * NSEC_PER_MSEC;

		assert_int_equal(trials_until(&goal, d_ns, false, MLR_LOWER), rows[i].lower_at);
		assert_int_equal(trials_until(&goal, d_ns, true, MLR_UPPER), rows[i].upper_at);
	}
}

/* Trials of the list, "gG" short and full good, "bB" short and full bad ones. */
static enum mlr_class class_of(const struct mlr_goal *goal, const char *list)
{
	struct mlr_sums s = {0};

	for (; *list; list++) {
		const bool bad = *list == 'b' || *list == 'B';
		const uint64_t ns =
			*list == 'B' || *list == 'G' ? goal->final_ns : goal->final_ns / 2;
		const struct search_trial t = trial_of(ns, ns, bad);

		mlr_sums_add(&s, &t, goal);
	}
	return mlr_sums_class(&s, goal);
}

static void short_trials_count_as_they_must(void **state)
{
	static const struct mlr_goal rfc2544 = {.final_ns = 60 * S, .sum_ns = 60 * S};
	static const struct mlr_goal half = {.final_ns = S,
		.sum_ns = 2 * S,
		.exceed_ppb = 50 * PCT};
	static const struct {
		const struct mlr_goal *goal;
		const char *list;
		enum mlr_class want;
	} rows[] = {
		{&rfc2544, "", MLR_UNDECIDED},
		{&rfc2544, "g", MLR_UNDECIDED},
		{&rfc2544, "gggg", MLR_UNDECIDED}, /* short good ones never make a lower bound */
		{&rfc2544, "b", MLR_UPPER},        /* any loss does; e is 0 */
		{&rfc2544, "Gb", MLR_UPPER},
		{&rfc2544, "GGGGGGGGb", MLR_UPPER},
		{&rfc2544, "G", MLR_LOWER},
		{&half, "bb", MLR_UNDECIDED}, /* 1 s bad of 2 s: equality is a pass */
		{&half, "bbb", MLR_UPPER},
		{&half, "bbbg", MLR_UNDECIDED}, /* a short good one cancels a short bad one */
		{&half, "bbbgggg", MLR_UNDECIDED},
		{&half, "gggg", MLR_UNDECIDED},
		{&half, "G", MLR_LOWER},
		{&half, "GB", MLR_LOWER},
		{&half, "GBb", MLR_UPPER},
		{&half, "GBbg", MLR_LOWER},
		{&half, "GBB", MLR_UPPER},
		{&half, "GBBgggg", MLR_UPPER}, /* short good ones cancel no full bad one */
		{&half, "GBBG", MLR_LOWER},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(class_of(rows[i].goal, rows[i].list), rows[i].want);
}

/* Loss is high when it is more than the ratio; intended duration tells long from short. */
static void edges_are_exact(void **state)
{
	const struct mlr_goal goal = {.final_ns = S, .sum_ns = S, .loss_ppb = PCT / 2};
	const struct search_trial equal = {LOAD, S, S, 200000, 1000};
	const struct search_trial more = {LOAD, S, S, 199999, 1000};
	const struct search_trial nothing = {LOAD, S, S, 0, 0};
	const struct search_trial huge = {LOAD, S, S, UINT64_MAX, UINT64_MAX / 200};
	const struct search_trial shorter = {LOAD, S - 1, 2 * S, 100, 0};
	struct mlr_sums s = {0};

	(void)state;
	assert_false(mlr_is_bad(&equal, &goal));
	assert_true(mlr_is_bad(&more, &goal));
	assert_false(mlr_is_bad(&nothing, &goal));
	assert_false(mlr_is_bad(&huge, &goal));
	mlr_sums_add(&s, &shorter, &goal);
	assert_int_equal(s.short_good_ns, 2 * S);
	assert_int_equal(s.full_good_ns, 0);
}

static uint64_t random_below(uint64_t *state, uint64_t n)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15; /* SplitMix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % n;
}

/*
 * One more trial at a load, from random states: a good one never demotes a lower bound, a bad one
 * never promotes an upper one, and a lower bound never becomes undecided. A row is the sort of
 * trial; of the six changes only those with a 1 occur, and each of them does.
 */
static void only_some_changes_occur(void **state)
{
	enum { U_L, U_X, L_U, L_X, X_L, X_U, N }; /* from, to: Undecided is X, Upper U, Lower L */
	static const int change[MLR_CLASS_N][MLR_CLASS_N] = {
		[MLR_UNDECIDED] = {-1, X_L, X_U},
		[MLR_LOWER] = {L_X, -1, L_U},
		[MLR_UPPER] = {U_X, U_L, -1},
	};
	static const bool allowed[4][N] = {
		[0] = {[X_U] = true, [L_U] = true}, /* full bad */
		[1] = {[X_L] = true, [U_L] = true}, /* full good */
		[2] = {[X_U] = true, [L_U] = true}, /* short bad */
		[3] = {[U_X] = true, [U_L] = true}, /* short good */
	};
	bool seen[4][N] = {0};
	uint64_t seed = 9971;

	(void)state;
	for (uint32_t i = 0; i < 400000; i++) {
		/* Few seconds, so that sums often stand at an edge. */
		const struct mlr_goal goal = {.final_ns = S,
			.sum_ns = (1 + random_below(&seed, 30)) * S,
			.exceed_ppb = (uint32_t)random_below(&seed, 10) * 10 * PCT};
		struct mlr_sums s = {random_below(&seed, 20) * S, random_below(&seed, 20) * S,
			random_below(&seed, 20) * S, random_below(&seed, 20) * S};
		const uint32_t sort = (uint32_t)random_below(&seed, 4);
		const enum mlr_class before = mlr_sums_class(&s, &goal);
		const struct search_trial t = trial_of(sort < 2 ? S : S / 2,
			(1 + random_below(&seed, 8)) * S / 2, sort == 0 || sort == 2);
		enum mlr_class after;
		int what;

		mlr_sums_add(&s, &t, &goal);
		after = mlr_sums_class(&s, &goal);
		what = change[before][after];
		if (what < 0)
			continue;
		if (!allowed[sort][what])
			fail_msg("state %u: trial of sort %u: %s becomes %s", i, sort,
				mlr_class_name[before], mlr_class_name[after]);
		seen[sort][what] = true;
	}
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t k = 0; k < N; k++)
			assert_int_equal(seen[i][k], allowed[i][k]);
}

/* A ratio that no binary fraction is: three equal trials, one bad, at exactly a third. */
static void thirds_do_not_turn_over(void **state)
{
	const struct mlr_goal third = {.final_ns = S, .sum_ns = 3 * S, .exceed_ppb = 333333333};
	const struct mlr_goal above = {.final_ns = S, .sum_ns = 3 * S, .exceed_ppb = 333333334};
	const struct mlr_goal tenth = {.final_ns = S, .sum_ns = 10 * S, .exceed_ppb = 10 * PCT};

	(void)state;
	assert_int_equal(class_of(&third, "GGB"), MLR_UPPER);
	assert_int_equal(class_of(&above, "GGB"), MLR_LOWER);
	assert_int_equal(class_of(&tenth, "GGGGGGGGGB"), MLR_LOWER);
	assert_int_equal(class_of(&tenth, "GGGGGGGG"), MLR_UNDECIDED);
	assert_int_equal(class_of(&tenth, "GGGGGGGGG"), MLR_LOWER);
	assert_int_equal(class_of(&tenth, "B"), MLR_UNDECIDED);
	assert_int_equal(class_of(&tenth, "BB"), MLR_UPPER);
}

static void add_loads(struct search_log *log, const double *load, const char *bad)
{
	for (; *bad; bad++, load++)
		search_log_add(log, &(struct search_trial){*load, S, S, 100, *bad == 'B'});
}

/* A load that passes above one that fails is no bound. */
static void bounds_ignore_what_is_above(void **state)
{
	static const double loads[] = {10, 20, 30, 40, 50};
	static const struct {
		const char *bad;
		double lower, upper;
	} rows[] = {
		{"GGGBB", 30, 40},
		{"GBGBB", 10, 20},
		{"BGGGB", NAN, 10},
		{"GGGGG", 50, NAN},
		{"BBBBB", NAN, 10},
		{"", NAN, NAN},
	};
	const struct mlr_goal goal = {.final_ns = S, .sum_ns = S};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct search_log log = {0};
		double lower, upper;

		add_loads(&log, loads, rows[i].bad);
		mlr_bounds(&log, &goal, &lower, &upper);
		assert_true(lower == rows[i].lower || (isnan(lower) && isnan(rows[i].lower)));
		assert_true(upper == rows[i].upper || (isnan(upper) && isnan(rows[i].upper)));
		search_log_fini(&log);
	}
}

/* Ref: RFC 9971 appendix B, worked out by hand. */
static void conditional_throughput_is_a_quantile(void **state)
{
	static const struct {
		uint32_t lost[6]; /* of 100; each trial 1 s */
		uint32_t n, exceed_pct;
		double want;
	} rows[] = {
		{{0, 0, 0, 0}, 4, 50, 1000},
		{{9, 0, 5, 2}, 4, 50, 980},       /* 2 s of 4 s: 0 %, 2 % */
		{{9, 0, 5, 2}, 4, 25, 950},       /* 3 s */
		{{9, 0, 5, 2}, 4, 0, 910},        /* all */
		{{9, 0, 5, 2, 1, 3}, 6, 50, 980}, /* 3 s of 6 s, more than the sum */
		{{0, 0, 0}, 3, 0, 0},             /* the missing second is all lost */
		{{7}, 1, 50, 0},
		{{7, 7}, 2, 50, 930},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct mlr_goal goal = {.final_ns = S,
			.sum_ns = 4 * S,
			.exceed_ppb = rows[i].exceed_pct * PCT};
		struct search_log log = {0};

		for (uint32_t k = 0; k < rows[i].n; k++)
			search_log_add(&log,
				&(struct search_trial){LOAD, S, S, 100, rows[i].lost[k]});
		/* Neither short trials nor other loads are asked. */
		search_log_add(&log, &(struct search_trial){LOAD, S / 2, S, 100, 100});
		search_log_add(&log, &(struct search_trial){2 * LOAD, S, S, 100, 100});
		assert_true(fabs(mlr_conditional(&log, LOAD, &goal) - rows[i].want) < 1e-9);
		search_log_fini(&log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_trials_decide_at_the_table),
		cmocka_unit_test(short_trials_count_as_they_must),
		cmocka_unit_test(edges_are_exact),
		cmocka_unit_test(only_some_changes_occur),
		cmocka_unit_test(thirds_do_not_turn_over),
		cmocka_unit_test(bounds_ignore_what_is_above),
		cmocka_unit_test(conditional_throughput_is_a_quantile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
