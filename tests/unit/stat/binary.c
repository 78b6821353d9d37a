#include "stat/search.h"

#include "base/macro.h"
#include "stat/run.h"
#include "stat/sut.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define S NSEC_PER_SEC

static const struct binary_cfg usual = {
	.min_load = 1000,
	.max_load = 100000,
	.step = 1000,
	.duration_ns = S,
	.max_repeat = 1,
	.max_loss = UINT64_MAX,
};

static int search(struct binary_result *ret, struct search_log *log, const struct sut_cfg *sut,
	const struct binary_cfg *cfg)
{
	struct sut_sim sim;
	const struct search_ops ops = {.trial = sut_trial, .ctx = &sim};
	struct err e = {0};

	sut_init(&sim, sut);
	return search_binary(ret, log, cfg, &ops, &e);
}

static bool same(double a, double b)
{
	return fabs(a - b) <= 1e-12 * fabs(b) || (isnan(a) && isnan(b));
}

static void limits_match_table(void **state)
{
	static const struct {
		uint64_t rate;
		double min_load, max_load, step;
		enum search_end end;
		double lower, upper;
	} rows[] = {
		{50500, 1000, 100000, 1000, SEARCH_FOUND, 50000, 51000},
		{50000, 1000, 100000, 1000, SEARCH_FOUND, 50000, 51000}, /* equal to a load */
		{1000, 1000, 100000, 1000, SEARCH_FOUND, 1000, 2000},
		{999, 1000, 100000, 1000, SEARCH_MIN_LOAD, NAN, 1000},
		{99999, 1000, 100000, 1000, SEARCH_FOUND, 99000, 100000},
		{100000, 1000, 100000, 1000, SEARCH_MAX_LOAD, 100000, NAN},
		{99800, 1000, 99900, 1000, SEARCH_FOUND, 99000, 99900}, /* the last step is short */
		{200000, 1000, 99900, 1000, SEARCH_MAX_LOAD, 99900, NAN},
		{50000, 60000, 60000, 1000, SEARCH_MIN_LOAD, NAN, 60000}, /* one load */
		{70000, 60000, 60000, 1000, SEARCH_MAX_LOAD, 60000, NAN},
		{50000, 100, 100000, 0.1, SEARCH_FOUND, 50000, 50000.1},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct binary_cfg cfg = usual;
		const struct sut_cfg sut = {.rate = rows[i].rate};
		struct search_log log = {0};
		struct binary_result x;

		cfg.min_load = rows[i].min_load;
		cfg.max_load = rows[i].max_load;
		cfg.step = rows[i].step;
		cfg.duration_ns = 10 * S; /* a tenth of a frame a second is one frame then */
		assert_int_equal(search(&x, &log, &sut, &cfg), 0);
		assert_int_equal(x.end, rows[i].end);
		assert_true(same(x.lower, rows[i].lower) && same(x.upper, rows[i].upper));
		assert_true(log.n <= 20);
		search_log_fini(&log);
	}
}

/* A hard limit: verification changes no answer, and costs r - 1 trials at each lossy load. */
static void verification_of_a_hard_limit(void **state)
{
	(void)state;
	for (uint64_t rate = 1500; rate < 100000; rate += 777) {
		const struct sut_cfg sut = {.rate = rate};
		struct search_log plain = {0}, verified = {0}, quick = {0};
		struct binary_result a, b, c;
		struct binary_cfg cfg = usual;
		uint32_t n_lossy = 0;

		assert_int_equal(search(&a, &plain, &sut, &cfg), 0);
		for (uint32_t i = 0; i < plain.n; i++)
			n_lossy += plain.trial[i].lost > 0;
		cfg.max_repeat = 5;
		assert_int_equal(search(&b, &verified, &sut, &cfg), 0);
		assert_int_equal(verified.n, plain.n + 4 * n_lossy);
		assert_true(a.lower == b.lower && a.upper == b.upper);

		/* No trial is made again when any loss is too much to be transient. */
		cfg.max_loss = 0;
		assert_int_equal(search(&c, &quick, &sut, &cfg), 0);
		assert_int_equal(quick.n, plain.n);
		assert_true(a.lower == c.lower && a.upper == c.upper);
		search_log_fini(&plain);
		search_log_fini(&verified);
		search_log_fini(&quick);
	}
}

/* Of one load that is good but for transient loss: how often is it rejected? */
static uint32_t count_rejected(uint32_t chance_ppm, uint32_t max_repeat, uint32_t n)
{
	uint32_t n_rejected = 0;

	for (uint32_t seed = 0; seed < n; seed++) {
		const struct sut_cfg sut = {.rate = 2000,
			.chance_ppm = chance_ppm,
			.noise_ppm = 1000,
			.seed = seed};
		struct binary_cfg cfg = usual;
		struct search_log log = {0};
		struct binary_result x;

		cfg.max_load = cfg.min_load;
		cfg.max_repeat = max_repeat;
		assert_int_equal(search(&x, &log, &sut, &cfg), 0);
		n_rejected += x.end == SEARCH_MIN_LOAD;
		search_log_fini(&log);
	}
	return n_rejected;
}

/* Transient loss with probability p rejects a good load with p^r. Ref: TST 009 annex B */
static void verification_of_transient_loss(void **state)
{
	static const struct {
		uint32_t chance_ppm, max_repeat;
	} rows[] = {{0, 1}, {100000, 1}, {300000, 1}, {300000, 2}, {500000, 2}, {500000, 4},
		{900000, 8}, {1000000, 3}};
	const uint32_t n = 20000;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const double p = pow(rows[i].chance_ppm / 1e6, rows[i].max_repeat);
		const double got = count_rejected(rows[i].chance_ppm, rows[i].max_repeat, n);

		/* Five standard deviations; the seeds are fixed, so it holds always or never. */
		assert_true(fabs(got - n * p) <= 5 * sqrt(n * p * (1 - p)));
	}
}

/* One load, 2000 frames of a trial lost: z is the most that may be transient. */
static void verification_ends_above_z(void **state)
{
	const struct sut_cfg sut = {.rate = 50000};
	struct binary_cfg cfg = usual;

	(void)state;
	cfg.min_load = cfg.max_load = 52000;
	cfg.max_repeat = 3;
	for (uint64_t z = 1999; z <= 2000; z++) {
		struct search_log log = {0};
		struct binary_result x;

		cfg.max_loss = z;
		assert_int_equal(search(&x, &log, &sut, &cfg), 0);
		assert_int_equal(x.end, SEARCH_MIN_LOAD);
		assert_int_equal(log.n, z < 2000 ? 1 : 3);
		search_log_fini(&log);
	}
}

static void loss_ratio_is_a_goal(void **state)
{
	const struct sut_cfg sut = {.rate = 50000};
	struct binary_cfg cfg = usual;
	struct search_log log = {0};
	struct binary_result x;

	(void)state;
	cfg.loss_ratio = 0.5; /* at twice the limit, exactly; equality passes */
	cfg.max_load = 200000;
	assert_int_equal(search(&x, &log, &sut, &cfg), 0);
	assert_true(x.lower == 100000 && x.upper == 101000);
	search_log_fini(&log);
}

static void ends_early(void **state)
{
	const struct sut_cfg sut = {.rate = 50000};
	struct binary_cfg cfg = usual;
	struct search_log log = {0};
	struct binary_result x;

	(void)state;
	cfg.time_max_ns = 3 * S + S / 2;
	assert_int_equal(search(&x, &log, &sut, &cfg), 0);
	assert_int_equal(log.n, 3);
	assert_int_equal(x.end, SEARCH_TIME_MAX);
	search_log_fini(&log);

	cfg.time_max_ns = 0;
	cfg.step = 0;
	assert_int_equal(search(&x, &log, &sut, &cfg), -EINVAL);
	cfg.step = 1e-9;
	assert_int_equal(search(&x, &log, &sut, &cfg), -EINVAL);
	cfg = usual;
	cfg.min_load = 2 * cfg.max_load;
	assert_int_equal(search(&x, &log, &sut, &cfg), -EINVAL);
	assert_int_equal(log.n, 0);
	assert_int_equal(x.end, SEARCH_STOPPED);
}

static void mrr_is_what_comes_through(void **state)
{
	const struct sut_cfg sut = {.rate = 50000, .noise_every = 2, .noise_ppm = 100000};
	struct sut_sim sim;
	const struct search_ops ops = {.trial = sut_trial, .ctx = &sim};
	struct search_log log = {0};
	struct estimate x;
	struct err e = {0};

	(void)state;
	sut_init(&sim, &sut);
	assert_int_equal(search_mrr(&x, &log, 100000, S, 10, &ops, &e), 0);
	assert_int_equal(log.n, 10);
	assert_int_equal(x.n, 10);
	assert_true(fabs(x.mean - 47500) < 1e-6);
	assert_true(fabs(x.sd - 2500 * sqrt(10.0 / 9)) < 1e-6);
	search_log_fini(&log);
}

/* The goal that a binary search is shown as says of each load what the search said. */
static void binary_search_is_a_goal(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 300; seed++) {
		const struct sut_cfg sut = {.rate = 5000 + 300 * seed,
			.chance_ppm = 250000,
			.noise_ppm = 1000,
			.seed = seed};
		struct search_cfg cfg = search_cfg_default;
		struct search_run s;
		struct sut_sim sim;
		const struct search_ops ops = {.trial = sut_trial, .ctx = &sim};
		struct err e = {0};

		cfg.kind = SEARCH_BINARY_LV;
		cfg.min_load = 1000;
		cfg.max_load = 100000;
		cfg.repeat_max = 1 + seed % 7;
		sut_init(&sim, &sut);
		assert_int_equal(search_run_init(&s, &cfg, &e), 0);
		assert_int_equal(search_run(&s, &ops, &e), 0);
		for (uint32_t i = 0; i < s.log.n; i++)
			assert_int_equal(search_run_class(&s, s.log.trial[i].load, 0),
				mlr_classify(&s.log, s.log.trial[i].load, &s.goal[0]));
		search_run_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_match_table),
		cmocka_unit_test(verification_of_a_hard_limit),
		cmocka_unit_test(verification_of_transient_loss),
		cmocka_unit_test(verification_ends_above_z),
		cmocka_unit_test(loss_ratio_is_a_goal),
		cmocka_unit_test(ends_early),
		cmocka_unit_test(mrr_is_what_comes_through),
		cmocka_unit_test(binary_search_is_a_goal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
