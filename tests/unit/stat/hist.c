#include "stat/hist.h"

#include "base/macro.h"
#include "values.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Adds every @step-th sample, beginning with @first, of set @set. The generator is values.py's. */
static void fill(struct hist *h, uint32_t set, uint32_t first, uint32_t step)
{
	const typeof(set_values[0]) *s = &set_values[set];
	uint64_t state = s->seed;

	for (uint32_t i = 0; i < s->n; i++) {
		state = state * 6364136223846793005U + 1442695040888963407U;
		if (i % step == first)
			hist_add(h, state >> (64 - s->bits) << ((state >> 32) % s->spread));
	}
}

static void check_near(double got, uint64_t want)
{
	assert_true(fabs(got - (double)want) <= (double)want / 128);
	if (want < 256)
		assert_true(got == (double)want);
}

static void buckets_match_table(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(bucket_values); i++)
		assert_int_equal(hist_bucket(bucket_values[i].v_ns), bucket_values[i].bucket);
}

static void every_edge_is_within_bound(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < HIST_N_BUCKETS - 1; i++) {
		const uint64_t low = hist_bucket_low_ns(i);
		const uint64_t end = hist_bucket_end_ns(i);

		assert_int_equal(end, hist_bucket_low_ns(i + 1));
		assert_int_equal(hist_bucket(low), i);
		assert_int_equal(hist_bucket(end - 1), i);
		assert_int_equal(hist_bucket(end), i + 1);
		assert_true(end - low == 1 || (end - low) * 128 <= low);
	}
	assert_int_equal(hist_bucket_low_ns(0), 0);
	assert_int_equal(hist_bucket(UINT64_MAX), HIST_N_BUCKETS - 1);
	assert_true(hist_bucket_end_ns(HIST_N_BUCKETS - 1) == UINT64_MAX);
}

static void totals_are_exact(void **state)
{
	struct hist h;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(set_values); i++) {
		hist_init(&h);
		fill(&h, i, 0, 1);
		assert_int_equal(h.count, set_values[i].n);
		assert_int_equal(h.sum_ns, set_values[i].sum_ns);
		assert_int_equal(h.min_ns, set_values[i].min_ns);
		assert_int_equal(h.max_ns, set_values[i].max_ns);
		assert_true(hist_mean_ns(&h) == (double)set_values[i].sum_ns / set_values[i].n);
	}
}

static void quantiles_match_table(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(quantile_values); i++) {
		const typeof(quantile_values[0]) *v = &quantile_values[i];
		double ns = -1, low_ns = -1, high_ns = -1;
		struct hist h;

		hist_init(&h);
		fill(&h, v->set, 0, 1);
		assert_int_equal(hist_quantile(&h, v->q, &ns), v->known);
		assert_int_equal(hist_quantile_ci(&h, v->q, &low_ns, &high_ns), v->known);
		if (!v->known) {
			assert_true(ns == -1 && low_ns == -1 && high_ns == -1);
			continue;
		}
		check_near(ns, v->ns);
		check_near(low_ns, v->low_ns);
		check_near(high_ns, v->high_ns);
		assert_true(low_ns <= (double)v->low_ns && (double)v->high_ns <= high_ns);
		assert_true(low_ns <= ns && ns <= high_ns);
	}
}

static void merged_is_the_whole(void **state)
{
	struct hist whole, merged, part;

	(void)state;
	hist_init(&whole);
	hist_init(&merged);
	hist_init(&part);
	hist_merge(&merged, &part);
	assert_memory_equal(&merged, &whole, sizeof(whole));
	for (uint32_t set = 0; set < ARRAY_SIZE(set_values); set++) {
		fill(&whole, set, 0, 1);
		for (uint32_t k = 0; k < 3; k++) {
			hist_init(&part);
			fill(&part, set, k, 3);
			hist_merge(&merged, &part);
		}
		assert_memory_equal(&merged, &whole, sizeof(whole));
	}
}

static void empty_says_nothing(void **state)
{
	struct hist h;
	double v = -1;

	(void)state;
	hist_init(&h);
	assert_true(h.min_ns == UINT64_MAX && h.max_ns == 0);
	assert_true(isnan(hist_mean_ns(&h)));
	assert_false(hist_quantile(&h, 0.5, &v));
	assert_false(hist_quantile_ci(&h, 0.5, &v, &v));
	assert_true(v == -1);
}

static void buckets_saturate_but_count_goes_on(void **state)
{
	struct hist a, b;
	double v;

	(void)state;
	hist_init(&a);
	hist_add(&a, 100);
	a.bucket[100] = UINT32_MAX - 1;
	a.count = UINT32_MAX - 1;
	b = a;
	hist_add(&a, 100);
	assert_int_equal(a.bucket[100], UINT32_MAX);
	hist_add(&a, 100);
	assert_int_equal(a.bucket[100], UINT32_MAX);
	assert_int_equal(a.count, UINT32_MAX + 1ULL);
	hist_merge(&a, &b);
	assert_int_equal(a.bucket[100], UINT32_MAX);
	assert_int_equal(a.count, 2ULL * UINT32_MAX);
	assert_true(hist_quantile(&a, 0.99, &v));
	assert_true(v == 100);
}

/* Beyond 2^42 ns nothing but the maximum is known, so that is what is said. */
static void last_bucket_answers_the_maximum(void **state)
{
	struct hist h;
	double v, low, high;

	(void)state;
	hist_init(&h);
	for (uint64_t i = 0; i < 100; i++)
		hist_add(&h, 1ULL << (i < 20 ? 20 : 50));
	assert_true(hist_quantile(&h, 0.5, &v));
	assert_true(hist_quantile_ci(&h, 0.5, &low, &high));
	assert_true(v == 0x1p50 && high == 0x1p50 && low <= 0x1p42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_match_table),
		cmocka_unit_test(every_edge_is_within_bound),
		cmocka_unit_test(totals_are_exact),
		cmocka_unit_test(quantiles_match_table),
		cmocka_unit_test(merged_is_the_whole),
		cmocka_unit_test(empty_says_nothing),
		cmocka_unit_test(buckets_saturate_but_count_goes_on),
		cmocka_unit_test(last_bucket_answers_the_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
