/*
 * The control law against a cgroup as the kernel has it: quota handed out each period, and at each
 * write once more; throttled only when a tick finds it used up.
 */
#include "guard/control.h"

#include "base/macro.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS          NSEC_PER_MSEC
#define TICK_NS     (250 * NSEC_PER_USEC)
#define PERIOD_US   20000
#define LONG_RUN_MS 30000
#define N_RUNS      100

/* xorshift64: the same runs everywhere. */
static uint64_t random_state;

static double random_01(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (double)(random_state >> 11) / (double)(1ULL << 53);
}

static double random_in(double low, double high)
{
	return low + (high - low) * random_01();
}

struct cgroup {
	uint64_t now_ns, next_period_ns;
	uint64_t period_ns, quota_ns;
	double left_ns;
	bool throttled; /* since it was looked at */
};

static void cgroup_write(struct cgroup *g, uint64_t quota_us)
{
	g->quota_ns = quota_us * NSEC_PER_USEC;
	g->left_ns = (double)g->quota_ns;
}

static struct cgroup cgroup_new(uint64_t quota_us, uint64_t period_us)
{
	struct cgroup g = {.period_ns = period_us * NSEC_PER_USEC};

	g.next_period_ns = g.period_ns;
	cgroup_write(&g, quota_us);
	return g;
}

/* Return: CPU time that it had in a tick, if it wants it all; @free: nobody else has the CPU. */
static uint64_t cgroup_tick(struct cgroup *g, bool wants, bool free)
{
	uint64_t used = 0;

	if (g->now_ns >= g->next_period_ns) {
		/* What was used too much is owed to the next period. */
		g->left_ns = fmin(g->left_ns, 0) + (double)g->quota_ns;
		g->next_period_ns += g->period_ns;
	}
	if (wants && free && g->left_ns > 0)
		used = TICK_NS;
	if (wants && g->left_ns <= 0)
		g->throttled = true;
	g->left_ns -= (double)used;
	g->now_ns += TICK_NS;
	return used;
}

/* What happens to it; each phase is drawn anew. */
struct weather {
	double gained;  /* of its own time, taken by others' softirqs */
	double charged; /* CPU time per time, elsewhere */
	double most_gained, most_charged;
	uint64_t until_ns;
	bool wants;
	/* Others have the CPU at the begin of each @every_ns. */
	uint64_t burst_ns, every_ns;
};

static bool is_free(const struct weather *w, uint64_t now_ns)
{
	return !w->every_ns || now_ns % w->every_ns >= w->burst_ns;
}

static void weather_turn(struct weather *w, uint64_t now_ns)
{
	if (now_ns < w->until_ns)
		return;
	w->until_ns = now_ns + (uint64_t)random_in(5 * MS, 3000 * MS);
	w->gained = random_01() < 0.3 ? 0 : random_in(0, w->most_gained);
	w->charged = random_01() < 0.3 ? 0 : random_in(0, w->most_charged);
}

struct sums {
	double process, gained, charged, t_ns;
	uint64_t writes;
};

/* Steps that come late now and then. */
static struct sums run(struct control *c, struct cgroup *g, struct weather *w, uint64_t step_ns,
	uint64_t for_ns)
{
	const uint64_t begin_ns = g->now_ns;
	struct sums all = {0};
	double process = 0, gained = 0, charged = 0;
	uint64_t last_ns = begin_ns, last_write_ns = c->written_ns;
	uint64_t next_ns = begin_ns + step_ns;

	while (g->now_ns < begin_ns + for_ns) {
		uint64_t used, quota_us;

		weather_turn(w, g->now_ns);
		used = cgroup_tick(g, w->wants, is_free(w, g->now_ns));
		process += (double)used;
		gained += (double)used * w->gained;
		charged += w->charged * (double)TICK_NS;
		if (g->now_ns < next_ns)
			continue;
		const struct control_reading x = {.at_ns = g->now_ns,
			.dt_ns = g->now_ns - last_ns,
			.process_ns = (uint64_t)process,
			.credited_ns = (uint64_t)gained,
			.charged_ns = (uint64_t)charged,
			.throttled = g->throttled};

		g->throttled = false;
		all.process += process;
		all.gained += gained;
		all.charged += charged;
		process = gained = charged = 0;
		last_ns = g->now_ns;
		next_ns = g->now_ns + (uint64_t)((double)step_ns * random_in(0.9, 1.3));
		if (!control_step(c, &x, &quota_us))
			continue;
		assert_true(quota_us >= c->cfg.floor_us);
		assert_true(g->now_ns - last_write_ns >= 100 * MS || last_write_ns == 0);
		if (c->credited == 0 && c->debt_ns >= -c->cfg.budget * PERIOD_US * NSEC_PER_USEC)
			assert_true((double)quota_us <= c->cfg.budget * PERIOD_US);
		last_write_ns = g->now_ns;
		cgroup_write(g, quota_us);
		control_wrote(c, quota_us, g->now_ns);
		all.writes++;
	}
	all.t_ns = (double)(last_ns - begin_ns);
	return all;
}

static void start(struct control *c, struct cgroup *g, double budget)
{
	const struct control_cfg cfg = {.budget = budget,
		.ceiling = INFINITY,
		.period_us = PERIOD_US,
		.floor_us = 1000};

	control_init(c, &cfg);
	*g = cgroup_new(c->quota_us, PERIOD_US);
}

/* The trap itself, so that what follows is about a cgroup that has it. */
static void writes_refill(void **state)
{
	struct cgroup g = cgroup_new(20000, 100000);
	double used = 0;

	(void)state;
	while (g.now_ns < 10000 * MS) {
		if (g.now_ns % (50 * MS) == 0)
			cgroup_write(&g, 20000);
		used += (double)cgroup_tick(&g, true, true);
	}
	assert_true(used / (double)g.now_ns > 0.3);
}

/* What it has of its own is its budget, whatever others take in its time. */
static void victim_has_its_due(void **state)
{
	(void)state;
	random_state = 88172645463325252ULL;
	for (int i = 0; i < N_RUNS; i++) {
		struct weather w = {.wants = true, .most_gained = random_in(0, 0.5)};
		const double budget = random_in(0.1, 0.5);
		const uint64_t step_ns = (uint64_t)random_in(10 * MS, 100 * MS);
		struct control c;
		struct cgroup g;
		struct sums s;

		start(&c, &g, budget);
		s = run(&c, &g, &w, step_ns, LONG_RUN_MS * MS);
		if (fabs((s.process - s.gained) / (budget * s.t_ns) - 1) > 0.05)
			fail_msg("run %d: %.4f of %.4f, gained %.4f, steps of %.0f ms, %.0f writes",
				i, (s.process - s.gained) / s.t_ns, budget, s.gained / s.t_ns,
				(double)step_ns / 1e6, (double)s.writes);
	}
}

/* What is done for it elsewhere is its own, too: both together are its budget. */
static void payer_pays(void **state)
{
	(void)state;
	random_state = 1181783497276652981ULL;
	for (int i = 0; i < N_RUNS; i++) {
		const double budget = random_in(0.2, 0.8);
		struct weather w = {.wants = true,
			.most_gained = random_in(0, 0.3),
			.most_charged = random_in(0, budget - 0.1)};
		struct control c;
		struct cgroup g;
		struct sums s;

		start(&c, &g, budget);
		s = run(&c, &g, &w, 100 * MS, LONG_RUN_MS * MS);
		if (fabs((s.process - s.gained + s.charged) / (budget * s.t_ns) - 1) > 0.05)
			fail_msg("run %d: %.4f of %.4f, charged %.4f", i,
				(s.process - s.gained + s.charged) / s.t_ns, budget,
				s.charged / s.t_ns);
	}
}

static void assert_share(const struct sums *s, double want)
{
	assert_true(fabs(s->process / s->t_ns / want - 1) < 0.05);
}

/* Nothing taken, nothing given: nothing is written, and it has what it would have had. */
static void calm_is_left_alone(void **state)
{
	struct weather w = {.wants = true, .until_ns = UINT64_MAX};
	struct control c;
	struct cgroup g;
	struct sums s;

	(void)state;
	random_state = 7;
	start(&c, &g, 0.2);
	s = run(&c, &g, &w, 100 * MS, LONG_RUN_MS * MS);
	assert_true(s.writes <= 3);
	assert_share(&s, 0.2);
}

/* Charged with more than it has: the floor is left to it, and soon after the flood all of it. */
static void flooded_and_over(void **state)
{
	struct weather w = {.wants = true, .charged = 1.5, .until_ns = UINT64_MAX};
	struct control c;
	struct cgroup g;
	struct sums s;

	(void)state;
	random_state = 7;
	start(&c, &g, 0.2);
	(void)run(&c, &g, &w, 100 * MS, 10000 * MS);
	assert_int_equal(c.quota_us, c.cfg.floor_us);
	w.charged = 0;
	(void)run(&c, &g, &w, 100 * MS, 6000 * MS);
	s = run(&c, &g, &w, 100 * MS, 4000 * MS);
	assert_share(&s, 0.2);
}

/* Time that it did not use is not had later, and neither is what was given back meanwhile. */
static void nothing_is_saved_up(void **state)
{
	struct weather w = {.wants = true, .gained = 0.5, .until_ns = UINT64_MAX};
	struct control c;
	struct cgroup g;
	struct sums s;

	(void)state;
	random_state = 7;
	start(&c, &g, 0.2);
	(void)run(&c, &g, &w, 100 * MS, 5000 * MS);
	w.wants = false;
	w.gained = 0;
	(void)run(&c, &g, &w, 100 * MS, 10000 * MS);
	assert_int_equal(c.quota_us, 4000);
	w.wants = true;
	s = run(&c, &g, &w, 100 * MS, 1000 * MS);
	assert_true(s.process <= 0.2 * s.t_ns + 2 * 4 * MS);
}

/* A burst of others that takes half of every other period is no loss in the end. */
static void bursts_are_made_up_for(void **state)
{
	struct weather w = {.wants = true,
		.until_ns = UINT64_MAX,
		.burst_ns = 10 * MS,
		.every_ns = 40 * MS};
	struct control c;
	struct cgroup g;
	struct sums s;

	(void)state;
	random_state = 7;
	start(&c, &g, 0.6);
	(void)run(&c, &g, &w, 100 * MS, 3000 * MS);
	s = run(&c, &g, &w, 100 * MS, LONG_RUN_MS * MS);
	if (fabs(s.process / (0.6 * s.t_ns) - 1) > 0.03)
		fail_msg("%.4f of 0.6", s.process / s.t_ns);
	/* Every other period is lost, and one is no longer: that is not asked for without end. */
	w.burst_ns = 20 * MS;
	(void)run(&c, &g, &w, 100 * MS, LONG_RUN_MS * MS);
	assert_true(c.debt_ns < -0.1 * 0.6 * NSEC_PER_SEC);
	assert_in_range(c.quota_us, 12000, 17000);
}

/* A ceiling holds, whatever is to be given back. */
static void ceiling_holds(void **state)
{
	struct weather w = {.wants = true, .gained = 0.5, .until_ns = UINT64_MAX};
	struct control c;
	struct cgroup g;

	(void)state;
	random_state = 7;
	start(&c, &g, 0.2);
	c.cfg.ceiling = 0.25;
	(void)run(&c, &g, &w, 100 * MS, 5000 * MS);
	assert_in_range(c.quota_us, 4000, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_refill),
		cmocka_unit_test(victim_has_its_due),
		cmocka_unit_test(payer_pays),
		cmocka_unit_test(calm_is_left_alone),
		cmocka_unit_test(flooded_and_over),
		cmocka_unit_test(nothing_is_saved_up),
		cmocka_unit_test(bursts_are_made_up_for),
		cmocka_unit_test(ceiling_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
