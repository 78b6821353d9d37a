/*
 * Latency: streams at the throughput of each size, RFC 2544 s.26.2's 20 of 120 s; after an
 * MLRsearch at 90, 50 and 10 % of the last goal's rate, as CSIT does.
 *
 * Each frame carries the time it was sent, where the RFC tags one in a stream: the mean of a stream
 * stands for that frame, and the distribution is of all frames. A lost frame has no latency.
 */
#include "method/rfc2544_priv.h"
#include "method/rfc2544_table.h"

#include "base/mem.h"

#include <math.h>

const struct field rfc_latency_fields[] = {
	FIELD_DOUBLE(struct rfc_latency, load, "", "of the rate that it is relative to"),
	FIELD_DOUBLE(struct rfc_latency, fps, "frames/s", "load of a port"),
	FIELD_U64(struct rfc_latency, samples, "", "frames whose latency is known"),
	FIELD_U64(struct rfc_latency, lost, "frames", "which have none"),
	FIELD_DOUBLE(struct rfc_latency, min_ns, "ns", "least"),
	FIELD_DOUBLE(struct rfc_latency, mean_ns, "ns", "mean"),
	FIELD_DOUBLE(struct rfc_latency, max_ns, "ns", "most"),
	FIELD_DOUBLE(struct rfc_latency, p50_ns, "ns", "median"),
	FIELD_DOUBLE(struct rfc_latency, p90_ns, "ns", "90 % of frames are not slower"),
	FIELD_DOUBLE(struct rfc_latency, p99_ns, "ns", "99 %"),
	FIELD_DOUBLE(struct rfc_latency, p999_ns, "ns",
		"99.9 %; null: fewer than 10 frames beyond"),
	FIELD_DOUBLE(struct rfc_latency, p9999_ns, "ns", "99.99 %"),
	FIELD_DOUBLE(struct rfc_latency, pdv_ns, "ns",
		"delay variation: 99th percentile less minimum. RFC 5481"),
	FIELD_END,
};

/* Ref: CSIT, after each NDR/PDR search. */
static const double mlr_loads[RFC_MAX_LATENCY_LOADS] = {0.9, 0.5, 0.1};

static uint32_t n_loads(const struct rfc *c)
{
	return c->cfg.search == RFC_SEARCH_MLR ? RFC_MAX_LATENCY_LOADS : 1;
}

static double load_of(const struct rfc *c, uint32_t i)
{
	return c->cfg.search == RFC_SEARCH_MLR ? mlr_loads[i % n_loads(c)] : 1;
}

/* NAN where too few frames lie beyond. Ref: stat/hist.h */
static double quantile(const struct hist *h, double q)
{
	double v = NAN;

	return hist_quantile(h, q, &v) ? v : NAN;
}

void rfc_latency_fill(struct rfc_latency *x, const struct hist *h)
{
	x->samples = h->count;
	if (h->count == 0)
		return;
	x->min_ns = (double)h->min_ns;
	x->mean_ns = hist_mean_ns(h);
	x->max_ns = (double)h->max_ns;
	x->p50_ns = quantile(h, 0.5);
	x->p90_ns = quantile(h, 0.9);
	x->p99_ns = quantile(h, 0.99);
	x->p999_ns = quantile(h, 0.999);
	x->p9999_ns = quantile(h, 0.9999);
	x->pdv_ns = x->p99_ns - x->min_ns;
}

static int run(struct rfc *c, struct rfc_unit *u, struct err *e)
{
	const struct rfc_throughput *base = rfc_base(c, u->size, true);
	struct rfc_one one = {0};
	struct subject_trial t;
	struct rfc_row *row;
	int r;

	if (!base) {
		rfc_no_base(u);
		return 0;
	}
	u->hist = xcalloc(1, sizeof(*u->hist));
	hist_init(u->hist);
	one.fps = base->fps * load_of(c, u->index);
	one.n_frames = rfc_frames(one.fps, c->cfg.time.latency_ns);
	one.hist = u->hist;
	r = rfc_trial_one(c, u, &one, &t, e);
	if (r < 0)
		return r;
	row = rfc_row_add(u);
	row->latency.load = load_of(c, u->index);
	row->latency.fps = one.fps;
	row->latency.lost = t.lost;
	rfc_latency_fill(&row->latency, u->hist);
	if (t.received == 0)
		rfc_verdict(row, RFC_FAILED, "no frame came: all %llu lost",
			(unsigned long long)t.lost);
	else if (t.lost)
		rfc_verdict(row, RFC_OK, "%llu of %llu frames were lost, and have no latency",
			(unsigned long long)t.lost, (unsigned long long)t.tried);
	return 0;
}

static uint32_t units(const struct rfc *c, uint32_t size)
{
	(void)size;
	return n_loads(c) * c->cfg.time.latency_repeat;
}

static bool more(const struct rfc *c, uint32_t size, uint32_t i)
{
	return i < units(c, size) && (i == 0 || rfc_base(c, size, true));
}

static double unit_s(const struct rfc *c, uint32_t size)
{
	(void)size;
	return (double)c->cfg.time.latency_ns / 1e9 + rfc_overhead_s(c);
}

static void sum_one(const struct rfc *c, uint32_t size, uint32_t load, struct rfc_latency_sum *ret)
{
	_cleanup_(freep) struct hist *all = xcalloc(1, sizeof(*all));
	struct rfc_latency x;
	double mean = 0;

	*ret = (struct rfc_latency_sum){.load = load_of(c, load)};
	hist_init(all);
	for (uint32_t i = load; i < units(c, size); i += n_loads(c)) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_LATENCY, size, i);

		if (!u || !u->hist || u->hist->count == 0)
			continue;
		ret->fps = u->row[0].latency.fps;
		mean += u->row[0].latency.mean_ns;
		ret->n++;
		hist_merge(all, u->hist);
	}
	if (ret->n == 0)
		return;
	rfc_latency_fill(&x, all);
	ret->samples = x.samples;
	ret->mean_ns = mean / ret->n;
	ret->min_ns = x.min_ns;
	ret->p50_ns = x.p50_ns;
	ret->p90_ns = x.p90_ns;
	ret->p99_ns = x.p99_ns;
	ret->p999_ns = x.p999_ns;
	ret->p9999_ns = x.p9999_ns;
	ret->max_ns = x.max_ns;
	ret->pdv_ns = x.pdv_ns;
}

uint32_t rfc_latency_sum(const struct rfc *c, uint32_t size, struct rfc_latency_sum *ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_loads(c); i++) {
		sum_one(c, size, i, &ret[n]);
		n += ret[n].n > 0;
	}
	return n;
}

const struct rfc_test rfc_test_latency = {
	.name = "latency",
	.title = "Latency (RFC 2544 s.26.2)",
	.plain = "Latency",
	.summary = "of frames at the highest rate without loss",
	.fields = rfc_latency_fields,
	.fields_offset = offsetof(struct rfc_row, latency),
	.needs_throughput = true,
	.more = more,
	.units = units,
	.unit_s = unit_s,
	.run = run,
};
