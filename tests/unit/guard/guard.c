/* From bills to quotas, on directories that look like cgroups: who is touched, and how. */
#include "guard/guard.h"

#include "base/str.h"
#include "fake.h"
#include "guard/price.h"
#include "guard/record.h"

#include <errno.h>
#include <math.h>
#include <signal.h>

#define STEP_NS  (100 * NSEC_PER_MSEC)
#define MAX_ROWS 4

/* Bills that the test writes. */
struct made {
	struct bill bill;
	struct bill_row row[MAX_ROWS];
	struct softirq_cpu cpu;
};

static int made_bill(void *ctx, const struct bill **ret, struct err *e)
{
	struct made *m = ctx;

	(void)e;
	m->bill.from_ns = m->bill.to_ns;
	m->bill.to_ns += STEP_NS;
	m->bill.row = m->row;
	m->bill.cpu = &m->cpu;
	*ret = &m->bill;
	return 0;
}

static struct bill_row *add_row(struct made *m, uint32_t owner, const char *name, const char *dir)
{
	struct bill_row *x = &m->row[m->bill.n_rows++];

	*x = (struct bill_row){.owner = owner, .process_known = true};
	x->who.kind = CONTAINER_DOCKER;
	snprintf(x->who.name, sizeof(x->who.name), "%s", name);
	snprintf(x->who.cgroup, sizeof(x->who.cgroup), "/%s", name);
	x->who.cgroup_id = dir ? fake_id(dir) : 0;
	return x;
}

struct scene {
	struct fake fake;
	struct made made;
	struct guard_cfg cfg;
	struct guard_rules rules;
	struct guard_source source;
	struct guard_state *state;
	const struct guard_drop_ops *drop;
	void *drop_ctx;
	struct guard *guard;
};

static void scene_open(struct scene *s, const char *rules)
{
	struct guard_args args = {.cfg = &s->cfg,
		.rules = &s->rules,
		.source = &s->source,
		.drop = s->drop,
		.drop_ctx = s->drop_ctx,
		.cpu_root = s->fake.top};
	struct err e = {0};

	s->made.bill.to_ns = 5 * NSEC_PER_SEC;
	s->made.bill.n_cpus = 1;
	s->cfg = guard_cfg_default;
	s->source = (struct guard_source){.ctx = &s->made, .bill = made_bill};
	assert_int_equal(guard_rules_add_list(&s->rules, rules, &e), 0);
	assert_int_equal(guard_state_open(&s->state, s->fake.state, NULL, &e), 0);
	args.state = s->state;
	s->guard = guard_new(&args);
}

static void scene_close(struct scene *s)
{
	struct err e = {0};

	guard_freep(&s->guard);
	if (guard_state_close(s->state, &e) < 0)
		fail_msg("%s", e.text);
	guard_rules_fini(&s->rules);
	fake_fini(&s->fake);
}

static void steps(struct scene *s, int n)
{
	struct err e = {0};

	for (int i = 0; i < n; i++)
		if (guard_step(s->guard, &e) < 0)
			fail_msg("%s", e.text);
}

/* The row of that name in a report, which is forgotten. */
static struct guard_row report_of(struct scene *s, const char *name)
{
	_cleanup_(guard_report_fini) struct guard_report r = {0};

	guard_take(s->guard, &r);
	for (uint32_t i = 0; i < r.n; i++)
		if (strcmp(r.row[i].who.name, name) == 0)
			return r.row[i];
	fail_msg("no row of %s", name);
	return (struct guard_row){0};
}

static void payer_pays_and_victim_gains(void **state)
{
	char payer[FAKE_PATH], victim[FAKE_PATH], watched[FAKE_PATH];
	struct scene s = {0};
	struct bill_row *x;
	struct guard_row row;

	(void)state;
	fake_init(&s.fake);
	fake_cgroup(&s.fake, "payer", 40000, 100000, payer);
	fake_cgroup(&s.fake, "victim", 40000, 100000, victim);
	fake_cgroup(&s.fake, "watched", 40000, 100000, watched);
	scene_open(&s, "payer:charge;victim:charge");
	x = add_row(&s.made, 2, "payer", payer);
	x->softirq_ns = x->soft.rx_ns = STEP_NS / 10;
	x->process_ns = STEP_NS * 3 / 10;
	x = add_row(&s.made, 3, "victim", victim);
	x->soft.gained_ns = STEP_NS / 10;
	x->process_ns = STEP_NS * 4 / 10;
	x = add_row(&s.made, 4, "watched", watched);
	x->softirq_ns = x->soft.rx_ns = STEP_NS / 10;
	steps(&s, 1);
	assert_quota(payer, 8000, 20000);
	steps(&s, 50);
	assert_quota(watched, 40000, 100000);
	row = report_of(&s, "watched");
	assert_false(row.guarded);
	assert_int_equal(row.charged_ns, 51 * (STEP_NS / 10));
	row = report_of(&s, "payer");
	assert_true(row.guarded);
	assert_true(fabs(row.budget_cpus - 0.4) < 0.001);
	/* 0.4 - 0.1 and 0.4 + 0.1, to what is not worth a write. */
	assert_true(fabs(row.quota_cpus / 0.3 - 1) < 0.04);
	row = report_of(&s, "victim");
	assert_true(fabs(row.quota_cpus / 0.5 - 1) < 0.04);
	guard_free(take_ptr(s.guard));
	assert_quota(payer, 40000, 100000);
	assert_quota(victim, 40000, 100000);
	fake_remove(payer);
	fake_remove(victim);
	fake_remove(watched);
	scene_close(&s);
}

static void nothing_to_charge_against(void **state)
{
	char dir[FAKE_PATH];
	struct scene s = {0};
	struct guard_row row;

	(void)state;
	fake_init(&s.fake);
	fake_cgroup(&s.fake, "a", CPUQUOTA_NONE, 100000, dir);
	scene_open(&s, "a:charge;b:charge;v2:charge");
	add_row(&s.made, 2, "a", dir);
	add_row(&s.made, 3, "b", NULL)->who.cgroup[0] = '\0';
	add_row(&s.made, 4, "v2", NULL);
	steps(&s, 1);
	row = report_of(&s, "a");
	assert_false(row.guarded);
	assert_true(isnan(row.quota_cpus));
	assert_non_null(strstr(row.why, "nothing to charge against"));
	assert_quota(dir, CPUQUOTA_NONE, 100000);
	steps(&s, 11);
	assert_string_equal(report_of(&s, "b").why, "it has no cgroup of its own");
	steps(&s, 11);
	assert_string_equal(report_of(&s, "v2").why, "it has no cgroup of its own");
	/* It is given one. */
	set_quota(dir, 50000, 100000);
	steps(&s, 15);
	assert_true(report_of(&s, "a").guarded);
	assert_quota(dir, 10000, 20000);
	fake_remove(dir);
	scene_close(&s);
}

static void budget_of_a_rule(void **state)
{
	char none[FAKE_PATH], more[FAKE_PATH], small[FAKE_PATH];
	struct scene s = {0};

	(void)state;
	fake_init(&s.fake);
	fake_cgroup(&s.fake, "none", CPUQUOTA_NONE, 100000, none);
	fake_cgroup(&s.fake, "more", 20000, 100000, more);
	fake_cgroup(&s.fake, "small", 3000, 100000, small);
	scene_open(&s, "none:charge,cpus=0.5;more:charge,cpus=0.9;small:charge");
	add_row(&s.made, 2, "none", none);
	add_row(&s.made, 3, "more", more);
	add_row(&s.made, 4, "small", small);
	steps(&s, 1);
	assert_quota(none, 10000, 20000);
	assert_quota(more, 4000, 20000);
	/* Of 0.03 a period of 20 ms is 600 us, less than the kernel takes. */
	assert_quota(small, 2000, 66667);
	guard_free(take_ptr(s.guard));
	assert_quota(none, CPUQUOTA_NONE, 100000);
	fake_remove(none);
	fake_remove(more);
	fake_remove(small);
	scene_close(&s);
}

/* It may have later what it fell short of while it was throttled: under guard, not before. */
static void throttled_while_guarded(void **state)
{
	char dir[FAKE_PATH];
	struct scene s = {0};

	(void)state;
	fake_init(&s.fake);
	fake_cgroup(&s.fake, "a", 20000, 100000, dir);
	fake_put(dir, "cpu.stat", "nr_periods 9\nnr_throttled 5\n");
	scene_open(&s, "a:charge");
	add_row(&s.made, 2, "a", dir);
	steps(&s, 5);
	assert_quota(dir, 4000, 20000);
	fake_put(dir, "cpu.stat", "nr_periods 10\nnr_throttled 6\n");
	steps(&s, 1);
	assert_true(report_of(&s, "a").quota_cpus > 0.2);
	guard_free(take_ptr(s.guard));
	assert_quota(dir, 20000, 100000);
	fake_remove(dir);
	scene_close(&s);
}

static void ends_and_numbers_come_again(void **state)
{
	char dir[FAKE_PATH], next[FAKE_PATH];
	struct scene s = {0};
	struct bill_row *x;

	(void)state;
	fake_init(&s.fake);
	fake_cgroup(&s.fake, "a", 20000, 100000, dir);
	fake_cgroup(&s.fake, "b", 30000, 100000, next);
	scene_open(&s, "a:charge;b:charge");
	x = add_row(&s.made, 2, "a", dir);
	steps(&s, 1);
	assert_quota(dir, 4000, 20000);
	x->is_gone = true;
	steps(&s, 1);
	assert_quota(dir, 20000, 100000);
	assert_true(report_of(&s, "a").gone);
	/* The same number, another container. */
	s.made.bill.n_rows = 0;
	add_row(&s.made, 2, "b", next);
	steps(&s, 1);
	assert_quota(next, 6000, 20000);
	/* Gone with its directory, and its row with it. */
	s.made.bill.n_rows = 0;
	fake_remove(next);
	steps(&s, 1);
	assert_true(report_of(&s, "b").gone);
	fake_remove(dir);
	scene_close(&s);
}

/* It has been noted by the time the old one, of the same path, is found to be gone. */
static void another_of_the_same_path(void **state)
{
	char dir[FAKE_PATH], next[FAKE_PATH];
	struct scene s = {0};

	(void)state;
	fake_init(&s.fake);
	fake_cgroup(&s.fake, "a", 20000, 100000, dir);
	fake_cgroup(&s.fake, "next", 30000, 100000, next);
	scene_open(&s, "a:charge");
	add_row(&s.made, 2, "a", dir);
	steps(&s, 1);
	fake_remove(dir);
	assert_int_equal(rename(next, dir), 0);
	s.made.bill.n_rows = 0;
	add_row(&s.made, 3, "a", dir);
	steps(&s, 1);
	assert_quota(dir, 6000, 20000);
	assert_int_equal(guard_state_noted(s.state, 0)->was.quota_us, 30000);
	assert_null(guard_state_noted(s.state, 1));
	guard_free(take_ptr(s.guard));
	assert_quota(dir, 30000, 100000);
	fake_remove(dir);
	scene_close(&s);
}

static void somebody_else_sets_a_quota(void **state)
{
	char dir[FAKE_PATH];
	struct scene s = {0};
	struct guard_row row;
	struct bill_row *x;

	(void)state;
	fake_init(&s.fake);
	fake_cgroup(&s.fake, "a", 20000, 100000, dir);
	scene_open(&s, "a:charge");
	x = add_row(&s.made, 2, "a", dir);
	steps(&s, 1);
	set_quota(dir, 60000, 100000);
	x->softirq_ns = x->soft.rx_ns = STEP_NS / 20;
	steps(&s, 2);
	row = report_of(&s, "a");
	assert_int_equal(row.changes, 1);
	assert_true(fabs(row.budget_cpus - 0.6) < 0.001);
	guard_free(take_ptr(s.guard));
	assert_quota(dir, 60000, 100000);
	fake_remove(dir);
	scene_close(&s);
}

/* Interrupts count from one report to the next; they are too many only of who is dropped. */
static void interrupts_are_counted(void **state)
{
	char dir[FAKE_PATH];
	struct scene s = {0};
	struct guard_row row;
	struct bill_row *x;

	(void)state;
	fake_init(&s.fake);
	fake_cgroup(&s.fake, "a", 40000, 100000, dir);
	scene_open(&s, "");
	x = add_row(&s.made, 2, "a", dir);
	x->soft.irqs = 2001;
	x->soft.drop_pkts = 1;
	steps(&s, 10);
	row = report_of(&s, "a");
	assert_int_equal(row.irqs, 20010);
	assert_true(guard_row_floods(&row, NSEC_PER_SEC));
	assert_false(guard_row_floods(&row, NSEC_PER_SEC + NSEC_PER_MSEC));
	row.dropped_pkts = 0;
	assert_false(guard_row_floods(&row, NSEC_PER_SEC));
	steps(&s, 1);
	assert_int_equal(report_of(&s, "a").irqs, 2001);
	fake_remove(dir);
	scene_close(&s);
}

/* Own time, and that of interrupts in it, is in the quota already. */
static void prices(void **state)
{
	struct bill_row row[] = {
		{.softirq_ns = 1000000, .soft = {.own_ns = 250000, .irqs = 100, .irqs_own = 25}},
		{.soft = {.gained_ns = 500000, .irqs_gained = 50, .thread_ns = 7}},
	};
	struct price p = {.irq_ns = 1000};

	(void)state;
	assert_int_equal(price_charged(&p, &row[0], 1000), 750000 + 75000);
	assert_int_equal(price_charged(&p, &row[1], 1000), 7);
	assert_int_equal(price_credited(&p, &row[1]), 500000 + 50000);
	p = (struct price){0};
	assert_int_equal(price_charged(&p, &row[0], 0), 750000);
	assert_int_equal(price_credited(&p, &row[1]), 500000);
	p = (struct price){.irq_time = true, .irq_ns = 1000};
	assert_int_equal(price_charged(&p, &row[0], 1000), 1000000 + 100000);
	assert_int_equal(price_credited(&p, &row[1]), 0);
}

/* What early drop is told, in its order. */
struct told {
	char text[400];
	const char *why;
};

static void told_see(void *ctx, uint32_t owner, const struct container *who)
{
	struct told *t = ctx;

	str_addf(t->text, sizeof(t->text), who ? "see %u %s %u;" : "gone %u;", owner,
		who ? who->name : "", who ? who->n_devs : 0);
}

static int told_add(void *ctx, uint32_t owner, const struct guard_rule *rule, double budget,
	struct err *e)
{
	struct told *t = ctx;

	(void)e;
	str_addf(t->text, sizeof(t->text), "add %u %s %.1f;", owner, rule->who, budget);
	return 0;
}

static void told_remove(void *ctx, uint32_t owner)
{
	struct told *t = ctx;

	str_addf(t->text, sizeof(t->text), "remove %u;", owner);
}

static void told_beat(void *ctx)
{
	struct told *t = ctx;

	str_addf(t->text, sizeof(t->text), "beat;");
}

static const char *told_why(const void *ctx, uint32_t owner)
{
	const struct told *t = ctx;

	assert_int_equal(owner, 2);
	return t->why;
}

static const struct guard_drop_ops told_ops = {
	.see = told_see,
	.add = told_add,
	.remove = told_remove,
	.beat = told_beat,
	.why = told_why,
};

/* Early drop sees all containers, each step as they are then, and says what it can't do. */
static void drop_is_told_of_all(void **state)
{
	char payer[FAKE_PATH], watched[FAKE_PATH];
	struct told told = {.why = "because"};
	struct scene s = {.drop = &told_ops, .drop_ctx = &told};
	struct bill_row *x;

	(void)state;
	fake_init(&s.fake);
	fake_cgroup(&s.fake, "payer", 40000, 100000, payer);
	fake_cgroup(&s.fake, "watched", 40000, 100000, watched);
	scene_open(&s, "payer:charge+drop");
	x = add_row(&s.made, 2, "payer", payer);
	(void)add_row(&s.made, 3, "watched", watched);
	steps(&s, 1);
	assert_string_equal(told.text, "see 2 payer 0;add 2 payer 0.4;see 3 watched 0;beat;");
	assert_string_equal(report_of(&s, "payer").why, "because");
	assert_string_equal(report_of(&s, "watched").why, "");
	told = (struct told){.why = ""};
	x->who.n_devs = 1;
	steps(&s, 1);
	assert_string_equal(told.text, "see 2 payer 1;see 3 watched 0;beat;");
	assert_string_equal(report_of(&s, "payer").why, "");
	told = (struct told){.why = ""};
	x->is_gone = true;
	s.made.bill.n_rows = 1;
	steps(&s, 1);
	assert_string_equal(told.text, "remove 2;gone 2;gone 3;beat;");
	fake_remove(payer);
	fake_remove(watched);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payer_pays_and_victim_gains),
		cmocka_unit_test(nothing_to_charge_against),
		cmocka_unit_test(budget_of_a_rule),
		cmocka_unit_test(throttled_while_guarded),
		cmocka_unit_test(ends_and_numbers_come_again),
		cmocka_unit_test(another_of_the_same_path),
		cmocka_unit_test(somebody_else_sets_a_quota),
		cmocka_unit_test(interrupts_are_counted),
		cmocka_unit_test(prices),
		cmocka_unit_test(drop_is_told_of_all),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
