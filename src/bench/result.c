#include "bench/result.h"

#include "base/mem.h"
#include "base/str.h"
#include "bench/hists.h"

#include <math.h>
#include <string.h>

const char *const status_name[] = {
	[STATUS_OK] = "ok",
	[STATUS_SKIPPED] = "skipped",
	[STATUS_FAILED] = "failed",
};
static_assert(ARRAY_SIZE(status_name) == STATUS_N);

const char *const stop_reason_name[] = {
	[STOP_NONE] = "none",
	[STOP_WIDTH] = "width",
	[STOP_REPEAT_MAX] = "repeat-max",
	[STOP_TIME_MAX] = "time-max",
	[STOP_BASELINE] = "baseline",
	[STOP_INTERRUPTED] = "interrupted",
	[STOP_FAILED] = "failed",
};
static_assert(ARRAY_SIZE(stop_reason_name) == STOP_N);

const char *const bench_pin_name[] = {
	[BENCH_PIN_AUTO] = "auto",
	[BENCH_PIN_APART] = "apart",
	[BENCH_PIN_TOGETHER] = "together",
	[BENCH_PIN_NONE] = "none",
};
static_assert(ARRAY_SIZE(bench_pin_name) == BENCH_PIN_N);

const char *const bench_softirq_name[] = {
	[BENCH_SOFTIRQ_OFF] = "off",
	[BENCH_SOFTIRQ_EXTRA] = "extra",
	[BENCH_SOFTIRQ_ALL] = "all",
};
static_assert(ARRAY_SIZE(bench_softirq_name) == BENCH_SOFTIRQ_N);

void run_free(struct run *run)
{
	if (!run)
		return;
	for (uint32_t i = 0; i < run->n_trials; i++) {
		hists_fini(run->trial[i].hist);
		interval_list_fini(&run->trial[i].intervals);
	}
	for (uint32_t i = 0; run->cell && i < run->n_loads * run->n_paths; i++)
		hists_fini(run->cell[i].hist);
	free(run->trial);
	free(run->cell);
	free(run);
}

bool run_is_remote(const struct run *run)
{
	return *run->remote_cfg.host != '\0';
}

bool run_is_on_wire(const struct run *run)
{
	return *run->path_cfg.wire_dev != '\0';
}

bool run_is_compared(const struct run *run)
{
	return !run_is_remote(run) || run->n_paths > 1;
}

struct cell *run_cell(const struct run *run, uint32_t load, uint32_t path)
{
	assert(load < run->n_loads && path < run->n_paths);
	return &run->cell[load * run->n_paths + path];
}

uint32_t run_idle_of(const struct run *run, uint32_t load)
{
	const struct load_spec *l = &run->load[load];

	if (l->cfg.under != LOAD_UNDER_STREAM || load == 0)
		return run->n_loads;
	if (l[-1].ops != l->ops || l[-1].cfg.under != LOAD_UNDER_IDLE)
		return run->n_loads;
	return load - 1;
}

void run_add_limit(struct run *run, const char *text)
{
	for (uint32_t i = 0; i < run->n_limits; i++)
		if (strcmp(run->limit[i], text) == 0)
			return;
	if (run->n_limits < RUN_MAX_LIMITS)
		str_set(run->limit[run->n_limits++], text);
}

static bool is_of(const struct trial *t, uint32_t load, uint32_t path)
{
	return t->load == load && t->path == path && t->status == STATUS_OK;
}

/* The good trial of this cell in this round, or NULL. */
static const struct trial *trial_in_round(const struct run *run, uint32_t load, uint32_t path,
	uint32_t round)
{
	for (uint32_t i = 0; i < run->n_trials; i++)
		if (run->trial[i].round == round && is_of(&run->trial[i], load, path))
			return &run->trial[i];
	return NULL;
}

static struct metric_value summarise_metric(const struct run *run, const struct cell *c,
	const struct metric *m)
{
	_cleanup_(freep) double *x = xcalloc(run->n_trials, sizeof(*x));
	_cleanup_(freep) double *a = xcalloc(run->n_trials, sizeof(*a));
	_cleanup_(freep) double *b = xcalloc(run->n_trials, sizeof(*b));
	uint32_t n = 0, n_pairs = 0;

	for (uint32_t i = 0; i < run->n_trials; i++) {
		const struct trial *t = &run->trial[i], *native;
		bool counts = is_of(t, c->load, c->path) && (!t->extra || m->metered);
		double v = counts ? m->value(t) : NAN;

		if (!isfinite(v))
			continue;
		x[n++] = v;
		native = c->path ? trial_in_round(run, c->load, 0, t->round) : NULL;
		if (!native || !(v > 0) || !(m->value(native) > 0))
			continue;
		a[n_pairs] = v;
		b[n_pairs++] = m->value(native);
	}
	return (struct metric_value){.value = estimate_mean(x, n),
		.ratio = estimate_ratio(a, b, n_pairs),
		.ceiling = NAN};
}

static void summarise_cell(const struct run *run, struct cell *c)
{
	hists_init(c->hist, run->load[c->load].ops->hists);
	c->n_failed = 0;
	for (uint32_t i = 0; i < run->n_trials; i++) {
		const struct trial *t = &run->trial[i];

		if (!is_of(t, c->load, c->path))
			c->n_failed += t->load == c->load && t->path == c->path;
		else if (!t->extra)
			hists_merge(c->hist, t->hist);
	}
	for (uint32_t k = 0; k < METRIC_N; k++)
		c->metric[k] = metric_applies(&metric_table[k], run->load[c->load].ops->kind)
				       ? summarise_metric(run, c, &metric_table[k])
				       : (struct metric_value){.ceiling = NAN};
	/* Computed with TCP's headers. */
	if (run->path[c->path].ceiling_bps > 0 && run->load[c->load].ops->kind == LOAD_KIND_BULK)
		c->metric[METRIC_GOODPUT_BPS].ceiling =
			run->path[c->path].ceiling_bps *
			(run->load[c->load].cfg.dir == LOAD_DIR_BOTH ? 2 : 1);
}

void run_summarise(struct run *run)
{
	if (!run->cell) {
		run->cell = xcalloc((size_t)run->n_loads * run->n_paths, sizeof(*run->cell));
		for (uint32_t i = 0; i < run->n_loads * run->n_paths; i++)
			run->cell[i] =
				(struct cell){.load = i / run->n_paths, .path = i % run->n_paths};
	}
	for (uint32_t i = 0; i < run->n_loads * run->n_paths; i++)
		summarise_cell(run, &run->cell[i]);
}
