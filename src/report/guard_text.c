#include "report/guard.h"

#include "report/report.h"

#include <inttypes.h>
#include <math.h>

/* Of a CPU: what is less is not worth a line about who is only observed. */
#define WORTH_A_LINE 0.001

static void show_row(const struct guard_row *x, double s, double dt_ns, FILE *out)
{
	const double charged = (double)x->charged_ns / dt_ns;
	const double credited = (double)x->credited_ns / dt_ns;

	if (x->policy == GUARD_OBSERVE && charged < WORTH_A_LINE && credited < WORTH_A_LINE)
		return;
	fprintf(out, "%9.1f  %s %s: ", s, container_kind_name[x->who.kind], x->who.name);
	if (x->guarded)
		fprintf(out, "quota %.3f of %.3f CPU, ", x->quota_cpus, x->budget_cpus);
	fprintf(out, "used %.3f, charged %.3f, credited %.3f", (double)x->process_ns / dt_ns,
		charged, credited);
	if (x->policy == GUARD_CHARGE_DROP)
		fprintf(out, ", %" PRIu64 " dropped", x->dropped_pkts);
	if (x->changes)
		fputs(", its quota was changed by somebody else", out);
	if (x->gone)
		fputs(", ended", out);
	else if (!x->guarded)
		fprintf(out, "%s%s", *x->why ? "; not guarded: " : "; observed", x->why);
	fputc('\n', out);
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

int guard_text(const struct guard_report *r, uint64_t begin_ns, FILE *out)
{
	const double dt_ns = fmax((double)(r->to_ns - r->from_ns), 1);

	for (uint32_t i = 0; i < r->n; i++)
		show_row(&r->row[i], (double)(r->to_ns - begin_ns) / 1e9, dt_ns, out);
	return report_flush(out);
}
