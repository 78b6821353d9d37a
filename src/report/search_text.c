/*
 * A search as text: a row for each goal, with all that RFC 9971 wants told of it, then how the
 * words are meant. Loads are printed to a tenth; JSON has more digits.
 */
#include "report/search.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/grid.h"
#include "report/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void add_load(struct grid *g, double load)
{
	if (isnan(load))
		grid_add(g, "-");
	else
		grid_add(g, "%.1f", load);
}

static void add_value(struct grid *g, uint64_t v, enum num_unit unit)
{
	char text[32];

	num_format(v, unit, text, sizeof(text));
	grid_add(g, "%s", text);
}

static void head(struct grid *g, const char *const *title, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		grid_add(g, "%s", title[i]);
}

static void add_goal(struct grid *g, const struct mlr_goal *goal, const struct mlr_result *r)
{
	grid_add(g, "%s", goal->name);
	add_load(g, r->lower);
	add_load(g, r->upper);
	add_load(g, r->conditional);
	if (isnan(r->lower) || isnan(r->upper))
		grid_add(g, "-");
	else
		grid_add(g, "%.3f%%", (r->upper - r->lower) / r->upper * 100);
	grid_add(g, "%s", search_end_text[r->end]);
}

static void add_config(struct grid *g, const struct mlr_goal *goal)
{
	grid_add(g, "%s", goal->name);
	add_value(g, goal->loss_ppb, NUM_SHARE);
	add_value(g, goal->exceed_ppb, NUM_SHARE);
	if (goal->width_ppb)
		add_value(g, goal->width_ppb, NUM_SHARE);
	else
		grid_add(g, "-");
	add_value(g, goal->initial_ns, NUM_DURATION);
	add_value(g, goal->final_ns, NUM_DURATION);
	add_value(g, goal->sum_ns, NUM_DURATION);
}

/* What keeps a result from being RFC 2544's throughput. Ref: RFC 2544 s.24, s.26.1; RFC 9971 */
static void deviations(const struct search_run *s, FILE *out)
{
	for (uint32_t i = 0; i < s->n_goals; i++) {
		const struct mlr_goal *g = &s->goal[i];
		char why[128] = "";

		if (g->final_ns < mlr_goal_rfc2544.final_ns)
			str_addf(why, sizeof(why), ", trials below 60 s");
		if (g->loss_ppb)
			str_addf(why, sizeof(why), ", a loss ratio");
		if (g->exceed_ppb)
			str_addf(why, sizeof(why), ", an exceed ratio");
		if (*why)
			fprintf(out, "%s is not RFC 2544 throughput:%s\n", g->name, why + 1);
	}
}

static void mrr(const struct search_run *s, const char *unit, FILE *out)
{
	if (s->mrr.n == 0)
		return;
	fprintf(out, "\n  forwarded   %.1f %s/s, mean of %" PRIu32 "\n", s->mrr.mean, unit,
		s->mrr.n);
	if (s->mrr.n > 1)
		fprintf(out, "  deviation   %.1f\n", s->mrr.sd);
}

void report_search_goals(const struct search_run *s, const char *unit, FILE *out)
{
	static const char *const result[] = {"goal", "lower bound", "upper bound", "conditional",
		"apart", ""};
	static const char *const config[] = {"goal", "loss", "exceed", "width", "initial", "final",
		"sum"};
	_cleanup_(grid_freep) struct grid *results = grid_new(ARRAY_SIZE(result));
	_cleanup_(grid_freep) struct grid *configs = grid_new(ARRAY_SIZE(config));

	if (s->n_goals == 0) {
		mrr(s, unit, out);
		return;
	}
	head(results, result, ARRAY_SIZE(result));
	head(configs, config, ARRAY_SIZE(config));
	grid_left(results, ARRAY_SIZE(result) - 1);
	for (uint32_t i = 0; i < s->n_goals; i++) {
		add_goal(results, &s->goal[i], &s->result[i]);
		add_config(configs, &s->goal[i]);
	}
	fputc('\n', out);
	grid_print(results, out);
	fputc('\n', out);
	grid_print(configs, out);
	fprintf(out,
		"\nloads are %s/s of each interface; apart and width are (upper - lower) / upper\n",
		unit);
	deviations(s, out);
}

void report_search_loads(const struct search_run *s, FILE *out)
{
	_cleanup_(freep) double *load = xcalloc(s->log.n + 1, sizeof(*load));
	_cleanup_(grid_freep) struct grid *g = grid_new(2 + s->n_goals);
	const uint32_t n = search_run_loads(s, load);

	if (s->n_goals == 0)
		return;
	grid_add(g, "load");
	grid_add(g, "trials");
	for (uint32_t i = 0; i < s->n_goals; i++)
		grid_add(g, "%s", s->goal[i].name);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t n_trials = 0;

		for (uint32_t i = 0; i < s->log.n; i++)
			n_trials += s->log.trial[i].load == load[k];
		add_load(g, load[k]);
		grid_add(g, "%" PRIu32, n_trials);
		for (uint32_t i = 0; i < s->n_goals; i++)
			grid_add(g, "%s", mlr_class_name[search_run_class(s, load[k], i)]);
	}
	fputc('\n', out);
	grid_print(g, out);
}

void report_search_trials(const struct search_run *s, FILE *out)
{
	static const char *const title[] = {"trial", "load", "duration", "tried", "lost", "ratio"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(title));

	head(g, title, ARRAY_SIZE(title));
	for (uint32_t i = 0; i < s->log.n; i++) {
		const struct search_trial *t = &s->log.trial[i];

		grid_add(g, "%" PRIu32, i + 1);
		add_load(g, t->load);
		grid_add(g, "%.3f s", (double)t->duration_ns / NSEC_PER_SEC);
		grid_add(g, "%" PRIu64, t->tried);
		grid_add(g, "%" PRIu64, t->lost);
		grid_add(g, "%.7f", search_loss_ratio(t));
	}
	fputc('\n', out);
	grid_print(g, out);
}

static void sut_text(const struct sut_cfg *sut, FILE *out)
{
	fputs("SUT: a model, no frame was sent:", out);
	for (const struct opt *o = sut_opts; o->name; o++) {
		char is[64], usual[64];

		opt_get(o, sut, is, sizeof(is));
		opt_get(o, &sut_cfg_default, usual, sizeof(usual));
		if (o == sut_opts || strcmp(is, usual) != 0)
			fprintf(out, " %s=%s", o->name, is);
	}
	fputc('\n', out);
}

int report_search_text(const struct search_run *s, const struct sut_cfg *sut, bool verbose,
	FILE *out)
{
	char low[32], high[32];

	num_format(s->cfg.min_load, NUM_PER_S, low, sizeof(low));
	num_format(s->cfg.max_load, NUM_PER_S, high, sizeof(high));
	fprintf(out, "%s, loads %s to %s\n", search_kind_text[s->cfg.kind], low, high);
	sut_text(sut, out);
	fprintf(out, "%" PRIu32 " trials, %.1f s of simulated time\n", s->log.n,
		(double)s->log.effective_ns / NSEC_PER_SEC);
	report_search_goals(s, "frames", out);
	if (verbose) {
		report_search_loads(s, out);
		report_search_trials(s, out);
	}
	return report_flush(out);
}
