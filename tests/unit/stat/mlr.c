/*
 * MLRsearch against 10,000 simulated systems whose answer is known, and against its own promises on
 * ones that misbehave in every way the model has. All chance comes from fixed seeds; a failure
 * names the number of the system, of which everything about it is a function.
 */
#include "stat/mlr.h"

#include "base/macro.h"
#include "stat/mlr_grid.h"
#include "stat/sut.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S   NSEC_PER_SEC
#define PCT (MLR_PPB / 100)
#define W   0.005 /* CSIT's width */

/* One search of one system. */
struct world {
	struct sut_cfg sut;
	struct mlr_cfg cfg;
	struct mlr_result result[MLR_MAX_GOALS];
	struct search_log log;
	uint32_t fail_at; /* this trial can't be made; 0: all can */
	struct sut_sim sim;
	uint64_t random;
	uint32_t number; /* for messages */
};

#define check(w, claim)                                                                            \
	do {                                                                                       \
		if (!(claim))                                                                      \
			fail_msg("system %u: not %s", (w)->number, #claim);                        \
	} while (0)

/* SplitMix64. @state begins as the system's number. */
static uint64_t any_u64(struct world *w)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t below(struct world *w, uint64_t n)
{
	return any_u64(w) % n;
}

/* Between @low and @high, as likely in each decade. */
static double spread(struct world *w, double low, double high)
{
	return low * pow(high / low, (double)(any_u64(w) >> 11) / 9007199254740992.0);
}

static int world_trial(void *ctx, double load, uint64_t duration_ns, struct search_trial *ret,
	struct err *e)
{
	struct world *w = ctx;

	if (w->fail_at && w->log.n + 1 == w->fail_at)
		return err_say(e, EIO, "the cable is out");
	return sut_trial(&w->sim, load, duration_ns, ret, e);
}

static int search(struct world *w)
{
	const struct search_ops ops = {.trial = world_trial, .ctx = w};
	struct err e = {0};

	search_log_fini(&w->log);
	sut_init(&w->sim, &w->sut);
	return mlr_search(w->result, &w->log, &w->cfg, &ops, &e);
}

/* A hard limit, CSIT's goals, loads from a thousandth of the limit at most to above it. */
static void world_init(struct world *w, uint32_t number)
{
	*w = (struct world){.random = number, .number = number, .sut = sut_cfg_default};
	w->sut.rate = (uint64_t)spread(w, 1e5, 1e8);
	w->sut.seed = number;
	w->cfg.min_load = (double)w->sut.rate / spread(w, 2, 1000);
	w->cfg.max_load = (double)w->sut.rate * spread(w, 1.1, 100);
	w->cfg.n_goals = 2;
	w->cfg.goal[0] = mlr_goal_ndr;
	w->cfg.goal[1] = mlr_goal_pdr;
}

static void wild_goal(struct world *w, struct mlr_goal *g)
{
	*g = mlr_goal_pdr;
	g->final_ns = (1 + below(w, 20)) * S / 4;
	g->initial_ns = below(w, 2) ? g->final_ns : g->final_ns / (1 + below(w, 8));
	g->sum_ns = g->final_ns * (1 + below(w, 20));
	g->loss_ppb = below(w, 3) ? (uint32_t)below(w, 3 * PCT) : 0;
	g->exceed_ppb = (uint32_t)below(w, 18) * 5 * PCT;
	g->width_ppb = below(w, 10) ? (uint32_t)spread(w, PCT / 10, 5 * PCT) : 0;
}

/* Anything goes. */
static void world_init_wild(struct world *w, uint32_t number)
{
	struct sut_cfg *sut = &w->sut;

	world_init(w, number);
	if (below(w, 2))
		sut->queue = below(w, sut->rate);
	if (below(w, 4) == 0)
		sut->slope_ppm = (uint32_t)below(w, 20000);
	if (below(w, 4) == 0)
		sut->collapse = (uint64_t)((double)sut->rate * spread(w, 0.1, 2));
	if (below(w, 4) == 0)
		sut->inversion = (uint64_t)((double)sut->rate * spread(w, 0.5, 1));
	if (below(w, 3) == 0)
		sut->noise_every = 1 + (uint32_t)below(w, 9);
	if (below(w, 3) == 0)
		sut->chance_ppm = (uint32_t)below(w, 700000);
	sut->noise_ppm = (uint32_t)below(w, 100000);
	sut->overhead_ns = below(w, 3) ? 0 : S / 2;
	if (below(w, 8) == 0)
		w->cfg.max_load = (double)sut->rate * 0.9;
	if (below(w, 8) == 0)
		w->cfg.min_load = w->cfg.max_load * 0.99;
	w->cfg.n_goals = 1 + (uint32_t)below(w, 4);
	for (uint32_t i = 0; i < w->cfg.n_goals; i++)
		wild_goal(w, &w->cfg.goal[i]);
	w->cfg.time_max_ns = below(w, 3) ? 0 : (1 + below(w, 200)) * S;
}

static bool same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* What a result says follows from the log by the rules alone, and ends are what they are called. */
static void check_result(const struct world *w, uint32_t i)
{
	const struct mlr_goal *g = &w->cfg.goal[i];
	const struct mlr_result *x = &w->result[i];
	double lower, upper;

	mlr_bounds(&w->log, g, &lower, &upper);
	check(w, same(x->lower, lower) && same(x->upper, upper));
	check(w, isnan(x->conditional) == isnan(lower));
	if (!isnan(lower)) {
		check(w, mlr_classify(&w->log, lower, g) == MLR_LOWER);
		check(w, x->conditional == mlr_conditional(&w->log, lower, g));
		/* A lower bound keeps the goal's loss ratio. */
		check(w, x->conditional >=
				 lower * (1 - (double)g->loss_ppb / MLR_PPB) * (1 - 1e-12));
		check(w, x->conditional <= lower);
	}
	check(w, isnan(upper) || mlr_classify(&w->log, upper, g) == MLR_UPPER);
	switch (x->end) {
	case SEARCH_FOUND:
		check(w, lower < upper);
		check(w, g->width_ppb == 0 ||
				 (upper - lower) / upper <= (double)g->width_ppb / MLR_PPB);
		break;
	case SEARCH_MAX_LOAD:
		check(w, lower == w->cfg.max_load && isnan(upper));
		break;
	case SEARCH_MIN_LOAD:
		check(w, upper == w->cfg.min_load && isnan(lower));
		break;
	default:
		check(w, x->end == SEARCH_TIME_MAX && w->cfg.time_max_ns > 0);
	}
}

/* P7: without an exceed ratio, one lossy trial of any length fails a load for good. */
static void check_strict(const struct world *w)
{
	for (uint32_t i = 0; i < w->cfg.n_goals; i++) {
		const struct mlr_goal *g = &w->cfg.goal[i];
		double lowest = NAN;

		for (uint32_t k = 0; k < w->log.n; k++)
			if (mlr_is_bad(&w->log.trial[k], g))
				lowest = fmin(lowest, w->log.trial[k].load);
		check(w, g->exceed_ppb || same(w->result[i].upper, lowest));
	}
}

/* P12: in another order the same trials say the same. */
static void check_order(struct world *w)
{
	struct search_trial *t = w->log.trial;
	struct mlr_result before[MLR_MAX_GOALS];

	memcpy(before, w->result, sizeof(before));
	for (uint32_t k = w->log.n - 1; k > 0; k--) {
		const uint32_t other = (uint32_t)below(w, k + 1);
		const struct search_trial x = t[k];

		t[k] = t[other];
		t[other] = x;
	}
	for (uint32_t i = 0; i < w->cfg.n_goals; i++)
		check_result(w, i);
}

/* P1, P7, P10, P11, P12 on systems that misbehave. */
static void promises_hold_on_any_system(void **state)
{
	uint32_t n_end[SEARCH_END_N] = {0};

	(void)state;
	for (uint32_t n = 0; n < 5000; n++) {
		struct world w;

		world_init_wild(&w, n);
		assert_int_equal(search(&w), 0);
		check(&w, w.log.n > 0 || w.cfg.time_max_ns > 0);
		check(&w, w.log.n < 1000); /* all ends, and none of it by walking step by step */
		check(&w, w.cfg.time_max_ns == 0 ||
				  w.log.effective_ns <= w.cfg.time_max_ns + w.sut.overhead_ns);
		for (uint32_t k = 0; k < w.log.n; k++)
			check(&w, w.log.trial[k].load >= w.cfg.min_load &&
					  w.log.trial[k].load <= w.cfg.max_load);
		for (uint32_t i = 0; i < w.cfg.n_goals; i++) {
			check_result(&w, i);
			n_end[w.result[i].end]++;
		}
		check_strict(&w);
		if (w.log.n)
			check_order(&w);
		search_log_fini(&w.log);
	}
	/* Otherwise the systems were not wild enough. */
	assert_true(n_end[SEARCH_FOUND] > 1000 && n_end[SEARCH_MAX_LOAD] > 100 &&
		    n_end[SEARCH_MIN_LOAD] > 100 && n_end[SEARCH_TIME_MAX] > 100);
}

/* P2, P3, P13: a hard limit without a queue has known answers for any loss ratio. */
static void hard_limits_are_found(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 2000; n++) {
		struct world w;
		double c, one_frame;

		world_init(&w, n);
		w.cfg.goal[1].loss_ppb = (uint32_t)below(&w, PCT);
		c = (double)w.sut.rate;
		one_frame = 2 / c; /* in a second, of what the limit lets through, on either side */
		assert_int_equal(search(&w), 0);
		for (uint32_t i = 0; i < 2; i++) {
			const struct mlr_result *x = &w.result[i];
			const double loss = (double)w.cfg.goal[i].loss_ppb / MLR_PPB;
			const double edge = c / (1 - loss), room = loss > 0 ? one_frame : 0;

			if (edge >= w.cfg.max_load) /* PDR, with max load just above the limit */
				continue;
			check(&w, x->end == SEARCH_FOUND);
			check(&w, x->lower <= edge * (1 + room) && edge * (1 - room) < x->upper);
			check(&w, x->lower > (1 - W) * edge * (1 - room));
			check(&w, x->conditional <= c * (1 + one_frame));
			check(&w, x->conditional >= (1 - W) * c * (1 - one_frame));
		}
		check(&w, w.log.effective_ns <= 60 * S);
		search_log_fini(&w.log);
	}
}

/* P4: goals that differ in the loss ratio alone are in its order, whatever the trials. */
static void looser_goals_are_not_lower(void **state)
{
	static const uint32_t loss_ppb[] = {0, PCT / 100, PCT / 10, PCT * 4 / 10};

	(void)state;
	for (uint32_t n = 0; n < 500; n++) {
		struct world w;

		world_init_wild(&w, n);
		w.cfg.time_max_ns = 0;
		w.cfg.n_goals = ARRAY_SIZE(loss_ppb);
		w.cfg.goal[0].width_ppb = PCT / 2;
		for (uint32_t i = 0; i < ARRAY_SIZE(loss_ppb); i++) {
			w.cfg.goal[i] = w.cfg.goal[0];
			w.cfg.goal[i].loss_ppb = loss_ppb[i];
		}
		assert_int_equal(search(&w), 0);
		for (uint32_t i = 1; i < ARRAY_SIZE(loss_ppb); i++) {
			const struct mlr_result *a = &w.result[i - 1], *b = &w.result[i];

			check(&w, isnan(a->lower) || a->lower <= b->lower);
			check(&w, isnan(b->upper) || a->upper <= b->upper);
			/* All ratios are below the width of a step. */
			check(&w, isnan(a->conditional) || a->conditional <= b->conditional);
		}
		search_log_fini(&w.log);
	}
}

/* P5: neither the unit of loads nor the highest one moves an answer by more than the width. */
static void units_and_limits_do_not_matter(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 500; n++) {
		double lower[3][2];
		struct world w;

		world_init(&w, n);
		w.sut.queue = below(&w, w.sut.rate / 10);
		w.sut.slope_ppm = (uint32_t)below(&w, 4000);
		w.cfg.goal[0].loss_ppb = 4500000;
		w.cfg.max_load = (double)w.sut.rate * 1.5;
		for (uint32_t k = 0; k < 3; k++) {
			const uint64_t unit = k == 1 ? 10 : 1;

			w.sut.rate *= unit;
			w.sut.queue *= unit;
			w.cfg.min_load *= (double)unit;
			w.cfg.max_load *= k == 2 ? 2.7 : (double)unit;
			assert_int_equal(search(&w), 0);
			for (uint32_t i = 0; i < 2; i++) {
				check(&w, w.result[i].end == SEARCH_FOUND);
				lower[k][i] = w.result[i].lower / (double)unit;
			}
			w.sut.rate /= unit;
			w.sut.queue /= unit;
			w.cfg.min_load /= (double)unit;
			w.cfg.max_load /= (double)unit;
		}
		for (uint32_t i = 0; i < 2; i++)
			for (uint32_t k = 1; k < 3; k++)
				check(&w, fabs(lower[k][i] / lower[0][i] - 1) < W * 1.02);
		search_log_fini(&w.log);
	}
}

/* P6: evenly spread bad trials below the exceed ratio move nothing; above it every load fails. */
static void noise_matters_above_the_exceed_ratio(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 1000; n++) {
		double lower[2];
		struct world w;

		world_init(&w, n);
		assert_int_equal(search(&w), 0);
		lower[0] = w.result[0].lower;
		lower[1] = w.result[1].lower;
		w.sut.noise_every = 3 + (uint32_t)below(&w, 8);
		assert_int_equal(search(&w), 0);
		check(&w, w.result[0].lower == lower[0] && w.result[1].lower == lower[1]);

		w.sut.noise_every = 1 + (uint32_t)below(&w, 3);
		w.cfg.n_goals = 1;
		w.cfg.goal[0].exceed_ppb = 20 * PCT;
		assert_int_equal(search(&w), 0);
		check(&w, w.result[0].end == SEARCH_MIN_LOAD && isnan(w.result[0].lower));
		search_log_fini(&w.log);
	}
}

/* P9: a load that fails below ones that pass keeps the answer below it. */
static void inversion_is_answered_from_below(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 500; n++) {
		struct world w;

		/* The first load after the highest, what that let through, is in the bad range. */
		world_init(&w, n);
		w.sut.inversion = (uint64_t)((double)w.sut.rate * spread(&w, 0.97, 1));
		assert_int_equal(search(&w), 0);
		for (uint32_t i = 0; i < 2; i++) {
			check(&w, w.result[i].end == SEARCH_FOUND);
			check(&w, w.result[i].lower < (double)w.sut.inversion * 0.95);
		}
		search_log_fini(&w.log);
	}
}

/* P10 */
static void limits_are_told(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 500; n++) {
		struct world w;

		world_init(&w, n);
		w.cfg.max_load = (double)w.sut.rate;
		assert_int_equal(search(&w), 0);
		check(&w, w.result[0].end == SEARCH_MAX_LOAD && isnan(w.result[0].upper));
		check(&w, w.result[0].lower == w.cfg.max_load);
		check(&w, w.log.n == 11);

		w.cfg.min_load = (double)w.sut.rate * 1.1;
		w.cfg.max_load = (double)w.sut.rate * 2;
		assert_int_equal(search(&w), 0);
		check(&w, w.result[0].end == SEARCH_MIN_LOAD && isnan(w.result[0].lower));
		check(&w, w.result[0].upper == w.cfg.min_load && isnan(w.result[0].conditional));

		w.cfg.min_load = w.cfg.max_load; /* nothing to choose from */
		assert_int_equal(search(&w), 0);
		check(&w, w.result[0].end == SEARCH_MIN_LOAD && w.log.n == 11);
		search_log_fini(&w.log);
	}
}

/* {60 s, 60 s, 0, 0} is RFC 2544's throughput: a load passes by one whole trial without loss. */
static void rfc2544_is_a_goal(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 500; n++) {
		struct world w;

		world_init_wild(&w, n);
		w.sut.slope_ppm = 0;
		w.cfg.time_max_ns = 0;
		w.cfg.n_goals = 1;
		w.cfg.goal[0] = mlr_goal_rfc2544;
		assert_int_equal(search(&w), 0);
		check(&w, same(w.result[0].conditional, w.result[0].lower));
		check_result(&w, 0);
		search_log_fini(&w.log);
	}
}

/* Time and trials run out, and a trial fails: each goal still has a result that says so. */
static void searches_are_cut_short(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1);
	w.cfg.time_max_ns = 20 * S;
	assert_int_equal(search(&w), 0);
	assert_int_equal(w.log.n, 20);
	assert_int_equal(w.result[0].end, SEARCH_TIME_MAX);
	assert_int_equal(w.result[1].end, SEARCH_TIME_MAX);

	w.cfg.time_max_ns = S - 1; /* not even one */
	assert_int_equal(search(&w), 0);
	assert_int_equal(w.log.n, 0);
	assert_int_equal(w.result[0].end, SEARCH_TIME_MAX);

	/* A goal whose trials are too long by then keeps no other from its answer. */
	w.cfg.time_max_ns = 60 * S;
	w.cfg.goal[1] = mlr_goal_rfc2544;
	assert_int_equal(search(&w), 0);
	assert_int_equal(w.result[0].end, SEARCH_FOUND);
	assert_int_equal(w.result[1].end, SEARCH_TIME_MAX);

	w.cfg.goal[1] = mlr_goal_pdr;
	w.cfg.time_max_ns = 0;
	w.cfg.trials_max = 5;
	assert_int_equal(search(&w), 0);
	assert_int_equal(w.log.n, 5);
	assert_int_equal(w.result[0].end, SEARCH_TRIALS_MAX);

	w.cfg.trials_max = 0;
	w.fail_at = 30;
	assert_int_equal(search(&w), -EIO);
	assert_int_equal(w.log.n, 29);
	assert_int_equal(w.result[0].end, SEARCH_FOUND); /* it had all it needed by then */
	assert_int_equal(w.result[1].end, SEARCH_STOPPED);
	search_log_fini(&w.log);
}

static void nonsense_is_refused(void **state)
{
	static const struct {
		double min_load, max_load;
		struct mlr_goal goal;
	} rows[] = {
		{0, 1, {.final_ns = S, .sum_ns = S, .initial_ns = S}},
		{2, 1, {.final_ns = S, .sum_ns = S, .initial_ns = S}},
		{1, INFINITY, {.final_ns = S, .sum_ns = S, .initial_ns = S}},
		{NAN, 1, {.final_ns = S, .sum_ns = S, .initial_ns = S}},
		{0.5, 1, {.final_ns = S, .sum_ns = S, .initial_ns = S}}, /* no whole frame */
		{1, 2, {.final_ns = S, .sum_ns = S, .initial_ns = 2 * S}},
		{1, 2, {.final_ns = S, .sum_ns = 0, .initial_ns = S}},
		{1, 2, {.final_ns = S, .sum_ns = S, .initial_ns = S, .loss_ppb = MLR_PPB}},
		{1, 2, {.final_ns = S, .sum_ns = S, .initial_ns = S, .exceed_ppb = MLR_PPB}},
		{1, 2, {.final_ns = S, .sum_ns = S, .initial_ns = S, .width_ppb = MLR_PPB}},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w = {.sut = sut_cfg_default, .number = i};

		w.cfg = (struct mlr_cfg){.min_load = rows[i].min_load,
			.max_load = rows[i].max_load,
			.n_goals = 1,
			.goal = {rows[i].goal}};
		check(&w, search(&w) == -EINVAL && w.log.n == 0);
	}
}

/* N of CSIT's rule, computed outside: a width of 0.5 % is one step. */
static void grid_matches_table(void **state)
{
	static const struct {
		double min_load, max_load;
		uint64_t n_steps;
		double load_1;
	} rows[] = {
		{9001, 14880952, 1479, 9046.212514},
		{1, 1e6, 2757, 1.0050236430},
		{9001, 1e9, 2318, 9046.227655},
		{5, 5, 0, NAN},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct mlr_cfg cfg = {.min_load = rows[i].min_load,
			.max_load = rows[i].max_load,
			.n_goals = 1,
			.goal = {mlr_goal_ndr}};
		struct mlr_grid g;

		mlr_grid_init(&g, &cfg);
		assert_int_equal(g.n_steps, rows[i].n_steps);
		assert_int_equal(mlr_grid_width(&g, mlr_goal_ndr.width_ppb), 1);
		assert_true(mlr_grid_load(&g, g.n_steps) == cfg.max_load);
		if (g.n_steps)
			assert_true(fabs(mlr_grid_load(&g, 1) / rows[i].load_1 - 1) < 1e-7);
		for (uint64_t k = 0; k <= g.n_steps; k++) {
			const double load = mlr_grid_load(&g, k);

			assert_int_equal(mlr_grid_floor(&g, load), k);
			assert_int_equal(mlr_grid_floor(&g, nextafter(load, 0)), k ? k - 1 : 0);
		}
	}
}

/* The exact course on CSIT's setting: a change here is a change of how loads are selected. */
static void reference_course(void **state)
{
	static const struct {
		const char *sut;
		uint32_t n_trials;
	} rows[] = {
		{"rate=1e6", 35},
		{"rate=1e6,noise-every=3", 136},
		{"rate=1e6,overhead=500ms", 25},
		{"rate=1e6,slope=0.4%", 71},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w = {.number = i};
		struct err e = {0};

		assert_int_equal(sut_parse(&w.sut, rows[i].sut, &e), 0);
		w.cfg = (struct mlr_cfg){.min_load = 9001,
			.max_load = 14880952,
			.n_goals = 2,
			.goal = {mlr_goal_ndr, mlr_goal_pdr}};
		assert_int_equal(search(&w), 0);
		assert_int_equal(w.log.n, rows[i].n_trials);
		search_log_fini(&w.log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promises_hold_on_any_system),
		cmocka_unit_test(hard_limits_are_found),
		cmocka_unit_test(looser_goals_are_not_lower),
		cmocka_unit_test(units_and_limits_do_not_matter),
		cmocka_unit_test(noise_matters_above_the_exceed_ratio),
		cmocka_unit_test(inversion_is_answered_from_below),
		cmocka_unit_test(limits_are_told),
		cmocka_unit_test(rfc2544_is_a_goal),
		cmocka_unit_test(searches_are_cut_short),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(grid_matches_table),
		cmocka_unit_test(reference_course),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
