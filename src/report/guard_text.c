#include "report/guard.h"

#include "report/grid.h"
#include "report/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Of a CPU: what is less is not worth a line about who is only observed. */
#define WORTH_A_LINE 0.001

static bool is_worth_it(const struct guard_row *x, double dt_ns)
{
	return x->policy != GUARD_OBSERVE || (double)x->charged_ns / dt_ns >= WORTH_A_LINE ||
	       (double)x->credited_ns / dt_ns >= WORTH_A_LINE;
}

static void add_cpus(struct grid *g, double cpus)
{
	if (isfinite(cpus))
		grid_add(g, "%.3f", cpus);
	else
		grid_add(g, "-");
}

static void add_dropped(struct grid *g, const struct guard_row *x)
{
	if (x->policy == GUARD_CHARGE_DROP)
		grid_add(g, "%" PRIu64, x->dropped_pkts);
	else
		grid_add(g, "-");
}

static void add_state(struct grid *g, const struct guard_row *x)
{
	const char *guarded = x->guarded ? "guarded" : *x->why ? "not guarded: " : "observed";

	grid_add(g, "%s%s%s", x->gone ? "ended" : guarded, x->gone || x->guarded ? "" : x->why,
		x->changes ? "; its quota was changed by somebody else" : "");
}

static void add_row(struct grid *g, const struct guard_row *x, double dt_ns)
{
	grid_add(g, "%s", container_kind_name[x->who.kind]);
	grid_add(g, "%s", x->who.name);
	grid_add(g, "%s", guard_policy_name[x->policy]);
	add_cpus(g, x->budget_cpus);
	add_cpus(g, (double)x->process_ns / dt_ns);
	add_cpus(g, (double)x->charged_ns / dt_ns);
	add_cpus(g, (double)x->credited_ns / dt_ns);
	add_cpus(g, x->guarded ? x->quota_cpus : NAN);
	add_dropped(g, x);
	add_state(g, x);
}

int guard_irq_text(const struct irq_cost *irq, FILE *out)
{
	fprintf(out,
		"tare: an interrupt costs %" PRIu64
		" ns here beside its softirq: the median of %" PRIu64 ", half of them %" PRIu64
		" to %" PRIu64 " ns\n",
		irq->ns, irq->n, irq->low_ns, irq->high_ns);
	return report_flush(out);
}

void guard_flood_text(const struct guard_row *x, uint64_t dt_ns, const struct guard_cfg *cfg,
	FILE *out)
{
	const char *dev = *cfg->nics && !strchr(cfg->nics, ',') ? cfg->nics : "DEV";

	fprintf(out,
		"tare: guard: %s %s: interrupts, %.0f a second, take the time, not the packets, "
		"which are dropped; ",
		container_kind_name[x->who.kind], x->who.name,
		(double)x->irqs * 1e9 / (double)dt_ns);
	if (*cfg->moderate)
		fprintf(out,
			"--moderate %s does not make them fewer: they come by another device, "
			"or it does not poll\n",
			cfg->moderate);
	else
		fprintf(out, "--moderate %s, or ethtool -C %s rx-usecs, makes them fewer%s\n", dev,
			dev, strcmp(dev, "DEV") == 0 ? ", DEV being where they come in" : "");
}

int guard_text(const struct guard_report *r, uint64_t begin_ns, FILE *out)
{
	static const char *const head[] = {"kind", "name", "policy", "budget", "used", "charged",
		"credited", "quota", "dropped", "state"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));
	const double dt_ns = fmax((double)(r->to_ns - r->from_ns), 1);
	bool any = false;

	grid_left(g, 1);
	grid_left(g, 2);
	grid_left(g, ARRAY_SIZE(head) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		grid_add(g, "%s", head[i]);
	for (uint32_t i = 0; i < r->n; i++) {
		if (!is_worth_it(&r->row[i], dt_ns))
			continue;
		add_row(g, &r->row[i], dt_ns);
		any = true;
	}
	fprintf(out, "%.1f s, in CPUs%s\n", (double)(r->to_ns - begin_ns) / 1e9,
		any ? "" : ": nobody is guarded, and nobody would be charged");
	if (any)
		grid_print(g, out);
	return report_flush(out);
}
