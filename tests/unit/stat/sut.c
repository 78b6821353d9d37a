#include "stat/sut.h"

#include "base/macro.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S NSEC_PER_SEC

static void losses_match_table(void **state)
{
	static const struct {
		const char *model;
		double load;
		uint64_t n, lost, duplicated, latency_max_ns;
	} rows[] = {
		{"rate=1e6,latency=0", 1e6, 1000000, 0, 0, 0},
		{"rate=1e6,latency=5us", 2e6, 2000000, 1000000, 0, 5000},
		{"rate=1000,latency=0", 1001, 1001, 1, 0, 0},
		/* What the queue holds comes later: a frame of 100 behind 100 others of 1 us. */
		{"rate=1e6,queue=100,latency=5us", 2e6, 2000, 900, 0, 105000},
		{"rate=1e6,queue=100,latency=0", 2e6, 200, 0, 0, 100000},
		{"rate=1e6,queue=100,latency=0", 2e6, 202, 1, 0, 100000},
		{"rate=1e6,queue=100,latency=0", 2e6, 100, 0, 0, 50000},
		{"rate=1e6,queue=100,latency=0", INFINITY, 100, 0, 0, 100000},
		{"rate=1e6,queue=100,latency=0", INFINITY, 150, 50, 0, 100000},
		{"rate=1e6,slope=1%,latency=0", 1e6, 1000000, 10000, 0, 0},
		{"rate=1e6,slope=1%,latency=0", 5e5, 500000, 2500, 0, 0},
		{"rate=1e6,collapse=1e6,latency=0", 1e6, 1000, 0, 0, 0},
		{"rate=1e6,collapse=1e6,latency=0", 1000001, 2000, 1001, 0, 0},
		{"rate=1e6,inversion=5e5,latency=0", 5e5, 1000, 100, 0, 0},
		{"rate=1e6,inversion=5e5,latency=0", 4.8e5, 1000, 100, 0, 0},
		{"rate=1e6,inversion=5e5,latency=0", 4.7e5, 1000, 0, 0, 0},
		{"rate=1e6,inversion=5e5,latency=0", 5.3e5, 1000, 0, 0, 0},
		{"rate=1e6,noise-every=1,noise=1%,latency=0", 5e5, 1000, 10, 0, 0},
		{"rate=1e6,noise-every=1,noise=0%,latency=0", 5e5, 1000, 1, 0, 0},
		{"rate=1e6,noise-chance=100%,noise=50%,latency=0", 5e5, 1000, 500, 0, 0},
		{"rate=1e6,noise-every=1,noise=100%,slope=100%", 1e6, 1000, 1000, 0, 0},
		{"rate=1e6,duplicate-every=10,latency=0", 5e5, 1009, 0, 100, 0},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sut_cfg cfg;
		struct sut_outcome out;
		struct sut_sim sim;
		struct err e = {0};

		assert_int_equal(sut_parse(&cfg, rows[i].model, &e), 0);
		sut_init(&sim, &cfg);
		sut_offer(&sim, rows[i].load, rows[i].n, &out);
		assert_int_equal(out.tried, rows[i].n);
		assert_int_equal(out.lost, rows[i].lost);
		assert_int_equal(out.duplicated, rows[i].duplicated);
		assert_int_equal(out.latency_max_ns, rows[i].latency_max_ns);
	}
}

/* The longest burst that loses nothing tells the queue: RFC 9004's corrected time x rate. */
static void bursts_tell_the_queue(void **state)
{
	const struct sut_cfg cfg = {.rate = 1000000, .queue = 750};
	const double load = 4e6;
	struct sut_sim sim;
	struct sut_outcome out = {0};
	uint64_t burst = 0;

	(void)state;
	sut_init(&sim, &cfg);
	while (out.lost == 0)
		sut_offer(&sim, load, ++burst, &out);
	burst--;
	/* burst = queue + what was served meanwhile, to the frame */
	assert_true(fabs((double)burst - (double)burst * 1e6 / load - 750) <= 1);
}

static void same_seed_loses_the_same(void **state)
{
	const struct sut_cfg cfg = {.rate = 1000000,
		.chance_ppm = 300000,
		.noise_ppm = 1000,
		.seed = 7};
	struct sut_cfg another = cfg;
	uint32_t n_noisy = 0, n_differ = 0;
	struct sut_sim a, b, c;

	(void)state;
	another.seed = 8;
	sut_init(&a, &cfg);
	sut_init(&b, &cfg);
	sut_init(&c, &another);
	for (uint32_t i = 0; i < 10000; i++) {
		struct sut_outcome x, y, z;

		sut_offer(&a, 1000, 1000, &x);
		sut_offer(&b, 1000, 1000, &y);
		sut_offer(&c, 1000, 1000, &z);
		assert_int_equal(x.lost, y.lost);
		n_noisy += x.lost > 0;
		n_differ += x.lost != z.lost;
	}
	/* 5 standard deviations of a fixed draw */
	assert_true(n_noisy > 2770 && n_noisy < 3230);
	assert_true(n_differ > 3900 && n_differ < 4500);
}

/* Turns come evenly, and the seed says which trial is the first. */
static void turns_are_even(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 7; seed++) {
		const struct sut_cfg cfg = {.rate = 1000000,
			.noise_every = 7,
			.noise_ppm = 1000,
			.seed = seed};
		struct sut_sim sim;

		sut_init(&sim, &cfg);
		for (uint64_t i = 1; i <= 70; i++) {
			struct sut_outcome out;

			sut_offer(&sim, 1000, 1000, &out);
			assert_int_equal(out.lost, (i + seed) % 7 == 0);
		}
	}
}

static void trials_take_their_time(void **state)
{
	const struct sut_cfg cfg = {.rate = 1000, .overhead_ns = S / 2};
	struct search_trial t = {0};
	struct sut_sim sim;
	struct err e = {0};

	(void)state;
	sut_init(&sim, &cfg);
	assert_int_equal(sut_trial(&sim, 2000, 3 * S, &t, &e), 0);
	assert_int_equal(t.tried, 6000);
	assert_int_equal(t.lost, 3000);
	assert_int_equal(t.effective_ns, 3 * S + S / 2);
	assert_true(sut_trial(&sim, INFINITY, S, &t, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(losses_match_table),
		cmocka_unit_test(bursts_tell_the_queue),
		cmocka_unit_test(same_seed_loses_the_same),
		cmocka_unit_test(turns_are_even),
		cmocka_unit_test(trials_take_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
