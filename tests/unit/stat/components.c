#include "stat/components.h"

#include "base/macro.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* mean, sd_within and sd_between were computed outside C, from sums of squares. */
static const struct {
	uint32_t n_groups, n_of[4];
	double x[16];
	uint32_t there; /* groups with a number */
	double mean, within, between;
} known[] = {
	/*
	 * Looms and the strength of their cloth: components 1.90 and 6.96.
	 * Ref: Montgomery, Design and Analysis of Experiments, random effects, example 3.11.
	 */
	{4, {4, 4, 4, 4}, {98, 97, 99, 96, 91, 90, 93, 92, 96, 95, 97, 95, 95, 96, 99, 98}, 4,
		95.4375, 1.3768926368215255, 2.6378652985574025},
	/* Groups of other sizes: n0 = (6 - (4 + 9 + 1)/6)/2 */
	{3, {2, 3, 1}, {10, 12, 20, 22, 24, 30}, 3, 21, 1.8257418583505538, 8.528028654224418},
	/* Groups differ less than their trials let expect: none of it is between them. */
	{2, {2, 2}, {1, 5, 2, 4}, 2, 3, 2.23606797749979, 0},
	/* Alike within. */
	{4, {2, 2, 2, 2}, {1e6, 1e6, 9e5, 9e5, 1e6, 1e6, 9e5, 9e5}, 4, 950000, 0,
		57735.02691896257},
	/* What is no number is left out, and a group without any. */
	{4, {3, 1, 3, 1}, {10, NAN, 12, NAN, 20, 22, 24, 30}, 3, 21, 1.8257418583505538,
		8.528028654224418},
	/* What can't be told apart, is not. */
	{3, {1, 1, 1}, {1, 2, 3}, 3, 2, NAN, NAN},
	{1, {3}, {1, 2, 3}, 1, 2, 1, NAN},
	{0, {0}, {0}, 0, NAN, NAN, NAN},
};

static void check(double got, double want, double scale)
{
	if (isnan(want))
		assert_true(isnan(got));
	else
		assert_true(fabs(got - want) <= 1e-12 * scale);
}

static void components_match_table(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct components c =
			components_of(known[i].x, known[i].n_of, known[i].n_groups);
		const double scale = fabs(known[i].mean);

		assert_int_equal(c.n_groups, known[i].there);
		check(c.mean, known[i].mean, scale);
		check(c.sd_within, known[i].within, scale);
		check(c.sd_between, known[i].between, scale);
	}
}

/* For groups of one size: variance of means = between + within / size, unless it is cut off. */
static void means_add_up(void **state)
{
	const struct components c = components_of(known[0].x, known[0].n_of, 4);

	(void)state;
	assert_int_equal(c.n, 16);
	check(c.sd_means * c.sd_means, c.sd_between * c.sd_between + c.sd_within * c.sd_within / 4,
		10);
	assert_true(c.ci_low < c.mean && c.mean < c.ci_high);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(components_match_table),
		cmocka_unit_test(means_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
