/*
 * The table people read: first what each path costs over the bare machine at a glance, then one
 * block per load with absolute numbers, intervals and ratios, then what to know about them.
 */
#include "base/str.h"
#include "base/version.h"
#include "bench/hists.h"
#include "report/grid.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

#define BAR_COLUMNS 20

/* A column of a block's own, besides goodput or latency and cost. */
struct column {
	const char *title;
	enum metric_id metric;
	double scale;
	int decimals;
};

/* What each kind of load is judged by. */
struct kind {
	enum metric_id main, cost;
	const char *main_title, *cost_title;
	double main_scale;
	const char *main_unit;
	bool latencies;        /* p50 and p99 */
	struct column more[5]; /* to the first without a title */
};
static const struct kind kinds[] = {
	[LOAD_KIND_BULK] = {METRIC_GOODPUT_BPS, METRIC_CPU_NS_PER_BYTE, "goodput", "CPU/byte", 1e-9,
		"Gbit/s"},
	[LOAD_KIND_TRANSACTIONS] = {METRIC_LATENCY_MEAN_NS, METRIC_CPU_NS_PER_TRANSACTION,
		"latency", "CPU/transaction", 1e-3, "us", .latencies = true,
		.more = {{"transactions/s", METRIC_TRANSACTIONS_PER_S, 1, 0}}},
	[LOAD_KIND_PACKETS] = {METRIC_PACKETS_PER_S, METRIC_CPU_NS_PER_PACKET, "received",
		"CPU/packet", 1e-3, "k/s",
		.more = {{"Gbit/s", METRIC_GOODPUT_BPS, 1e-9, 3},
			{"loss %", METRIC_LOSS_RATIO, 100, 3},
			{"reordered %", METRIC_REORDERED_RATIO, 100, 3},
			{"jitter us", METRIC_JITTER_NS, 1e-3, 1}}},
};
static_assert(ARRAY_SIZE(kinds) == LOAD_KIND_N);

static const struct kind *kind_of(const struct run *run, uint32_t load)
{
	return &kinds[run->load[load].ops->kind];
}

/* "0.953 ±0.012" without more digits than the interval deserves; "-" when not measured. */
static void ratio_text(const struct metric_value *v, char *ret, size_t size)
{
	const struct estimate *r = &v->ratio;

	ret[0] = '\0';
	if (r->n == 0)
		str_addf(ret, size, "-");
	else if (r->n == 1)
		str_addf(ret, size, "%.2f", r->mean);
	else
		str_addf(ret, size, "%.2f ±%.2f", r->mean, (r->ci_high - r->ci_low) / 2);
}

/* Every row says what its numbers can't be compared with. */
static void add_path(struct grid *g, const struct path_result *p)
{
	if (*p->mark)
		grid_add(g, "%s [%s]", p->spec.name, p->mark);
	else
		grid_add(g, "%s", p->spec.name);
}

static void glance_head(const struct run *run, struct grid *g)
{
	grid_add(g, "%s", "");
	for (uint32_t i = 0; i < run->n_loads; i++) {
		grid_add(g, "%s", run->load[i].id);
		grid_add(g, "%s", run->load[i].id);
	}
	grid_add(g, "path");
	for (uint32_t i = 0; i < run->n_loads; i++) {
		const struct kind *k = kind_of(run, i);

		grid_add(g, "%s", k->main_title);
		grid_add(g, "%s", k->cost_title);
	}
}

static void glance(const struct run *run, FILE *out)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(1 + 2 * run->n_loads);
	char text[64];

	glance_head(run, g);
	for (uint32_t path = 0; path < run->n_paths; path++) {
		if (run->path[path].status != STATUS_OK)
			continue;
		add_path(g, &run->path[path]);
		for (uint32_t i = 0; i < run->n_loads; i++) {
			const struct cell *c = run_cell(run, i, path);
			const struct kind *k = kind_of(run, i);
			enum metric_id id[] = {k->main, k->cost};

			for (size_t m = 0; m < ARRAY_SIZE(id); m++) {
				ratio_text(&c->metric[id[m]], text, sizeof(text));
				grid_add(g, "%s",
					path == 0 && c->metric[id[m]].value.n ? "1" : text);
			}
		}
	}
	fprintf(out, "\nWhat each path costs over the bare machine: ratio to native, "
		     "95 %% interval\n\n");
	grid_print(g, out);
}

/* Relative half width as "±1.3 %". */
static void spread_text(const struct estimate *x, char *ret, size_t size)
{
	ret[0] = '\0';
	if (x->n >= 2)
		str_addf(ret, size, "±%.1f %%", 100 * estimate_half_width(x));
}

static void interval_text(const struct cell *c, const struct metric_value *v, char *ret,
	size_t size)
{
	const struct estimate *r = &v->ratio;

	ret[0] = '\0';
	if (c->path == 0)
		str_addf(ret, size, "1");
	else if (r->n >= 2)
		str_addf(ret, size, "%.3f [%.3f, %.3f]", r->mean, r->ci_low, r->ci_high);
	else
		str_addf(ret, size, r->n ? "%.3f" : "-", r->mean);
}

/* @compared: with its ratio to native */
static void add_value(struct grid *g, const struct cell *c, const struct metric_value *v,
	double scale, bool compared)
{
	char text[64];

	if (v->value.n)
		grid_add(g, "%.4g", v->value.mean * scale);
	else
		grid_add(g, "-");
	spread_text(&v->value, text, sizeof(text));
	grid_add(g, "%s", text);
	if (!compared)
		return;
	interval_text(c, v, text, sizeof(text));
	grid_add(g, "%s", text);
}

static void add_percentile(struct grid *g, const struct cell *c, enum load_hist id, double q)
{
	double v;

	if (hist_quantile(hists_at(c->hist, id), q, &v))
		grid_add(g, "%.4g", v * 1e-3);
	else
		grid_add(g, "-");
}

static void add_column(struct grid *g, const struct cell *c, const struct column *x)
{
	const struct estimate *v = &c->metric[x->metric].value;

	if (v->n)
		grid_add(g, "%.*f", x->decimals, v->mean * x->scale);
	else
		grid_add(g, "-");
}

/* A bar per row, as long as its cost against the dearest path of the block. */
static void add_bar(struct grid *g, const struct run *run, uint32_t load, const struct cell *c,
	enum metric_id id)
{
	char bar[BAR_COLUMNS + 1] = "";
	double most = 0, v = c->metric[id].value.mean;

	for (uint32_t path = 0; path < run->n_paths; path++) {
		const struct estimate *x = &run_cell(run, load, path)->metric[id].value;

		if (x->n && x->mean > most)
			most = x->mean;
	}
	if (c->metric[id].value.n && most > 0)
		memset(bar, '#', (size_t)lround(BAR_COLUMNS * v / most));
	grid_add(g, "%s", bar);
}

static void block_head(struct grid *g, const struct kind *k, bool ceiling, bool compared)
{
	grid_add(g, "path");
	grid_add(g, "%s %s", k->main_title, k->main_unit);
	grid_add(g, "%s", "");
	if (compared)
		grid_add(g, "to native [95 %%]");
	if (k->latencies) {
		grid_add(g, "p50 us");
		grid_add(g, "p99 us");
	}
	for (const struct column *x = k->more; x->title; x++)
		grid_add(g, "%s", x->title);
	if (ceiling)
		grid_add(g, "of ceiling");
	grid_add(g, "%s ns", k->cost_title);
	grid_add(g, "%s", "");
	if (compared)
		grid_add(g, "to native [95 %%]");
	grid_add(g, "n");
	if (compared)
		grid_add(g, "%s", k->cost_title);
}

static void block_row(struct grid *g, const struct run *run, const struct kind *k,
	const struct cell *c, bool ceiling)
{
	const struct metric_value *main = &c->metric[k->main];
	bool compared = run_is_compared(run);

	add_path(g, &run->path[c->path]);
	add_value(g, c, main, k->main_scale, compared);
	if (k->latencies) {
		add_percentile(g, c, LOAD_HIST_LATENCY, 0.5);
		add_percentile(g, c, LOAD_HIST_LATENCY, 0.99);
	}
	for (const struct column *x = k->more; x->title; x++)
		add_column(g, c, x);
	if (ceiling && isfinite(main->ceiling) && main->value.n)
		grid_add(g, "%.1f %%", 100 * main->value.mean / main->ceiling);
	else if (ceiling)
		grid_add(g, "-");
	add_value(g, c, &c->metric[k->cost], 1, compared);
	grid_add(g, "%u", main->value.n);
	if (compared)
		add_bar(g, run, c->load, c, k->cost);
}

static bool has_ceiling(const struct run *run, uint32_t load)
{
	for (uint32_t path = 0; path < run->n_paths; path++)
		if (isfinite(run_cell(run, load, path)->metric[METRIC_GOODPUT_BPS].ceiling))
			return true;
	return false;
}

static void block_title(const struct run *run, uint32_t load, FILE *out)
{
	const struct load_spec *l = &run->load[load];

	fprintf(out, "\n%s:", l->id);
	for (const struct opt *o = l->ops->opts; o->name; o++) {
		char value[64], usual[64];

		opt_get(o, &l->cfg, value, sizeof(value));
		opt_get(o, l->ops->defaults, usual, sizeof(usual));
		if (strcmp(o->name, "flows") == 0 ||
			(l->ops->each && strcmp(o->name, l->ops->each) == 0) ||
			(*value && strcmp(value, usual) != 0))
			fprintf(out, " %s %s", o->name, value);
	}
	fputs("\n\n", out);
}

static uint32_t count_columns(const struct kind *k, bool ceiling, bool compared)
{
	uint32_t n = (compared ? 9 : 6) + (k->latencies ? 2 : 0) + ceiling;

	for (const struct column *x = k->more; x->title; x++)
		n++;
	return n;
}

/* Has this load filled the histogram on any path? */
static bool has_hist(const struct run *run, uint32_t load, enum load_hist id)
{
	for (uint32_t path = 0; path < run->n_paths; path++)
		if (hists_at(run_cell(run, load, path)->hist, id)->count)
			return true;
	return false;
}

static void add_share(struct grid *g, const struct metric_value *v)
{
	if (v->value.n)
		grid_add(g, "%.2g %%", 100 * v->value.mean);
	else
		grid_add(g, "-");
}

/* What else was timed: the phases of a connection; in open loop how late near itself was. */
static void phases(const struct run *run, uint32_t load, FILE *out)
{
	bool slip = has_hist(run, load, LOAD_HIST_SLIP);
	_cleanup_(grid_freep) struct grid *g = NULL;
	uint32_t n = 0;

	for (uint32_t i = LOAD_HIST_LATENCY + 1; i < LOAD_HIST_N; i++)
		n += has_hist(run, load, i);
	if (n == 0)
		return;
	g = grid_new(1 + 2 * n + 2 * slip);
	grid_add(g, "path");
	for (uint32_t i = LOAD_HIST_LATENCY + 1; i < LOAD_HIST_N; i++) {
		if (!has_hist(run, load, i))
			continue;
		grid_add(g, "%s p50 us", load_hist_name[i]);
		grid_add(g, "p99 us");
	}
	if (slip) {
		grid_add(g, "late");
		grid_add(g, "unanswered");
	}
	for (uint32_t path = 0; path < run->n_paths; path++) {
		const struct cell *c = run_cell(run, load, path);

		if (run->path[path].status != STATUS_OK)
			continue;
		add_path(g, &run->path[path]);
		for (uint32_t i = LOAD_HIST_LATENCY + 1; i < LOAD_HIST_N; i++) {
			if (!has_hist(run, load, i))
				continue;
			add_percentile(g, c, i, 0.5);
			add_percentile(g, c, i, 0.99);
		}
		if (slip) {
			add_share(g, &c->metric[METRIC_LATE_RATIO]);
			add_share(g, &c->metric[METRIC_UNANSWERED_RATIO]);
		}
	}
	fputs("\n", out);
	grid_print(g, out);
}

static bool has_parts(const struct run *run, const struct cell *c)
{
	for (uint32_t i = 0; i < METRIC_N_PARTS; i++)
		if (c->metric[metric_part(run->load[c->load].ops->kind, i)].value.n)
			return true;
	return false;
}

/* Who the softirqs worked for, of each path that has been metered. */
static void softirqs(const struct run *run, uint32_t load, FILE *out)
{
	enum load_kind kind = run->load[load].ops->kind;
	_cleanup_(grid_freep) struct grid *g = grid_new(2 + METRIC_N_PARTS);
	bool any = false;

	grid_add(g, "path");
	grid_add(g, "softirq ns/%s:", metric_work_name[kind]);
	for (uint32_t i = 0; i < METRIC_N_PARTS; i++)
		grid_add(g, "%s", metric_part_name[i]);
	for (uint32_t path = 0; path < run->n_paths; path++) {
		const struct cell *c = run_cell(run, load, path);

		if (!has_parts(run, c))
			continue;
		any = true;
		add_path(g, &run->path[path]);
		grid_add(g, "%s", "");
		for (uint32_t i = 0; i < METRIC_N_PARTS; i++) {
			const struct estimate *v = &c->metric[metric_part(kind, i)].value;

			grid_add(g, v->n ? "%.4g" : "-", v->mean);
		}
	}
	if (!any)
		return;
	fputs("\n", out);
	grid_print(g, out);
}

void report_block(const struct run *run, uint32_t load, FILE *out)
{
	const struct kind *k = kind_of(run, load);
	bool ceiling = has_ceiling(run, load);
	bool compared = run_is_compared(run);
	uint32_t n_columns = count_columns(k, ceiling, compared);
	_cleanup_(grid_freep) struct grid *g = grid_new(n_columns);

	if (compared)
		grid_left(g, n_columns - 1);
	block_head(g, k, ceiling, compared);
	for (uint32_t path = 0; path < run->n_paths; path++)
		if (run->path[path].status == STATUS_OK)
			block_row(g, run, k, run_cell(run, load, path), ceiling);
	block_title(run, load, out);
	grid_print(g, out);
	phases(run, load, out);
	softirqs(run, load, out);
}

static void add_quantiles(struct grid *g, const struct cell *idle, const struct cell *loaded,
	double q)
{
	double a, b;

	add_percentile(g, idle, LOAD_HIST_LATENCY, q);
	add_percentile(g, loaded, LOAD_HIST_LATENCY, q);
	if (hist_quantile(hists_at(idle->hist, LOAD_HIST_LATENCY), q, &a) &&
		hist_quantile(hists_at(loaded->hist, LOAD_HIST_LATENCY), q, &b))
		grid_add(g, "%+.4g", (b - a) * 1e-3);
	else
		grid_add(g, "-");
}

/* What bulk traffic adds to latency: queues on the way, and CPUs that are busy. */
static void under(const struct run *run, uint32_t load, uint32_t idle_load, FILE *out)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(8);

	grid_add(g, "path");
	for (int i = 0; i < 2; i++) {
		grid_add(g, "p%d us idle", i ? 99 : 50);
		grid_add(g, "under load");
		grid_add(g, "added");
	}
	grid_add(g, "stream Gbit/s");
	for (uint32_t path = 0; path < run->n_paths; path++) {
		const struct cell *idle = run_cell(run, idle_load, path);
		const struct cell *loaded = run_cell(run, load, path);
		const struct estimate *bps = &loaded->metric[METRIC_UNDER_BPS].value;

		if (run->path[path].status != STATUS_OK)
			continue;
		add_path(g, &run->path[path]);
		add_quantiles(g, idle, loaded, 0.5);
		add_quantiles(g, idle, loaded, 0.99);
		grid_add(g, bps->n ? "%.4g" : "-", bps->mean * 1e-9);
	}
	fprintf(out, "\nWhat a stream beside it adds to the latency of %s\n\n",
		run->load[idle_load].id);
	grid_print(g, out);
}

static void head(const struct run *run, FILE *out)
{
	char mtu[32], rate[32] = "unshaped";

	num_format(run->path_cfg.mtu, NUM_COUNT, mtu, sizeof(mtu));
	if (run->path_cfg.wire_rate_bps)
		num_format(run->path_cfg.wire_rate_bps, NUM_RATE, rate, sizeof(rate));
	fprintf(out, "tare %s, method %d, %s%s\n", TARE_VERSION, METHOD_VERSION, run->started,
		run->complete ? "" : ": INTERRUPTED, what follows is partial");
	fprintf(out, "Linux %.*s, %u CPUs (%s), ", (int)strcspn(run->env.kernel, " "),
		run->env.kernel, run->env.n_cpus, run->env.cpu_model);
	if (run_is_remote(run))
		fprintf(out, "to %s (%s) port %u\n", run->remote.host, run->remote.addr,
			run->remote.port);
	else
		fprintf(out, "%s, MTU %s, wire %s, between %s%s\n",
			run->path_cfg.ipv6 ? "IPv6" : "IPv4", mtu, rate,
			path_between_name[run->path_cfg.between],
			run->rootless ? ", not root" : "");
}

int report_text(const struct run *run, FILE *out)
{
	head(run, out);
	if (run->n_paths > 1)
		glance(run, out);
	for (uint32_t i = 0; i < run->n_loads; i++)
		report_block(run, i, out);
	for (uint32_t i = 0; i < run->n_loads; i++)
		if (run_idle_of(run, i) < run->n_loads)
			under(run, i, run_idle_of(run, i), out);
	report_findings(run, out);
	report_foot(run, out);
	return report_flush(out);
}
