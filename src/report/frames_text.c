#include "report/frames.h"

#include "report/grid.h"
#include "report/report.h"
#include "report/resources.h"

#include <math.h>

/* Counts of one direction, as rows: label and member. */
static const struct row {
	const char *label;
	bool sent; /* of struct frame_sent, else frame_count */
	size_t offset;
	bool always; /* also when it is 0 everywhere */
} row[] = {
	{"sent", true, offsetof(struct frame_sent, sent), true},
	{"unsent", true, offsetof(struct frame_sent, unsent), false},
	{"modifiers", true, offsetof(struct frame_sent, modifiers), false},
	{"received", false, offsetof(struct frame_count, received), true},
	{"duplicated", false, offsetof(struct frame_count, duplicated), true},
	{"reordered", false, offsetof(struct frame_count, reordered), true},
	{"corrupt", false, offsetof(struct frame_count, corrupt), true},
	{"late", false, offsetof(struct frame_count, late), true},
	{"no test frames", false, offsetof(struct frame_count, alien), true},
	{"learning frames", false, offsetof(struct frame_count, learned), false},
};

static uint64_t value(const struct row *x, const struct tester_flow *f)
{
	const char *base = x->sent ? (const char *)&f->sent : (const char *)&f->got;

	return *(const uint64_t *)(const void *)(base + x->offset);
}

static void add_count(struct grid *g, const char *label, const struct tester_trial *t,
	uint64_t (*get)(const void *x, const struct tester_flow *f), const void *x)
{
	grid_add(g, "%s", label);
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		if (t->flow[i].used)
			grid_add(g, "%llu", (unsigned long long)get(x, &t->flow[i]));
}

static uint64_t get_row(const void *x, const struct tester_flow *f)
{
	return value(x, f);
}

static uint64_t get_intended(const void *x, const struct tester_flow *f)
{
	(void)x;
	return f->intended;
}

static uint64_t get_overflowed(const void *x, const struct tester_flow *f)
{
	(void)x;
	return f->overflowed;
}

static bool shown(const struct row *x, const struct tester_trial *t)
{
	return x->always || (t->flow[0].used && value(x, &t->flow[0])) ||
	       (t->flow[1].used && value(x, &t->flow[1]));
}

static void add_lost(struct grid *g, const struct tester_trial *t)
{
	grid_add(g, "lost");
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++) {
		const struct tester_flow *f = &t->flow[i];

		if (f->used)
			grid_add(g, "%llu (%.4g %%)", (unsigned long long)f->lost,
				f->intended ? 100.0 * (double)f->lost / (double)f->intended : 0.0);
	}
}

enum rate_row {
	RATE_FPS,
	RATE_L1,
	RATE_L2,
	RATE_SLIP,
	RATE_N,
};
static const char *const rate_label[RATE_N] = {"frames/s", "Mbit/s, L1", "Mbit/s, L2",
	"sent late, max us"};

static double rate_value(enum rate_row what, const struct tester_flow *f)
{
	const struct frames_rate r = frames_rate(&f->got);
	const double v[RATE_N] = {[RATE_FPS] = r.fps,
		[RATE_L1] = r.l1_bps / 1e6,
		[RATE_L2] = r.l2_bps / 1e6,
		[RATE_SLIP] = (double)f->sent.slip_max_ns / 1e3};

	return v[what];
}

static void add_rates(struct grid *g, const struct tester_trial *t)
{
	for (enum rate_row what = 0; what < RATE_N; what++) {
		grid_add(g, "%s", rate_label[what]);
		for (uint32_t i = 0; i < TESTER_N_PORTS; i++) {
			double v = t->flow[i].used ? rate_value(what, &t->flow[i]) : NAN;

			if (t->flow[i].used && isnan(v))
				grid_add(g, "-");
			else if (t->flow[i].used)
				grid_add(g, what == RATE_FPS ? "%.0f" : "%.1f", v);
		}
	}
}

static void put_table(const struct tester_trial *t, FILE *out)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(1U + t->flow[0].used + t->flow[1].used);

	grid_add(g, "frames");
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		if (t->flow[i].used)
			grid_add(g, i == 0 ? "near to far" : "far to near");
	add_count(g, "intended", t, get_intended, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (shown(&row[i], t))
			add_count(g, row[i].label, t, get_row, &row[i]);
	add_lost(g, t);
	if (t->flow[0].overflowed || t->flow[1].overflowed)
		add_count(g, "  by the tester itself", t, get_overflowed, NULL);
	add_rates(g, t);
	grid_print(g, out);
}

/* Ref: stat/hist.h: none with fewer than 10 samples beyond it. */
static void put_latency(const struct hist *h, FILE *out)
{
	static const double quantile[] = {0.5, 0.9, 0.99, 0.999};
	double v;

	if (h->count == 0) {
		fputs("\nlatency: no frame was received\n", out);
		return;
	}
	fprintf(out, "\nlatency, us: min %.2f", (double)h->min_ns / 1e3);
	for (size_t i = 0; i < ARRAY_SIZE(quantile); i++)
		if (hist_quantile(h, quantile[i], &v))
			fprintf(out, "  p%g %.2f", 100 * quantile[i], v / 1e3);
	fprintf(out, "  max %.2f  (%llu frames, send to receive)\n", (double)h->max_ns / 1e3,
		(unsigned long long)h->count);
}

/* "-" where there is no number. */
static void put_number(const char *label, double v, FILE *out)
{
	if (isnan(v))
		fprintf(out, "%s -", label);
	else
		fprintf(out, "%s %.0f", label, v);
}

/* A line for each instantiation, with what its trials received; then what all of them say. */
static void put_spread(const struct frames_spread *s, FILE *out)
{
	if (s->n_rebuilds * s->n_repeats == 1)
		return;
	fprintf(out,
		"\nreceived frames/s of %u instantiations, %u trials each (above: the first)\n",
		s->n_rebuilds, s->n_repeats);
	for (uint32_t i = 0; i < s->n_rebuilds; i++) {
		fprintf(out, "  %3u", i + 1);
		for (uint32_t k = 0; k < s->n_repeats; k++)
			fprintf(out, " %10.0f",
				frames_received_fps(&s->trial[i * s->n_repeats + k]));
		fputc('\n', out);
	}
	put_number("  mean", s->fps.mean, out);
	put_number(", 95 % interval", s->fps.ci_low, out);
	put_number(" to", s->fps.ci_high, out);
	put_number("; sd within an instantiation", s->fps.sd_within, out);
	put_number(", between them", s->fps.sd_between, out);
	fputc('\n', out);
}

int frames_text(const struct frames_report *r, FILE *out)
{
	const struct tester_info *t = &r->subject->info;

	fprintf(out, "%s, frames of %s bytes, ", r->subject->name, r->mix->name);
	if (isinf(r->fps))
		fputs("as fast as it goes", out);
	else
		fprintf(out, "%.0f frames/s", r->fps);
	fprintf(out, ", sent by %u\n\n", r->trial->burst);
	put_table(r->trial, out);
	if (r->trial->hist)
		put_latency(r->trial->hist, out);
	put_spread(r->spread, out);
	fprintf(out, "\nsent by %s on CPU %s, received by %s on CPU %s, device %s\n", t->tx,
		t->tx_cpu, t->rx, t->rx_cpu, t->place);
	report_resources(r->resources, resources_info(r->subject->resources), out);
	if (*t->note)
		fprintf(out, "note: %s\n", t->note);
	for (uint32_t i = 0; i < r->subject->n_notes; i++)
		fprintf(out, "note: %s\n", r->subject->note[i]);
	return report_flush(out);
}
