/* Relations over matrices of known numbers. */
#include "method/density.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define N_ROWS 6

static const uint32_t axis[N_ROWS] = {1, 2, 4, 6, 8, 10};

/*
 * FD.io, 2n-skx, 64 bytes, Mpps, switch on one core: containers as chains and as pipelines.
 * Ref: draft-mkonstan-nf-service-density-01; 0: not measured.
 */
static const double csc[N_ROWS][N_ROWS] = {{6.4, 3.8, 2.2, 1.6, 1.2, 0.9},
	{5.8, 3.4, 1.8, 1.2, 0.9}, {5.6, 3.2, 1.6}, {5.4, 3.1}, {5.4, 3.4}, {5.3}};
static const double csp[N_ROWS][N_ROWS] = {{6.3, 6.3, 6.3, 6.4, 6.5, 6.4},
	{5.8, 5.6, 5.6, 5.6, 5.5}, {5.6, 5.5, 5.3}, {5.4, 5.3}, {5.4, 5.2}, {5.3}};

/* @error: of each number, both ways */
static struct density_matrix matrix(const double (*mpps)[N_ROWS], double error)
{
	struct density_matrix m = {.n_instances = N_ROWS, .n_nfs = N_ROWS};

	memcpy(m.instances, axis, sizeof(axis));
	memcpy(m.nfs, axis, sizeof(axis));
	for (int i = 0; i < N_ROWS; i++)
		for (int k = 0; k < N_ROWS; k++) {
			double v = mpps && mpps[i][k] > 0 ? mpps[i][k] : NAN;

			m.cell[i][k] = (struct density_value){v, v * (1 - error), v * (1 + error)};
		}
	return m;
}

static void check(const struct density_matrix *chain, const struct density_matrix *pipeline,
	uint32_t d1, uint32_t d2, uint32_t d3)
{
	const uint32_t want[DENSITY_RELATION_N] = {d1, d2, d3};
	struct density_relation r[DENSITY_RELATION_N];

	density_relations(chain, pipeline, r);
	for (int i = 0; i < DENSITY_RELATION_N; i++) {
		if (r[i].holds != want[i])
			fail_msg("%s %s: %s", r[i].name, density_holds_name[r[i].holds], r[i].text);
		assert_true(*r[i].text && strlen(r[i].text) < sizeof(r[i].text) - 1);
	}
}

static void published_numbers_hold(void **state)
{
	const struct density_matrix chain = matrix(csc, 0), pipeline = matrix(csp, 0);
	struct density_relation r[DENSITY_RELATION_N];

	(void)state;
	check(&chain, &pipeline, DENSITY_HOLDS, DENSITY_HOLDS, DENSITY_HOLDS);
	density_relations(&chain, &pipeline, r);
	assert_string_equal(r[DENSITY_D1].text, "pipeline / chain is 0.98 to 1.00");
	assert_string_equal(r[DENSITY_D2].text,
		"from the fewest functions to the most a chain keeps 0.14 to 0.63 of its rate, a "
		"pipeline 0.95 to 1.02");
	assert_string_equal(r[DENSITY_D3].text,
		"from the fewest instances to the most chains keep 0.73 to 0.89 of their rate, "
		"pipelines 0.83 to 0.87");
}

/* Chains in the place of pipelines: D2 is the other way round. */
static void others_do_not(void **state)
{
	const struct density_matrix chain = matrix(csc, 0), pipeline = matrix(csp, 0);
	double up[N_ROWS][N_ROWS];
	struct density_matrix rising;

	(void)state;
	check(&pipeline, &chain, DENSITY_HOLDS, DENSITY_HOLDS_NOT, DENSITY_HOLDS);
	for (int i = 0; i < N_ROWS; i++)
		for (int k = 0; k < N_ROWS; k++)
			up[i][k] = 1 + i + k;
	rising = matrix((const double(*)[N_ROWS])up, 0);
	check(&rising, &pipeline, DENSITY_HOLDS_NOT, DENSITY_HOLDS_NOT, DENSITY_HOLDS_NOT);
	check(&rising, &rising, DENSITY_HOLDS, DENSITY_HOLDS_NOT, DENSITY_HOLDS_NOT);
}

/* What is not so by less than the error is not decided. */
static void errors_count(void **state)
{
	const struct density_matrix chain = matrix(csc, 0.5), pipeline = matrix(csp, 0.5);

	(void)state;
	check(&chain, &pipeline, DENSITY_HOLDS, DENSITY_HOLDS, DENSITY_HOLDS);
	check(&pipeline, &pipeline, DENSITY_HOLDS, DENSITY_UNDECIDED, DENSITY_HOLDS);
}

static void needs_both(void **state)
{
	static const double one[N_ROWS][N_ROWS] = {{6.4}};
	const struct density_matrix chain = matrix(csc, 0), none = matrix(NULL, 0),
				    single = matrix(one, 0);

	(void)state;
	check(&chain, &none, DENSITY_NOT_TESTABLE, DENSITY_NOT_TESTABLE, DENSITY_HOLDS);
	check(&none, &none, DENSITY_NOT_TESTABLE, DENSITY_NOT_TESTABLE, DENSITY_NOT_TESTABLE);
	check(&single, &single, DENSITY_HOLDS, DENSITY_NOT_TESTABLE, DENSITY_NOT_TESTABLE);
}

/* Ref: the draft's 6ch-48mif-24dcr and 4pl-8mif-16dcr. */
static void host_plane(void **state)
{
	(void)state;
	assert_int_equal(density_ports(DENSITY_CHAIN, 6, 4), 48);
	assert_int_equal(density_ports(DENSITY_PIPELINE, 4, 4), 8);
	assert_int_equal(density_crossings(DENSITY_CHAIN, 4), 5);
	assert_int_equal(density_crossings(DENSITY_PIPELINE, 4), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_numbers_hold),
		cmocka_unit_test(others_do_not),
		cmocka_unit_test(errors_count),
		cmocka_unit_test(needs_both),
		cmocka_unit_test(host_plane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
