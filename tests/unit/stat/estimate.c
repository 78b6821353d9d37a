#include "stat/estimate.h"

#include "base/macro.h"
#include "values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check_near(double got, double want, double scale)
{
	if (isnan(want))
		assert_true(isnan(got));
	else
		assert_true(fabs(got - want) <= 1e-12 * scale);
}

static void check_estimate(const struct estimate *got, const struct estimate *want)
{
	const double sd_scale = want->sd + 1e-3 * fabs(want->mean);
	const double ci_scale = fabs(want->mean) + fabs(want->ci_high - want->ci_low);

	assert_int_equal(got->n, want->n);
	check_near(got->mean, want->mean, fabs(want->mean));
	check_near(got->median, want->median, fabs(want->median));
	check_near(got->sd, want->sd, sd_scale);
	check_near(got->ci_low, want->ci_low, ci_scale);
	check_near(got->ci_high, want->ci_high, ci_scale);
}

static void means_match_table(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(mean_values); i++) {
		const typeof(mean_values[0]) *v = &mean_values[i];
		const struct estimate e = estimate_mean(v->x, v->e.n);

		check_estimate(&e, &v->e);
	}
}

static void ratios_match_table(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(ratio_values); i++) {
		const typeof(ratio_values[0]) *v = &ratio_values[i];
		const struct estimate e = estimate_ratio(v->a, v->b, v->e.n);

		check_estimate(&e, &v->e);
	}
}

/* What "b over a" says is "a over b" upside down, interval included. */
static void inverse_ratio_is_inverse(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(ratio_values); i++) {
		const typeof(ratio_values[0]) *v = &ratio_values[i];
		const struct estimate e = estimate_ratio(v->b, v->a, v->e.n);

		check_near(e.mean * v->e.mean, v->e.n ? 1 : NAN, 1);
		check_near(e.ci_low * v->e.ci_high, v->e.n > 1 ? 1 : NAN, 1);
		check_near(e.ci_high * v->e.ci_low, v->e.n > 1 ? 1 : NAN, 1);
	}
}

static void half_width_is_relative(void **state)
{
	static const struct {
		struct estimate e;
		double half_width;
	} rows[] = {
		{{.n = 0, .mean = NAN, .ci_low = NAN, .ci_high = NAN}, INFINITY},
		{{.n = 1, .mean = 5, .ci_low = NAN, .ci_high = NAN}, INFINITY},
		{{.n = 9, .mean = 200, .ci_low = 190, .ci_high = 210}, 0.05},
		{{.n = 9, .mean = -200, .ci_low = -210, .ci_high = -190}, 0.05},
		{{.n = 9, .mean = 3, .ci_low = 3, .ci_high = 3}, 0},
		{{.n = 9, .mean = 0, .ci_low = 0, .ci_high = 0}, 0},
		{{.n = 9, .mean = 0, .ci_low = -1, .ci_high = 1}, INFINITY},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_true(estimate_half_width(&rows[i].e) == rows[i].half_width);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(means_match_table),
		cmocka_unit_test(ratios_match_table),
		cmocka_unit_test(inverse_ratio_is_inverse),
		cmocka_unit_test(half_width_is_relative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
