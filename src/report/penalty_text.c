/* Penalties as text: a row for each shares, neighbour and guard; and what is said meanwhile. */
#include "report/penalty.h"

#include "base/str.h"
#include "guard/guard.h"
#include "report/duration.h"
#include "report/grid.h"
#include "report/progress.h"
#include "report/report.h"

#include <inttypes.h>
#include <math.h>

void report_penalty_cells(const struct penalty *p, report_penalty_fn *fn, void *ctx)
{
	for (uint32_t s = 0; s < p->n_shares; s++)
		for (uint32_t k = 0; k < p->n_kinds; k++)
			for (uint32_t g = 0; g < p->n_guards; g++) {
				struct penalty_cell c;

				penalty_cell(p, s, p->kind[k], p->guard[g], &c);
				fn(ctx, &c);
			}
}

static void add(struct grid *g, double v, int digits)
{
	if (isnan(v))
		grid_add(g, "-");
	else
		grid_add(g, "%.*f", digits, v);
}

static void add_range(struct grid *g, const struct estimate *x)
{
	if (isnan(x->ci_low))
		grid_add(g, "-");
	else
		grid_add(g, "%.2f to %.2f", x->ci_low, x->ci_high);
}

struct table {
	const struct penalty *p;
	struct grid *g; /* NULL: lines, to out */
	FILE *out;
};

static void add_cell(void *ctx, const struct penalty_cell *c)
{
	const struct table *t = ctx;

	grid_add(t->g, "%s", t->p->shares[c->shares].name);
	grid_add(t->g, "%s", penalty_kind_name[c->kind]);
	grid_add(t->g, "%s", penalty_guard_name[c->guard]);
	grid_add(t->g, "%u%s", c->factor.n, c->n_disturbed ? "*" : "");
	add(t->g, c->baseline_share, 3);
	add(t->g, c->victim_share, 3);
	add(t->g, c->factor.mean, 2);
	add_range(t->g, &c->factor);
	add(t->g, c->slowdown * 100, 1);
	add(t->g, c->neighbour_cpu_share, 3);
	add(t->g, c->neighbour_got * 100, 0);
	add(t->g, c->device_pps / 1e3, 1);
	add(t->g, c->received_bps / 1e6, 1);
	add(t->g, penalty_guard_drops(c->guard) ? c->dropped_pps / 1e3 : NAN, 1);
	add(t->g, c->victim_irqs_hz / 1e3, 1);
	add(t->g, c->bystander_delivery, 4);
}

static void table(const struct penalty *p, FILE *out)
{
	static const char *const head[] = {"shares", "neighbour", "guard", "pairs", "computes",
		"beside", "penalty", "95 %", "slower %", "its CPU", "of its %", "its kpps",
		"its Mbps", "dropped k/s", "irqs k/s", "bystander"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));
	struct table t = {p, g, out};

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		grid_add(g, "%s", head[i]);
	grid_left(g, 1);
	grid_left(g, 2);
	report_penalty_cells(p, add_cell, &t);
	fputc('\n', out);
	grid_print(g, out);
}

static void trials(const struct penalty *p, FILE *out)
{
	static const char *const head[] = {"shares", "neighbour", "guard", "round", "victim",
		"charged", "gaps", "longest ms", "its CPU", "ksoftirqd", "foreign", "sent kpps",
		"got kpps", "status"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		grid_add(g, "%s", head[i]);
	grid_left(g, 1);
	grid_left(g, 2);
	for (uint32_t i = 0; i < p->n_trials; i++) {
		const struct penalty_trial *t = &p->trial[i];

		grid_add(g, "%s", p->shares[t->shares].name);
		grid_add(g, "%s", t->baseline ? "(baseline)" : penalty_kind_name[t->kind]);
		grid_add(g, "%s", penalty_guard_name[t->guard]);
		grid_add(g, "%u", t->round + 1);
		add(g, t->victim_share, 3);
		add(g, t->victim_cpu_share, 3);
		grid_add(g, "%" PRIu64, t->n_gaps);
		grid_add(g, "%.2f", (double)t->longest_gap_ns / 1e6);
		add(g, t->neighbour_cpu_share, 3);
		add(g, t->ksoftirqd_share, 3);
		add(g, t->foreign_share, 3);
		add(g, t->sent_pps / 1e3, 1);
		add(g, t->received_pps / 1e3, 1);
		grid_add(g, "%s", penalty_status_name[t->status]);
	}
	fputc('\n', out);
	grid_print(g, out);
}

static void reasons(const struct penalty *p, FILE *out)
{
	for (uint32_t i = 0; i < p->n_trials; i++) {
		const struct penalty_trial *t = &p->trial[i];

		if (t->status != PENALTY_OK)
			fprintf(out, "%s, %s, guard %s, round %u: %s: %s\n",
				p->shares[t->shares].name,
				t->baseline ? "baseline" : penalty_kind_name[t->kind],
				penalty_guard_name[t->guard], t->round + 1,
				penalty_status_name[t->status], t->reason);
	}
}

/* How the victim was timed; the same within a few ns in all trials. */
static void meter(const struct penalty *p, FILE *out)
{
	uint64_t least = UINT64_MAX, most = 0, step = 0;

	for (uint32_t i = 0; i < p->n_trials; i++) {
		const struct penalty_trial *t = &p->trial[i];

		if (t->status == PENALTY_FAILED)
			continue;
		least = MIN(least, t->least_gap_ns);
		most = MAX(most, t->least_gap_ns);
		step = MAX(step, t->step_ns);
	}
	if (most)
		fprintf(out,
			"the victim reads the clock every %" PRIu64
			" ns at most (median); gaps from "
			"%" PRIu64 " to %" PRIu64 " ns on are not its time\n",
			step, least, most);
}

/* Of trials with a guard: the least and the most that it thought one costs. */
static void irq_range(const struct penalty *p, uint64_t *ret_least_ns, uint64_t *ret_most_ns)
{
	*ret_least_ns = *ret_most_ns = p->irq.ns;
	for (uint32_t i = 0; i < p->n_trials; i++) {
		const struct penalty_trial *t = &p->trial[i];

		if (!t->guard || t->status == PENALTY_FAILED)
			continue;
		*ret_least_ns = MIN(*ret_least_ns, t->irq_ns);
		*ret_most_ns = MAX(*ret_most_ns, t->irq_ns);
	}
}

static void interrupt(const struct penalty *p, FILE *out)
{
	uint64_t least_ns, most_ns;

	irq_range(p, &least_ns, &most_ns);
	if (p->irq.n)
		fprintf(out,
			"an interrupt costs %" PRIu64 " to %" PRIu64
			" ns beside its softirq, measured before each trial with a guard\n",
			least_ns, most_ns);
	else if (p->irq.ns)
		fprintf(out, "an interrupt was said to cost %" PRIu64 " ns beside its softirq\n",
			p->irq.ns);
	else if (*p->irq_why)
		fprintf(out, "%s; it is left out\n", p->irq_why);
}

/* How well it is known that nobody else had the CPU. */
static void foreign(const struct penalty *p, FILE *out)
{
	bool any = false, unknown = false;

	for (uint32_t i = 0; i < p->n_trials; i++) {
		if (p->trial[i].status == PENALTY_FAILED)
			continue;
		any = true;
		unknown |= isnan(p->trial[i].foreign_share);
	}
	if (unknown)
		fputs("what other processes had of the CPU can't be seen from here\n", out);
	else if (any && !p->exact)
		fputs("what other processes had of the CPU is sampled at ticks here\n", out);
}

/* Where dropping is not what helps. */
static void flood(void *ctx, const struct penalty_cell *c)
{
	const struct table *t = ctx;

	if (c->guard == PENALTY_GUARD_CHARGE_DROP && c->dropped_pps > 0 &&
		c->victim_irqs_hz > GUARD_FLOOD_IRQS_HZ)
		fprintf(t->out,
			"%s, %s: %.0f interrupts a second in the victim's time, which dropping "
			"does not make fewer: charge+drop+moderate does\n",
			t->p->shares[c->shares].name, penalty_kind_name[c->kind],
			c->victim_irqs_hz);
}

int report_penalty_text(const struct penalty *p, bool verbose, FILE *out)
{
	char time[32], period[32];

	num_format(p->cfg.time_ns, NUM_DURATION, time, sizeof(time));
	num_format(p->cfg.period_ns, NUM_DURATION, period, sizeof(period));
	fprintf(out,
		"what a victim that computes gets of CPU %u beside a neighbour that computes, by "
		"what it gets\nbeside one with packets; quotas in per cent, periods of %s, spans "
		"of %s, MTU %u, peer on CPU %u\n",
		p->cpu, period, time, p->cfg.mtu, p->peer_cpu);
	if (!p->complete)
		fputs("interrupted: what follows is not all\n", out);
	table(p, out);
	if (verbose)
		trials(p, out);
	fputs("\ncomputes, beside: the victim's share of the CPU; its: the neighbour's; "
	      "of its: what it caused of\nits own share, without a guard its process alone; "
	      "irqs: with others' packets, in the victim's time;\nbystander: received of "
	      "sent; pairs*: others had too much of the CPU in all tries\n",
		out);
	interrupt(p, out);
	report_penalty_cells(p, flood, &(struct table){p, NULL, out});
	meter(p, out);
	foreign(p, out);
	reasons(p, out);
	return report_flush(out);
}

void report_penalty_estimate(const struct penalty *p, FILE *out)
{
	char text[32];

	report_duration(penalty_estimate_s(p), text, sizeof(text));
	fprintf(out,
		"tare: %u cells, at most %u trials, will take at most about %s, if others leave "
		"CPU %u alone: a disturbed trial is done again, up to %u times\n",
		p->n_shares * p->n_kinds * p->n_guards, penalty_max_trials(p), text, p->cpu,
		p->cfg.retries);
}

void report_penalty_progress(void *ctx, const struct penalty_progress *p)
{
	const struct progress *pr = ctx;
	const struct penalty_trial *t = p->next;
	char what[400] = "";

	if (t)
		str_addf(what, sizeof(what), "%s beside %s%s%s, round %u%s%s",
			p->penalty->shares[t->shares].name,
			t->baseline ? "the baseline" : penalty_kind_name[t->kind],
			t->guard ? ", guard " : "", t->guard ? penalty_guard_name[t->guard] : "",
			t->round + 1, p->note ? ", again: " : "", p->note ? p->note : "");
	if (pr->tty)
		progress_bar(pr, p->done, p->expected, p->left_ns, "trials", what);
	else if (t)
		fprintf(pr->out, "tare: trial %u of at most %u: %s, about %.0f s left\n",
			p->done + 1, p->expected, what, (double)p->left_ns / 1e9);
	fflush(pr->out);
}
