#include "stat/tdist.h"

#include "base/macro.h"
#include "values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void quantiles_match_table(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(t_values); i++) {
		const double t = t_values[i].t;

		assert_true(fabs(tdist_quantile(t_values[i].p, t_values[i].df) - t) <=
			    1e-9 * MAX(t, 1.0));
	}
}

/* One degree of freedom is the Cauchy distribution, t = tan(pi (p - 1/2)). */
static void one_degree_is_cauchy(void **state)
{
	(void)state;
	for (double tail = 0.49; tail >= 1e-6; tail /= 2) {
		const double t = tan(M_PI * ((1 - tail) - 0.5));

		assert_true(fabs(tdist_quantile(1 - tail, 1) - t) <= 1e-9 * MAX(t, 1.0));
	}
}

static void more_degrees_less_doubt(void **state)
{
	double before = INFINITY;

	(void)state;
	for (uint32_t df = 1; df <= 1000; df++) {
		const double t = tdist_quantile(0.975, df);

		assert_true(t < before);
		before = t;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_match_table),
		cmocka_unit_test(one_degree_is_cauchy),
		cmocka_unit_test(more_degrees_less_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
