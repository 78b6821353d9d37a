#include "method/penalty.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "method/penalty_priv.h"
#include "sys/affinity.h"
#include "sys/caps.h"
#include "sys/file.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

/* What a trial takes besides its times: processes, sockets, programs. */
#define START_NS (50 * NSEC_PER_MSEC)

static bool among(uint32_t cpu, const uint32_t *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (list[i] == cpu)
			return true;
	return false;
}

/* The first or the last that is not @other. */
static uint32_t another(const uint32_t *cpu, uint32_t n, bool last, bool avoid, uint32_t other)
{
	const uint32_t at = last ? n - 1 : 0, next = last ? n - 2 : 1;

	return avoid && cpu[at] == other ? cpu[next] : cpu[at];
}

static int choose_cpus(struct penalty *p, struct err *e)
{
	uint32_t cpu[AFFINITY_MAX_CPUS];
	const uint32_t n = affinity_allowed(cpu);

	if (n < 2)
		return err_say(e, EOPNOTSUPP,
			"there is one CPU only: containers and the traffic's other end need "
			"one each");
	if (!*p->cfg.cpu)
		p->cpu = another(cpu, n, true, *p->cfg.peer_cpu, p->peer_cpu);
	if (!*p->cfg.peer_cpu)
		p->peer_cpu = another(cpu, n, false, true, p->cpu);
	if (!among(p->cpu, cpu, n) || !among(p->peer_cpu, cpu, n))
		return err_say(e, EINVAL, "CPU %u is not one of those allowed here",
			among(p->cpu, cpu, n) ? p->peer_cpu : p->cpu);
	return 0;
}

/* Not of a user namespace, which has no cgroups of its own. Ref: user_namespaces(7), uid_map */
static bool is_root(void)
{
	char map[256];

	return caps_have(CAP_SYS_ADMIN) && caps_have(CAP_NET_ADMIN) &&
	       file_read("/proc/self/uid_map", map, sizeof(map), NULL) > 0 &&
	       strstr(map, "4294967295");
}

static bool has_guard(const struct penalty *p)
{
	for (uint32_t i = 0; i < p->n_guards; i++)
		if (p->guard[i] != PENALTY_GUARD_OFF)
			return true;
	return false;
}

bool penalty_moderates(const struct penalty *p)
{
	return among(PENALTY_GUARD_CHARGE_DROP_MODERATE, p->guard, p->n_guards);
}

int penalty_check(struct penalty *p, struct err *e)
{
	if (!is_root())
		return err_say(e, EPERM,
			"needs root, for cgroups with quotas and namespaces that belong together");
	return choose_cpus(p, e);
}

/* ---- order: of a round of a row of shares, the baseline and each kind by each guard */

static uint32_t n_cells(const struct penalty *p)
{
	return p->n_kinds * p->n_guards;
}

/* Item @i of a round: 0 is the baseline. */
static struct penalty_trial item(const struct penalty *p, uint32_t shares, uint32_t round,
	uint32_t i)
{
	struct penalty_trial t = {.round = round, .shares = shares, .baseline = i == 0};

	if (i > 0) {
		t.kind = p->kind[(i - 1) / p->n_guards];
		t.guard = p->guard[(i - 1) % p->n_guards];
	}
	return t;
}

static bool narrow(const struct penalty *p, const struct penalty_trial *t)
{
	struct penalty_cell c;

	penalty_cell(p, t->shares, t->kind, t->guard, &c);
	return c.factor.n >= 2 && estimate_half_width(&c.factor) <= (double)p->cfg.width_ppm / 1e6;
}

/* Is there nothing more to be learnt of a cell? */
static bool is_done(const struct penalty *p, const struct penalty_trial *t)
{
	if (t->round < p->cfg.repeat_min)
		return false;
	return t->round >= p->cfg.repeat_max || narrow(p, t);
}

static bool round_is_done(const struct penalty *p, uint32_t shares, uint32_t round)
{
	for (uint32_t i = 1; i <= n_cells(p); i++) {
		const struct penalty_trial t = item(p, shares, round, i);

		if (!is_done(p, &t))
			return false;
	}
	return true;
}

uint32_t penalty_max_trials(const struct penalty *p)
{
	return p->n_shares * (1 + n_cells(p)) * p->cfg.repeat_max;
}

/* Of those that may be, the mean: how many of which are done early is not known. */
static uint64_t trial_ns(const struct penalty *p)
{
	const uint64_t settle_ns = p->cfg.settle_ns * p->n_kinds *
				   (p->n_guards - among(PENALTY_GUARD_OFF, p->guard, p->n_guards));

	return p->cfg.warmup_ns + p->cfg.time_ns + START_NS + settle_ns / (1 + n_cells(p));
}

double penalty_estimate_s(const struct penalty *p)
{
	return (double)penalty_max_trials(p) * (double)trial_ns(p) / 1e9;
}

/* ---- running */

struct campaign {
	struct penalty *p;
	const struct penalty_hooks *hooks;
	struct stage *stage;
	uint32_t done, skipped;
};

static void tell(const struct campaign *c, const struct penalty_trial *next, const char *note)
{
	const uint32_t expected = penalty_max_trials(c->p) - c->skipped;
	const struct penalty_progress progress = {.done = c->done,
		.expected = expected,
		.left_ns = (expected - c->done) * trial_ns(c->p),
		.next = next,
		.note = note,
		.penalty = c->p};

	if (c->hooks->progress)
		c->hooks->progress(c->hooks->ctx, &progress);
}

static bool is_disturbed(const struct penalty *p, const struct penalty_trial *t)
{
	return t->foreign_share > (double)p->cfg.foreign_ppm / 1e6;
}

/* Until it is undisturbed, or it has been tried often enough. Return: 0 or -ECANCELED. */
static int try_trial(const struct campaign *c, struct penalty_trial *t)
{
	struct penalty *p = c->p;
	struct err e = {0};
	int r = 0;

	for (t->retries = 0;; t->retries++) {
		t->status = PENALTY_OK;
		t->reason[0] = '\0';
		r = stage_trial(c->stage, t, &p->exact, c->hooks->cancel_fd, &e);
		if (r < 0 || !is_disturbed(p, t))
			break;
		t->status = PENALTY_DISTURBED;
		snprintf(t->reason, sizeof(t->reason), "other processes had %.1f %% of CPU %u",
			t->foreign_share * 100, p->cpu);
		if (t->retries == p->cfg.retries)
			break;
		tell(c, t, t->reason);
	}
	if (r == -ECANCELED)
		return r;
	if (r < 0) {
		t->status = PENALTY_FAILED;
		str_set(t->reason, e.text);
	}
	return 0;
}

static int one(struct campaign *c, struct penalty_trial *t)
{
	struct penalty *p = c->p;
	int r;

	tell(c, t, NULL);
	r = try_trial(c, t);
	if (r < 0)
		return r;
	p->trial = xreallocarray(p->trial, p->n_trials + 1, sizeof(*p->trial));
	p->trial[p->n_trials++] = *t;
	c->done++;
	return 0;
}

/* Cells that are done are left out; other trials of a round say nothing of one. */
static int run_round(struct campaign *c, uint32_t shares, uint32_t round)
{
	const uint32_t n = 1 + n_cells(c->p);
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		const uint32_t at = (i + round) % n;
		struct penalty_trial t = item(c->p, shares, round, at);

		if (at == 0 || !is_done(c->p, &t))
			r = one(c, &t);
		else
			c->skipped++;
	}
	return r;
}

/* Rows of shares take turns, too. */
static int run_rounds(struct campaign *c)
{
	struct penalty *p = c->p;

	for (uint32_t round = 0; round < p->cfg.repeat_max; round++)
		for (uint32_t i = 0; i < p->n_shares; i++) {
			int r = 0;

			if (round_is_done(p, i, round))
				c->skipped += 1 + n_cells(p);
			else
				r = run_round(c, i, round);
			if (r < 0)
				return r;
		}
	return 0;
}

/* Whether it can be had; each trial with a guard finds it again. */
static int find_irq_cost(struct penalty *p, struct err *e)
{
	struct err why = {0};
	int r;

	if (!has_guard(p))
		p->irq.ns = 0;
	if (p->irq.ns != IRQ_COST_AUTO)
		return 0;
	r = irq_cost_measure(&p->irq, p->cpu, p->peer_cpu, &why);
	str_set(p->irq_why, r > 0 ? why.text : "");
	return r < 0 ? err_say(e, -r, "%s", why.text) : 0;
}

/* Keeps tare itself off the containers' CPU. */
static int step_aside(uint32_t cpu, struct err *e)
{
	uint32_t all[AFFINITY_MAX_CPUS], n = affinity_allowed(all), k = 0;

	for (uint32_t i = 0; i < n; i++)
		if (all[i] != cpu)
			all[k++] = all[i];
	return affinity_set_task(0, all, k, e);
}

int penalty_run(struct penalty *p, const struct penalty_hooks *hooks, struct err *e)
{
	_cleanup_(stage_closep) struct stage *stage = NULL;
	struct campaign c = {.p = p, .hooks = hooks};
	int r;

	clock_utc(p->started);
	env_read(&p->env, -1);
	cgroup_sweep();
	r = find_irq_cost(p, e);
	if (r == 0)
		r = step_aside(p->cpu, e);
	if (r == 0)
		r = stage_open(&stage, p, e);
	if (r < 0)
		return r;
	c.stage = stage;
	r = run_rounds(&c);
	tell(&c, NULL, NULL);
	p->complete = r == 0;
	return 0;
}
