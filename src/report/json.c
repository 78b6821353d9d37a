#include "report/json.h"

#include "bench/fields.h"
#include "bench/hists.h"
#include "finding/finding.h"
#include "report/report.h"
#include "report/schema.h"

static struct doc *config(const struct run *run)
{
	struct doc *d = doc_object();

	doc_put_opts(d, bench_opts, &run->bench);
	doc_put_opts(d, path_opts, &run->path_cfg);
	return d;
}

static struct doc *environment(const struct env *env)
{
	struct doc *d = doc_object();

	doc_put_fields(d, env_fields, env);
	return d;
}

static struct doc *remote(const struct run *run)
{
	struct doc *d = doc_object();
	struct doc *cfg = doc_object();

	doc_put_opts(cfg, remote_opts, &run->remote_cfg);
	doc_put_fields(d, remote_fields, &run->remote);
	doc_put(d, "config", cfg);
	doc_put(d, "environment", environment(&run->remote.env));
	return d;
}

static struct doc *limits(const struct run *run)
{
	struct doc *d = doc_array();

	for (uint32_t i = 0; i < run->n_limits; i++)
		doc_append_str(d, run->limit[i]);
	return d;
}

static struct doc *paths(const struct run *run)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < run->n_paths; i++) {
		const struct path_result *p = &run->path[i];
		struct doc *d = doc_object();
		struct doc *cfg = doc_object();
		struct doc *notes = doc_array();

		doc_put_str(d, "name", p->spec.name);
		doc_put_str(d, "kind", p->spec.ops->name);
		doc_put_str(d, "summary", p->spec.ops->summary);
		doc_put_str(d, "hops", p->spec.ops->hops);
		doc_put_str(d, "status", status_name[p->status]);
		doc_put_opts(cfg, path_opts, &p->spec.cfg);
		if (p->spec.ops->opts)
			doc_put_opts(cfg, p->spec.ops->opts, &p->spec.cfg);
		if (p->spec.ops->kin_opts)
			doc_put_opts(cfg, p->spec.ops->kin_opts, &p->spec.cfg);
		for (uint32_t k = 0; k < p->n_notes; k++)
			doc_append_str(notes, p->note[k]);
		doc_put(d, "config", cfg);
		doc_put(d, "notes", notes);
		doc_put_fields(d, path_result_fields, p);
		if (p->has_guest_env)
			doc_put(d, "guest", environment(&p->guest_env));
		else
			doc_put_null(d, "guest");
		doc_append(list, d);
	}
	return list;
}

static struct doc *loads(const struct run *run)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < run->n_loads; i++) {
		struct doc *d = doc_object();
		struct doc *cfg = doc_object();

		doc_put_opts(cfg, run->load[i].ops->opts, &run->load[i].cfg);
		doc_put_str(d, "id", run->load[i].id);
		doc_put_str(d, "name", run->load[i].ops->name);
		doc_put(d, "config", cfg);
		doc_append(list, d);
	}
	return list;
}

static struct doc *estimate(const struct estimate *x)
{
	struct doc *d = doc_object();

	doc_put_fields(d, estimate_fields, x);
	return d;
}

static struct doc *metrics(const struct cell *c)
{
	struct doc *list = doc_array();

	for (uint32_t k = 0; k < METRIC_N; k++) {
		const struct metric_value *v = &c->metric[k];
		struct doc *d;

		if (v->value.n == 0)
			continue;
		d = doc_object();
		doc_put_str(d, "metric", metric_table[k].name);
		doc_put_str(d, "unit", metric_table[k].unit);
		doc_put(d, "value", estimate(&v->value));
		if (v->ratio.n)
			doc_put(d, "ratio", estimate(&v->ratio));
		else
			doc_put_null(d, "ratio");
		doc_put_double(d, "ceiling", v->ceiling);
		doc_append(list, d);
	}
	return list;
}

struct doc *json_percentile(const char *name, const struct hist *h, double q)
{
	double v, low, high;
	struct doc *d;

	if (!hist_quantile(h, q, &v) || !hist_quantile_ci(h, q, &low, &high))
		return NULL;
	d = doc_object();
	doc_put_str(d, "metric", name);
	doc_put_str(d, "unit", "ns");
	doc_put_u64(d, "n", h->count);
	doc_put_double(d, "value", v);
	doc_put_double(d, "ci_low", low);
	doc_put_double(d, "ci_high", high);
	return d;
}

static struct doc *percentiles(const struct cell *c)
{
	struct doc *list = doc_array();

	for (uint32_t k = 0; k < metric_n_percentiles; k++) {
		const struct metric_percentile *p = &metric_percentile[k];
		struct doc *d = json_percentile(p->name, hists_at(c->hist, p->hist), p->q);

		if (d)
			doc_append(list, d);
	}
	return list;
}

struct doc *json_cells(const struct run *run)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; run->cell && i < run->n_loads * run->n_paths; i++) {
		const struct cell *c = &run->cell[i];
		struct doc *d = doc_object();

		doc_put_str(d, "path", run->path[c->path].spec.name);
		doc_put_str(d, "load", run->load[c->load].id);
		doc_put_str(d, "stop", stop_reason_name[c->stop]);
		doc_put_fields(d, cell_fields, c);
		doc_put(d, "metrics", metrics(c));
		doc_put(d, "percentiles", percentiles(c));
		for (uint32_t h = 0; h < LOAD_HIST_N; h++)
			if (hists_at(c->hist, h)->count)
				doc_put_hist(d, load_hist_name[h], hists_at(c->hist, h));
			else
				doc_put_null(d, load_hist_name[h]);
		doc_append(list, d);
	}
	return list;
}

static struct doc *end_report(const struct end_report *end)
{
	struct readings readings = end->readings; /* packing does not change it; only C says so */
	struct doc *d = doc_object();

	doc_put_fields(d, end_report_fields, end);
	doc_put(d, "meters", readings_pack(&readings));
	return d;
}

static void put_reading(struct doc *d, enum meter_id id, const void *reading)
{
	struct doc *one = doc_object();

	doc_put_fields(one, meter_table[id]->fields, reading);
	doc_put(d, meter_table[id]->name, one);
}

static struct doc *watch(const struct watch_report *w)
{
	struct doc *d = doc_object();

	if (w->has_cpu)
		put_reading(d, METER_CPU, &w->cpu);
	if (w->has_drops)
		put_reading(d, METER_DROPS, &w->drops);
	return d;
}

static void put_interval_end(struct doc *d, const char *key, const struct interval *x, bool far)
{
	struct doc *one;

	if (!x->has[far]) {
		doc_put_null(d, key);
		return;
	}
	one = doc_object();
	doc_put_fields(one, interval_fields, &x->end[far]);
	doc_put(d, key, one);
}

void json_put_interval(struct doc *d, uint32_t n, const struct interval *x)
{
	doc_put_u64(d, "n", n);
	put_interval_end(d, "near", x, false);
	put_interval_end(d, "far", x, true);
}

static struct doc *intervals(const struct interval_list *list)
{
	struct doc *all = doc_array();

	for (uint32_t i = 0; i < list->n; i++) {
		struct doc *d = doc_object();

		json_put_interval(d, i, &list->at[i]);
		doc_append(all, d);
	}
	return all;
}

void json_put_trial(struct doc *d, const struct run *run, const struct trial *t)
{
	doc_put_str(d, "path", run->path[t->path].spec.name);
	doc_put_str(d, "load", run->load[t->load].id);
	doc_put_str(d, "status", status_name[t->status]);
	doc_put_fields(d, trial_fields, t);
	if (t->status == STATUS_OK) {
		doc_put(d, "near", end_report(&t->near));
		doc_put(d, "far", end_report(&t->far));
	}
	doc_put(d, "watch", watch(&t->watch));
}

static void put_finding(void *ctx, const struct run *run, const struct finding *f)
{
	struct doc *list = ctx, *d = doc_object();

	doc_put_str(d, "finding", f->ops->name);
	doc_put_str(d, "path", run->path[f->path].spec.name);
	doc_put_str(d, "load", run->load[f->load].id);
	doc_put_str(d, "text", f->text);
	doc_append(list, d);
}

struct doc *json_findings(const struct run *run)
{
	struct doc *list = doc_array();

	finding_each(run, put_finding, list);
	return list;
}

static struct doc *trials(const struct run *run)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < run->n_trials; i++) {
		struct doc *d = doc_object();

		json_put_trial(d, run, &run->trial[i]);
		doc_put(d, "intervals", intervals(&run->trial[i].intervals));
		doc_append(list, d);
	}
	return list;
}

void json_put_head(struct doc *d, const struct run *run)
{
	schema_put_head(d, "tare-run", REPORT_SCHEMA_VERSION);
	doc_put_fields(d, run_fields, run);
	doc_put(d, "config", config(run));
	doc_put(d, "environment", environment(&run->env));
	if (run_is_remote(run))
		doc_put(d, "remote", remote(run));
	else
		doc_put_null(d, "remote");
	doc_put(d, "limits", limits(run));
	doc_put(d, "paths", paths(run));
	doc_put(d, "loads", loads(run));
}

int report_json(const struct run *run, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();

	json_put_head(d, run);
	doc_put(d, "cells", json_cells(run));
	doc_put(d, "findings", json_findings(run));
	doc_put(d, "trials", trials(run));
	return doc_write(d, out);
}
