/* What to know about the numbers of a table: findings, and notes at its end. */
#include "base/str.h"
#include "finding/finding.h"
#include "report/report.h"

#include <string.h>

/* Half of what moves a one-CPU load's cost by 10 %: said, not corrected for. */
#define BACKGROUND_CPUS 0.05

/* "stopped: width 12 cells, repeat-max 4 cells" */
static void foot_stops(const struct run *run, FILE *out)
{
	uint32_t count[STOP_N] = {0};
	char width[32], text[256] = "";

	for (uint32_t i = 0; i < run->n_loads * run->n_paths; i++)
		count[run->cell[i].stop]++;
	num_format(run->bench.width_ppm, NUM_PERCENT, width, sizeof(width));
	for (uint32_t i = STOP_WIDTH; i < STOP_N; i++)
		if (count[i] && i != STOP_BASELINE)
			str_addf(text, sizeof(text), "%s%u by %s", *text ? ", " : "", count[i],
				stop_reason_name[i]);
	fprintf(out, "  cells repeated until the ratio's interval was narrower than %s: %s\n",
		width, *text ? text : "none");
}

static bool has_note(const struct path_result *p, const char *note)
{
	for (uint32_t k = 0; k < p->n_notes; k++)
		if (strcmp(p->note[k], note) == 0)
			return true;
	return false;
}

/* "veth, nat: ...": what several paths have in common is said once, at the first. */
static void foot_note(const struct run *run, uint32_t path, const char *note, FILE *out)
{
	for (uint32_t i = 0; i < path; i++)
		if (has_note(&run->path[i], note))
			return;
	fprintf(out, "  %s", run->path[path].spec.name);
	for (uint32_t i = path + 1; i < run->n_paths; i++)
		if (has_note(&run->path[i], note))
			fprintf(out, ", %s", run->path[i].spec.name);
	fprintf(out, ": %s\n", note);
}

static void foot_notes(const struct run *run, FILE *out)
{
	for (uint32_t i = 0; i < run->n_paths; i++)
		for (uint32_t k = 0; k < run->path[i].n_notes; k++)
			foot_note(run, i, run->path[i].note[k], out);
}

static void foot_failures(const struct run *run, FILE *out)
{
	for (uint32_t i = 0; i < run->n_paths; i++)
		if (run->path[i].status != STATUS_OK)
			fprintf(out, "  %s %s: %s\n", run->path[i].spec.name,
				status_name[run->path[i].status], run->path[i].reason);
	for (uint32_t i = 0; i < run->n_trials; i++) {
		const struct trial *t = &run->trial[i];

		/* Between two machines there is one attempt only. */
		if (t->attempts > 1 || t->status != STATUS_OK)
			fprintf(out, "  %s on %s %s: %s\n", run->load[t->load].id,
				run->path[t->path].spec.name,
				t->status == STATUS_OK ? "succeeded at the second attempt, after"
						       : "failed",
				t->reason);
	}
}

struct findings {
	FILE *out;
	bool any;
};

static void add_finding(void *ctx, const struct run *run, const struct finding *f)
{
	struct findings *x = ctx;

	fprintf(x->out, "%s  %s, %s: %s\n", x->any ? "" : "\nFindings\n",
		run->path[f->path].spec.name, run->load[f->load].id, f->text);
	x->any = true;
}

void report_findings(const struct run *run, FILE *out)
{
	finding_each(run, add_finding, &(struct findings){.out = out});
}

static void foot_ends(const struct run *run, FILE *out)
{
	bool pods = run->path_cfg.between == PATH_BETWEEN_PODS, remote = run_is_remote(run);

	fprintf(out, "  tx: near (%s) sends to far (%s%s); rr: near asks\n",
		remote ? "on this machine"
		: pods ? "a container"
		       : "the peer machine",
		remote ? "the tare server on "
		: pods ? "another on its host"
		       : "the host or its container",
		remote ? run->remote_cfg.host : "");
	if (remote && run->remote.same_machine)
		fputs("  both ends are on this machine: they share its CPUs, and no wire is "
		      "between them\n",
			out);
}

/* Is one of the owners, or the processes' time, not told in this trial? */
static bool has_unknown(const struct trial *t)
{
	const struct softirq_reading *x = &t->near.readings.softirq;

	return t->near.readings.valid[METER_SOFTIRQ] &&
	       !(x->near_known && x->far_known && x->context_known);
}

void report_foot_softirq(const struct run *run, FILE *out)
{
	const struct trial *metered = NULL;
	bool unknown = false;

	for (uint32_t i = 0; i < run->n_trials; i++) {
		if (run->trial[i].metered && !metered)
			metered = &run->trial[i];
		unknown = unknown || has_unknown(&run->trial[i]);
	}
	if (!metered)
		return;
	fprintf(out,
		"  softirq: exact time of network softirqs by whom it was for, %s; near and far "
		"have the host's work on packets that reach them, host has all other packets, "
		"overhead is nobody's; process is the load's threads without softirqs\n",
		metered->extra ? "from one more trial of each cell"
			       : "metered in every trial, which costs CPU");
	if (unknown)
		fputs("  softirq: what is not there can't be told: an end with nothing of its own "
		      "on this machine is in the host's or the other end's, process takes cgroups "
		      "of both ends\n",
			out);
}

void report_foot(const struct run *run, FILE *out)
{
	fputs("\nNotes\n", out);
	foot_ends(run, out);
	if (run->path_cfg.between == PATH_BETWEEN_PODS)
		fputs("  native is peer to host over the wire: two bare machines\n", out);
	fputs("  CPU is the whole machine's busy time: both ends, softirq, all else that runs\n",
		out);
	if (run->background_cpus > BACKGROUND_CPUS)
		fprintf(out,
			"  this machine was busy: %.2f CPUs before the first trial; they are in "
			"every CPU figure\n",
			run->background_cpus);
	report_foot_softirq(run, out);
	foot_stops(run, out);
	foot_notes(run, out);
	foot_failures(run, out);
	for (uint32_t i = 0; i < run->n_limits; i++)
		fprintf(out, "  %s\n", run->limit[i]);
}
