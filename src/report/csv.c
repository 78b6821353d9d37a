/*
 * One line per cell and metric, header first; empty where there is no number. RFC 4180. Each number
 * of an interval is a line too: its metric is "near.bytes_rx", n the interval's number in its trial
 * from 0, and it stands under mean.
 */
#include "bench/hists.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

static const char header[] =
	"path,load,metric,unit,n,mean,median,sd,ci_low,ci_high,ratio,ratio_ci_low,ratio_ci_high,"
	"ceiling,stop,status\n";

static void number(FILE *out, double v)
{
	fputc(',', out);
	if (isfinite(v))
		fprintf(out, "%.12g", v);
}

/* Options make a path's name a list. Ref: RFC 4180 s.2, 6 and 7. */
static void path_name(const struct run *run, uint32_t path, FILE *out)
{
	const char *name = run->path[path].spec.name;
	bool quoted = strpbrk(name, ",\"\r\n");

	if (quoted)
		fputc('"', out);
	for (const char *s = name; *s; s++)
		fputs(*s == '"' ? "\"\"" : (char[]){*s, '\0'}, out);
	if (quoted)
		fputc('"', out);
}

static void row_head(const struct run *run, const struct cell *c, const char *metric,
	const char *unit, FILE *out)
{
	path_name(run, c->path, out);
	fprintf(out, ",%s,%s,%s", run->load[c->load].id, metric, unit);
}

static void row_tail(const struct run *run, const struct cell *c, FILE *out)
{
	fprintf(out, ",%s,%s\n", stop_reason_name[c->stop], status_name[run->path[c->path].status]);
}

static void metric_row(const struct run *run, const struct cell *c, enum metric_id id, FILE *out)
{
	const struct metric_value *v = &c->metric[id];
	const struct estimate *x = &v->value, *r = &v->ratio;

	row_head(run, c, metric_table[id].name, metric_table[id].unit, out);
	fprintf(out, ",%u", x->n);
	number(out, x->mean);
	number(out, x->median);
	number(out, x->sd);
	number(out, x->ci_low);
	number(out, x->ci_high);
	number(out, r->mean);
	number(out, r->ci_low);
	number(out, r->ci_high);
	number(out, v->ceiling);
	row_tail(run, c, out);
}

/* A percentile has no mean of trials: its value stands under median, from all samples. */
static void percentile_row(const struct run *run, const struct cell *c,
	const struct metric_percentile *p, FILE *out)
{
	const struct hist *h = hists_at(c->hist, p->hist);
	double v, low, high;

	if (!hist_quantile(h, p->q, &v) || !hist_quantile_ci(h, p->q, &low, &high))
		return;
	row_head(run, c, p->name, "ns", out);
	fprintf(out, ",%llu,", (unsigned long long)h->count);
	number(out, v);
	fputc(',', out);
	number(out, low);
	number(out, high);
	fputs(",,,,", out);
	row_tail(run, c, out);
}

static uint64_t member(const struct field *f, const void *strct)
{
	const char *at = (const char *)strct + f->offset;

	return f->type == FIELD_T_U32 ? *(const uint32_t *)at : *(const uint64_t *)at;
}

static void interval_rows(const struct run *run, const struct trial *t, uint32_t n, bool far,
	FILE *out)
{
	const struct interval *x = &t->intervals.at[n];

	for (const struct field *f = interval_fields; x->has[far] && f->name; f++) {
		path_name(run, t->path, out);
		fprintf(out, ",%s,%s.%s,%s,%u,%llu,,,,,,,,,,%s\n", run->load[t->load].id,
			far ? "far" : "near", f->name, f->unit, n,
			(unsigned long long)member(f, &x->end[far]), status_name[t->status]);
	}
}

static void trial_rows(const struct run *run, const struct trial *t, FILE *out)
{
	for (uint32_t n = 0; n < t->intervals.n; n++) {
		interval_rows(run, t, n, false, out);
		interval_rows(run, t, n, true, out);
	}
}

int report_csv(const struct run *run, FILE *out)
{
	fputs(header, out);
	for (uint32_t i = 0; i < run->n_loads * run->n_paths; i++) {
		const struct cell *c = &run->cell[i];

		for (uint32_t k = 0; k < METRIC_N; k++)
			if (c->metric[k].value.n)
				metric_row(run, c, k, out);
		for (uint32_t k = 0; k < metric_n_percentiles; k++)
			percentile_row(run, c, &metric_percentile[k], out);
	}
	for (uint32_t i = 0; i < run->n_trials; i++)
		trial_rows(run, &run->trial[i], out);
	return report_flush(out);
}
