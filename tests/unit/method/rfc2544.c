/* Arithmetic of RFC 9004 and what a campaign's numbers may be called. */
#include "base/str.h"
#include "method/rfc2544.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * A server of 10^6 frames/s behind a queue of 1000, fed at 1 Gbit/s of 64-byte frames: the longest
 * burst is 1000 / (1 - C/M), its corrected time times M the queue again.
 */
static void rfc9004_identity(void **state)
{
	struct rfc_burst b = {.burst_frames = 3048.78, .max_fps = 1488095.238};

	(void)state;
	rfc_burst_times(&b, 1e6);
	assert_true(fabs(b.implied_s - 2.04878e-3) < 1e-8);
	assert_true(fabs(b.corrected_s - 0.672e-3) < 1e-7);
	assert_true(fabs(b.buffer_frames - 1000) < 0.1);
}

/* Without a throughput there is an implied time, and no corrected one. */
static void rfc9004_no_throughput(void **state)
{
	struct rfc_burst b = {.burst_frames = 100, .max_fps = 1000};

	(void)state;
	rfc_burst_times(&b, NAN);
	assert_true(fabs(b.implied_s - 0.1) < 1e-12);
	assert_true(isnan(b.corrected_s));
}

static struct rfc *planned(uint32_t profile, uint32_t search, uint64_t final_ns, const char *tests)
{
	struct rfc *c = calloc(1, sizeof(*c));

	c->cfg = rfc_cfg_default;
	c->cfg.profile = profile;
	c->cfg.search = search;
	c->cfg.time = rfc_time_profile[profile];
	c->tester = tester_cfg_default;
	c->tester.drain_ns = rfc_drain_profile_ns[profile];
	if (final_ns)
		c->cfg.time.final_ns = final_ns;
	str_set(c->cfg.tests, tests);
	assert_int_equal(rfc_plan(c, false, &(struct err){0}), 0);
	return c;
}

static void labels(void **state)
{
	static const struct {
		uint32_t profile, search;
		uint64_t final_ns;
		bool is_rfc2544;
		const char *part;
	} row[] = {
		{RFC_PROFILE_STANDARD, RFC_SEARCH_BINARY, 0, true, "standard profile"},
		{RFC_PROFILE_STANDARD, RFC_SEARCH_BINARY, 30 * NSEC_PER_SEC, false,
			"modified (not RFC 2544's times): --final-time 30s"},
		{RFC_PROFILE_STANDARD, RFC_SEARCH_BINARY_LV, 0, false, "loss verification"},
		{RFC_PROFILE_STANDARD, RFC_SEARCH_MLR, 0, false, "RFC 9971"},
		{RFC_PROFILE_QUICK, RFC_SEARCH_BINARY, 0, false, "quick profile: not RFC 2544"},
		{RFC_PROFILE_QUICK, RFC_SEARCH_BINARY, 60 * NSEC_PER_SEC, false, "not RFC 2544"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct rfc *c = planned(row[i].profile, row[i].search, row[i].final_ns, "loss");

		assert_int_equal(c->is_rfc2544, row[i].is_rfc2544);
		assert_non_null(strstr(c->label, row[i].part));
		assert_int_equal(c->n_sizes, 7);
		free(c);
	}
}

/* Tests that build on throughput bring it. */
static void tests_bring_throughput(void **state)
{
	struct rfc *c = planned(RFC_PROFILE_QUICK, RFC_SEARCH_BINARY, 0, "loss");

	(void)state;
	assert_false(c->test[RFC_THROUGHPUT]);
	free(c);
	c = planned(RFC_PROFILE_QUICK, RFC_SEARCH_BINARY, 0, "recovery");
	assert_true(c->test[RFC_THROUGHPUT] && c->test[RFC_RECOVERY] && !c->test[RFC_LOSS]);
	free(c);
}

/* Latency of RFC 2544 alone, 20 streams of 120 s of 7 sizes, takes more than 4.6 hours. */
static void estimate_is_honest(void **state)
{
	struct rfc *c = planned(RFC_PROFILE_STANDARD, RFC_SEARCH_BINARY, 0, "latency");
	double by_test[RFC_TEST_N];

	(void)state;
	assert_true(rfc_estimate_s(c, by_test) > 7 * 20 * 120);
	assert_true(by_test[RFC_LATENCY] >= 20 * (120 + 2 + 5));
	assert_true(by_test[RFC_LOSS] == 0);
	free(c);
}

/* A model's reset is seen as it is: so many frames of so much time. */
static void model_reset(void **state)
{
	struct sut_cfg cfg = sut_cfg_default;
	struct subject_ask ask = {.n_phases = 1};
	struct subject_trial t = {0};
	struct subject *s;
	struct err e = {0};

	(void)state;
	cfg.reset_ns = 50 * NSEC_PER_MSEC;
	assert_int_equal(subject_model(&s, &cfg, &e), 0);
	ask.phase[0].fps = 100000;
	ask.phase[0].n_frames = 100000;
	assert_int_equal(s->ops->reset(s, &e), 0);
	assert_int_equal(subject_trial(s, &ask, &t, &e), 0);
	assert_int_equal(t.lost, 5000);
	assert_int_equal(t.last_lost_ns, 550 * NSEC_PER_MSEC);
	assert_int_equal(subject_trial(s, &ask, &t, &e), 0);
	assert_int_equal(t.lost, 0);
	subject_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc9004_identity),
		cmocka_unit_test(rfc9004_no_throughput),
		cmocka_unit_test(labels),
		cmocka_unit_test(tests_bring_throughput),
		cmocka_unit_test(estimate_is_honest),
		cmocka_unit_test(model_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
