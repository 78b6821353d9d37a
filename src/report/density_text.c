/*
 * The draft's views of a matrix: results, functions, what the host's switch has to do, cores; then
 * what is to be seen in it. Rows are instances, columns functions of each.
 */
#include "report/density.h"

#include "base/str.h"
#include "report/duration.h"
#include "report/grid.h"
#include "report/progress.h"
#include "report/report.h"

#include "path/nf.h"

#include <math.h>
#include <string.h>

uint32_t report_density_goals(const struct density *d)
{
	return d->cfg.search == DENSITY_MRR ? 1 : d->n_goals;
}

const char *report_density_goal(const struct density *d, uint32_t row)
{
	return d->cfg.search == DENSITY_MRR ? "MRR" : d->goal[row].name;
}

double report_density_nf_cores(const struct density *d, uint32_t instances, uint32_t nfs)
{
	struct density_cores c;

	density_cores(d, &c);
	return fmin(1, c.cores / (instances * nfs));
}

/* One of the tables: a goal of a topology. */
struct table {
	const struct density *d;
	uint32_t topology, goal;
	bool mpps; /* else kpps: else cells would be 0.1 and 0.2 */
};

static bool cell_at(const struct table *t, uint32_t i, uint32_t k, struct density_cell *ret)
{
	const struct density_unit which = {.topology = t->topology,
		.instances = t->d->instances[i],
		.nfs = t->d->nfs[k]};

	return density_cell(t->d, &which, t->goal, ret);
}

static void grid_head(struct grid *g, const struct density *d)
{
	grid_add(g, "M \\ N");
	for (uint32_t k = 0; k < d->n_nfs; k++)
		grid_add(g, "%u", d->nfs[k]);
}

static bool all_over(const struct density *d, double fps)
{
	bool over = true;

	for (uint32_t i = 0; i < d->n_units; i++)
		for (uint32_t k = 0; k < d->unit[i]->n_rows; k++)
			over &= !(d->unit[i]->row[k].fps < fps);
	return over;
}

static void add_cell(struct grid *g, const struct table *t, bool there,
	const struct density_cell *c)
{
	if (!there || (c->n == 0 && c->status != DENSITY_UNAVAILABLE))
		grid_add(g, "???");
	else if (c->n == 0)
		grid_add(g, "---");
	else
		grid_add(g, "%s%.1f%s", c->status == DENSITY_MAX_LOAD ? ">= " : "",
			c->fps / (t->mpps ? 1e6 : 1e3), c->retries ? "*" : "");
}

/* "M=2 N=1, M=2 N=2: why", each reason once, with the first cell that has it. */
static void reasons(const struct table *t, FILE *out)
{
	const uint32_t n = t->d->n_instances * t->d->n_nfs;
	struct density_cell a, b;

	for (uint32_t i = 0; i < n; i++) {
		bool again = false;

		if (!cell_at(t, i / t->d->n_nfs, i % t->d->n_nfs, &a) || !*a.reason)
			continue;
		for (uint32_t k = 0; k < i && !again; k++)
			again = cell_at(t, k / t->d->n_nfs, k % t->d->n_nfs, &b) &&
				strcmp(a.reason, b.reason) == 0;
		if (again)
			continue;
		for (uint32_t k = i; k < n; k++)
			if (cell_at(t, k / t->d->n_nfs, k % t->d->n_nfs, &b) &&
				strcmp(a.reason, b.reason) == 0)
				fprintf(out, "%sM=%u N=%u", k == i ? "  " : ", ",
					t->d->instances[k / t->d->n_nfs],
					t->d->nfs[k % t->d->n_nfs]);
		fprintf(out, ": %s\n", a.reason);
	}
}

/* How far the numbers can be trusted, of the worst cell. */
static void certainty(const struct table *t, FILE *out)
{
	double half = 0, spread = 0;
	uint32_t retries = 0;
	struct density_cell c;

	for (uint32_t i = 0; i < t->d->n_instances; i++)
		for (uint32_t k = 0; k < t->d->n_nfs; k++) {
			if (!cell_at(t, i, k, &c) || c.n == 0)
				continue;
			half = fmax(half, (c.high_fps - c.low_fps) / 2 / c.fps);
			spread = fmax(spread, (c.max_fps - c.min_fps) / c.fps);
			retries += c.retries;
		}
	fprintf(out, "  %s: +- %.1f %% at most",
		t->d->cfg.rebuild > 1             ? "95 % intervals over rebuilds"
		: t->d->cfg.search == DENSITY_MRR ? "95 % intervals over trials, of one build"
						  : "bounds",
		half * 100);
	if (t->d->cfg.rebuild > 1)
		fprintf(out, "; %u rebuilds of a cell differ by %.1f %% at most", t->d->cfg.rebuild,
			spread * 100);
	fprintf(out, "%s\n", retries ? "; *: it took more than one try" : "");
}

static void result(const struct table *t, FILE *out)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(t->d->n_nfs + 1);

	fprintf(out, "\n%s, %s in %s\n", density_topology_name[t->topology],
		report_density_goal(t->d, t->goal), t->mpps ? "Mpps" : "kpps");
	grid_head(g, t->d);
	for (uint32_t i = 0; i < t->d->n_instances; i++) {
		grid_add(g, "%u", t->d->instances[i]);
		for (uint32_t k = 0; k < t->d->n_nfs; k++) {
			struct density_cell c;
			bool there = cell_at(t, i, k, &c);

			add_cell(g, t, there, &c);
		}
	}
	grid_print(g, out);
	certainty(t, out);
	reasons(t, out);
}

static void functions(const struct density *d, FILE *out)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(d->n_nfs + 1);

	fputs("\nFunctions, M N; what each has of cores\n", out);
	grid_head(g, d);
	for (uint32_t i = 0; i < d->n_instances; i++) {
		grid_add(g, "%u", d->instances[i]);
		for (uint32_t k = 0; k < d->n_nfs; k++)
			grid_add(g, "%u NF-%.2gc", d->instances[i] * d->nfs[k],
				report_density_nf_cores(d, d->instances[i], d->nfs[k]));
	}
	grid_print(g, out);
}

/* Crossings do not depend on M. */
static void host_plane(const struct density *d, uint32_t topology, FILE *out)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(d->n_nfs + 1);

	fprintf(out,
		"\n%s: ports of the host's switch to functions; how often a packet crosses it\n",
		density_topology_name[topology]);
	grid_head(g, d);
	for (uint32_t i = 0; i < d->n_instances; i++) {
		grid_add(g, "%u", d->instances[i]);
		for (uint32_t k = 0; k < d->n_nfs; k++)
			grid_add(g, "%u", density_ports(topology, d->instances[i], d->nfs[k]));
	}
	grid_add(g, "crossings");
	for (uint32_t k = 0; k < d->n_nfs; k++)
		grid_add(g, "%u", density_crossings(topology, d->nfs[k]));
	grid_print(g, out);
}

static void busy(const struct density *d, FILE *out)
{
	double least[DENSITY_MAX_CPUS], most[DENSITY_MAX_CPUS];
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_units; i++) {
		const struct density_unit *u = d->unit[i];

		for (uint32_t k = 0; k < u->n_cpus; k++) {
			least[k] = k < n ? fmin(least[k], u->cpu_busy[k]) : u->cpu_busy[k];
			most[k] = k < n ? fmax(most[k], u->cpu_busy[k]) : u->cpu_busy[k];
			n = MAX(n, k + 1);
		}
	}
	if (n)
		fputs("busy while cells were measured, of the time:", out);
	for (uint32_t k = 0; k < n; k++)
		fprintf(out, "%s CPU %u %.0f to %.0f %%", k ? "," : "", k, least[k] * 100,
			most[k] * 100);
	if (n)
		fputc('\n', out);
}

static void cores(const struct density *d, FILE *out)
{
	struct density_cores c;

	density_cores(d, &c);
	fprintf(out, "\nCores: %s.\n", c.text);
	busy(d, out);
}

/* What came through the instances of one measurement, the most by the least. */
static double unevenness(const struct density_unit *u)
{
	double least = INFINITY, most = 0;

	for (uint32_t i = 0; i < u->n_ways; i++) {
		double got = (double)(u->way[i].tried - u->way[i].lost);

		least = fmin(least, got);
		most = fmax(most, got);
	}
	return u->n_ways > 1 && least > 0 ? most / least - 1 : 0;
}

static void by_instance(const struct density *d, FILE *out)
{
	const struct density_unit *worst = NULL;

	for (uint32_t i = 0; i < d->n_units; i++)
		if (d->unit[i]->n_ways > 1 &&
			(!worst || unevenness(d->unit[i]) > unevenness(worst)))
			worst = d->unit[i];
	if (worst)
		fprintf(out,
			"All instances of a cell get the same load. What comes through them "
			"differs by %.1f %% at most (%s, M=%u N=%u).\n",
			unevenness(worst) * 100, density_topology_name[worst->topology],
			worst->instances, worst->nfs);
}

static void latency(const struct density *d, FILE *out)
{
	static const char *const head[] = {"cell", "load", "fps", "lost", "mean us", "min", "p50",
		"p99", "p99.9", "max", "PDV"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		grid_add(g, "%s", head[i]);
	for (uint32_t i = 0; i < d->n_units; i++)
		for (uint32_t k = 0; k < d->unit[i]->n_latency; k++) {
			const struct density_unit *u = d->unit[i];
			const struct rfc_latency *x = &u->latency[k];
			const double us[] = {x->mean_ns, x->min_ns, x->p50_ns, x->p99_ns,
				x->p999_ns, x->max_ns, x->pdv_ns};

			any = true;
			grid_add(g, "%s M=%u N=%u", density_topology_name[u->topology],
				u->instances, u->nfs);
			grid_add(g, "%.0f%%", x->load * 100);
			grid_add(g, "%.0f", x->fps);
			grid_add(g, "%llu", (unsigned long long)x->lost);
			for (size_t j = 0; j < ARRAY_SIZE(us); j++)
				if (isfinite(us[j]))
					grid_add(g, "%.2f", us[j] / 1e3);
				else
					grid_add(g, "-");
		}
	if (!any)
		return;
	fprintf(out, "\nLatency, one way, at shares of the rate of %s\n",
		report_density_goal(d, report_density_goals(d) - 1));
	grid_print(g, out);
}

/* Ref: draft-mkonstan-nf-service-density-01: its functions have a core each, or half of one. */
static const char expected[] =
	"Expected here: D1, for it is the same lab; D2, for a chain crosses the switch more\n"
	"often. A pipeline is not flat in N as the draft's is, where functions have cores of\n"
	"their own: here all share CPUs, and each takes its time of every frame. D3 is small:\n"
	"another instance is no more work for a frame, only more for caches to hold.\n";

static void relations(const struct density *d, FILE *out)
{
	const bool many = report_density_goals(d) > 1;

	fputs("\nRelations (draft-mkonstan-nf-service-density-01)\n", out);
	for (uint32_t i = 0; i < report_density_goals(d); i++) {
		struct density_relation r[DENSITY_RELATION_N];

		density_relate(d, i, r);
		for (uint32_t k = 0; k < DENSITY_RELATION_N; k++)
			fprintf(out, "%s%s%s %s: %s: %s\n", many ? report_density_goal(d, i) : "",
				many ? " " : "", r[k].name, density_holds_name[r[k].holds],
				r[k].claim, r[k].text);
	}
	if (d->cfg.rebuild == 1)
		fputs("Each cell was built once: how much builds of it differ is in no interval "
		      "(--rebuild).\n",
			out);
	fputs(expected, out);
}

static void head(const struct density *d, FILE *out)
{
	fprintf(out,
		"M service instances of N functions (nf=%s), frames of %s bytes%s\n"
		"%s\n",
		nf_kind_name[d->path.nf], d->mix.name, d->path.ipv6 ? ", IPv6" : "", d->label);
	fprintf(out, "tester: sends by %s, receives by %s%s%s%s%s\n", d->info.tx, d->info.rx,
		*d->info.place ? ", place " : "", d->info.place, *d->info.note ? "; " : "",
		d->info.note);
	fprintf(out, "highest load: %.0f fps%s; self-test without a SUT: ", d->max_fps,
		d->n_ports_tx > 1 ? " of each of two ports, as all rates here" : "");
	if (isfinite(d->self_fps))
		fprintf(out, "%.0f fps\n", d->self_fps);
	else
		fputs("loses frames at any rate\n", out);
	if (!d->complete)
		fputs("interrupted: what follows is not all\n", out);
}

int report_density_text(const struct density *d, FILE *out)
{
	struct table t = {.d = d, .mpps = all_over(d, 1e6)};

	head(d, out);
	for (t.goal = 0; t.goal < report_density_goals(d); t.goal++)
		for (t.topology = 0; t.topology < DENSITY_TOPOLOGY_N; t.topology++)
			if (d->topology[t.topology])
				result(&t, out);
	fputs("\n---: can't be; ???: not measured; >=: the tester sends no more\n", out);
	by_instance(d, out);
	functions(d, out);
	for (uint32_t i = 0; i < DENSITY_TOPOLOGY_N; i++)
		if (d->topology[i])
			host_plane(d, i, out);
	cores(d, out);
	latency(d, out);
	relations(d, out);
	return report_flush(out);
}

void report_density_estimate(const struct density *d, FILE *out)
{
	char text[32];

	report_duration(density_estimate_s(d), text, sizeof(text));
	fprintf(out, "tare: %u cells, each measured %u times, will take about %s\n",
		density_n_cells(d), d->cfg.rebuild, text);
}

void report_density_progress(void *ctx, const struct density_progress *p)
{
	const struct progress *pr = ctx;
	char what[128] = "";

	if (p->next)
		str_addf(what, sizeof(what), "%s M=%u N=%u",
			density_topology_name[p->next->topology], p->next->instances, p->next->nfs);
	if (pr->tty)
		progress_bar(pr, p->done, p->expected, p->left_ns, "cells", what);
	else if (p->next)
		fprintf(pr->out, "tare: cell %u of %u: %s, %.0f s left\n", p->done + 1, p->expected,
			what, (double)p->left_ns / 1e9);
	fflush(pr->out);
}
