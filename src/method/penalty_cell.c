/* What the trials say: pure functions. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "method/penalty.h"

#include <math.h>

static const struct penalty_trial *baseline_of(const struct penalty *p, uint32_t shares,
	uint32_t round)
{
	for (uint32_t i = 0; i < p->n_trials; i++) {
		const struct penalty_trial *t = &p->trial[i];

		if (t->baseline && t->shares == shares && t->round == round &&
			t->status != PENALTY_FAILED)
			return t;
	}
	return NULL;
}

/* Of numbers that were measured in all trials or in none, sums under way are in the cell. */
struct sums {
	double bystander_sent, bystander_received;
};

static void add_trial(struct penalty_cell *c, struct sums *s, const struct penalty_trial *base,
	const struct penalty_trial *t)
{
	c->baseline_share += base->victim_share;
	c->victim_share += t->victim_share;
	c->neighbour_cpu_share += t->neighbour_cpu_share;
	c->neighbour_used_share += t->neighbour_used_share;
	c->dropped_pps += (double)t->neighbour_dropped * 1e9 / (double)t->span_ns;
	c->victim_irqs_hz += t->guard ? (double)t->victim_irqs * 1e9 / (double)t->span_ns : NAN;
	c->sent_pps += t->sent_pps;
	c->received_pps += t->received_pps;
	c->received_bps += t->received_bps;
	c->device_pps += t->device_pps;
	c->n_disturbed += t->status == PENALTY_DISTURBED || base->status == PENALTY_DISTURBED;
	s->bystander_sent += (double)t->bystander_sent;
	s->bystander_received += (double)t->bystander_received;
}

static void make_means(struct penalty_cell *c, uint32_t n)
{
	double *const of[] = {&c->baseline_share, &c->victim_share, &c->neighbour_cpu_share,
		&c->neighbour_used_share, &c->dropped_pps, &c->victim_irqs_hz, &c->sent_pps,
		&c->received_pps, &c->received_bps, &c->device_pps};

	for (size_t i = 0; i < ARRAY_SIZE(of); i++)
		*of[i] = n ? *of[i] / n : NAN;
}

void penalty_cell(const struct penalty *p, uint32_t shares, uint32_t kind, uint32_t guard,
	struct penalty_cell *ret)
{
	_cleanup_(freep) double *a = xcalloc(p->n_trials + 1, sizeof(*a));
	_cleanup_(freep) double *b = xcalloc(p->n_trials + 1, sizeof(*b));
	struct penalty_cell c = {.shares = shares, .kind = kind, .guard = guard};
	struct sums sums = {0};
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n_trials; i++) {
		const struct penalty_trial *t = &p->trial[i], *base;

		if (t->baseline || t->shares != shares || t->kind != kind || t->guard != guard)
			continue;
		if (t->status == PENALTY_FAILED) {
			if (c.n_failed++ == 0)
				str_set(c.reason, t->reason);
			continue;
		}
		base = baseline_of(p, shares, t->round);
		if (!base)
			continue;
		a[n] = base->victim_share;
		b[n++] = t->victim_share;
		add_trial(&c, &sums, base, t);
	}
	make_means(&c, n);
	c.bystander_delivery =
		sums.bystander_sent > 0 ? sums.bystander_received / sums.bystander_sent : NAN;
	c.factor = estimate_ratio(a, b, n);
	c.slowdown = c.factor.mean - 1;
	c.neighbour_got = (guard ? c.neighbour_used_share : c.neighbour_cpu_share) * 100 /
			  p->shares[shares].pct[TENANT_NEIGHBOUR];
	*ret = c;
}

bool penalty_any_failed(const struct penalty *p)
{
	for (uint32_t i = 0; i < p->n_trials; i++)
		if (p->trial[i].status == PENALTY_FAILED)
			return true;
	return false;
}

void penalty_fini(struct penalty *p)
{
	free(p->trial);
	p->trial = NULL;
	p->n_trials = 0;
}
