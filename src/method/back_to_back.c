/*
 * Back-to-back frames: the longest burst at the highest rate that loses nothing, and what it says
 * about the SUT's buffer. Ref: RFC 9004, which updates RFC 2544 s.26.4.
 *
 * A search doubles the burst until frames get lost, then halves between (ETSI GS NFV-TST 009
 * s.12.3.2, with loss verification where --search has it), to 1/256 of the burst. Where the SUT
 * forwards at the highest rate its buffer never fills, and there is nothing to find (s.5.1).
 */
#include "method/rfc2544_priv.h"
#include "method/rfc2544_table.h"

#include <math.h>
#include <string.h>

#define FIRST_FRAMES 2
#define STEP_DIVISOR 256

static const struct field fields[] = {
	FIELD_DOUBLE(struct rfc_burst, burst_frames, "frames", "longest burst that lost nothing"),
	FIELD_DOUBLE(struct rfc_burst, upper_frames, "frames", "shortest above it that lost some"),
	FIELD_DOUBLE(struct rfc_burst, step_frames, "frames", "from one burst to the next"),
	FIELD_DOUBLE(struct rfc_burst, max_fps, "frames/s", "rate of bursts, a port"),
	FIELD_DOUBLE(struct rfc_burst, implied_s, "s", "burst / rate"),
	FIELD_DOUBLE(struct rfc_burst, corrected_s, "s",
		"less what was forwarded meanwhile: implied x (1 - throughput / rate)"),
	FIELD_DOUBLE(struct rfc_burst, buffer_frames, "frames", "corrected time x rate"),
	FIELD_END,
};

void rfc_burst_times(struct rfc_burst *b, double throughput_fps)
{
	b->implied_s = b->burst_frames / b->max_fps;
	b->corrected_s = b->implied_s - b->implied_s * (throughput_fps / b->max_fps);
	b->buffer_frames = b->corrected_s * b->max_fps;
}

struct search {
	struct rfc *c;
	struct rfc_unit *u;
	double fps;
};

/* Bursts as loads: @load frames. */
static int trial(void *ctx, double load, uint64_t duration_ns, struct search_trial *ret,
	struct err *e)
{
	struct search *s = ctx;
	uint64_t n = (uint64_t)(load + 0.5);
	struct subject_trial t;
	int r = rfc_trial_one(s->c, s->u,
		&(struct rfc_one){.fps = s->fps,
			.n_frames = n,
			.fair = s->c->cfg.search != RFC_SEARCH_BINARY_LV},
		&t, e);

	(void)duration_ns;
	if (r < 0)
		return r;
	ret->tried = t.tried;
	ret->lost = t.lost;
	ret->effective_ns = t.effective_ns;
	return 0;
}

static struct binary_cfg binary_of(const struct rfc *c, double low, double high, double step)
{
	bool verify = c->cfg.search == RFC_SEARCH_BINARY_LV;

	return (struct binary_cfg){
		.min_load = low,
		.max_load = high,
		.step = step,
		.duration_ns = 1, /* a burst has none of its own */
		.max_repeat = verify ? c->cfg.lv_repeat : 1,
		.max_loss = verify ? c->cfg.lv_loss : UINT64_MAX,
	};
}

/* One search over [low, high]. A single load when they are the same. */
static int between(struct binary_result *ret, struct search *s, const struct binary_cfg *cfg,
	struct err *e)
{
	const struct search_ops ops = {.trial = trial, .ctx = s};
	_cleanup_(search_log_fini) struct search_log log = {0};

	return search_binary(ret, &log, cfg, &ops, e);
}

/* Doubles until frames get lost. *low: the longest so far that lost none, 0: none did. */
static int grow(struct search *s, double limit, double *low, double *high, struct err *e)
{
	*low = 0;
	*high = NAN;
	for (double n = FIRST_FRAMES; *low < limit; n *= 2) {
		double frames = fmin(n, limit);
		struct binary_cfg one = binary_of(s->c, frames, frames, 1);
		struct binary_result b;
		int r = between(&b, s, &one, e);

		if (r < 0)
			return r;
		if (b.end != SEARCH_MAX_LOAD) {
			*high = frames;
			return 0;
		}
		*low = frames;
	}
	return 0;
}

static int find(struct search *s, struct rfc_burst *ret, double limit, struct err *e)
{
	double low, high;
	struct binary_cfg cfg;
	struct binary_result b;
	int r = grow(s, limit, &low, &high, e);

	if (r < 0)
		return r;
	ret->burst_frames = low;
	ret->upper_frames = high;
	ret->step_frames = fmax(1, floor(high / STEP_DIVISOR));
	if (isnan(high) || low == 0 || high - low <= ret->step_frames)
		return 0;
	cfg = binary_of(s->c, low + ret->step_frames, high - ret->step_frames, ret->step_frames);
	if (cfg.min_load > cfg.max_load)
		return 0;
	r = between(&b, s, &cfg, e);
	if (r < 0)
		return r;
	if (!isnan(b.lower))
		ret->burst_frames = b.lower;
	if (!isnan(b.upper))
		ret->upper_frames = b.upper;
	return 0;
}

static void judge(const struct rfc *c, const struct search *s, double throughput_fps,
	struct rfc_row *row)
{
	struct rfc_burst *b = &row->burst;

	if (b->burst_frames == 0) {
		b->burst_frames = NAN;
		rfc_verdict(row, RFC_NOT_APPLICABLE,
			"no buffer: a burst of %d frames loses some already", FIRST_FRAMES);
		return;
	}
	b->max_fps = s->fps;
	rfc_burst_times(b, throughput_fps);
	if (isnan(b->upper_frames))
		rfc_verdict(row, RFC_MAX_RATE,
			">=: no frame lost in the longest burst of %.3g s: raise --burst-max",
			(double)c->cfg.burst_max_ns / 1e9);
}

/* The SUT takes all that there is, or all that the tester has: no buffer ever fills. */
static bool never_fills(const struct rfc *c, const struct rfc_unit *u)
{
	const struct rfc_unit *t = rfc_unit_at(c, RFC_THROUGHPUT, u->size, 0);

	return t && t->n_rows &&
	       strcmp(t->row[0].throughput.end, search_end_name[SEARCH_MAX_LOAD]) == 0;
}

/* NULL: there is a buffer to be found. */
static const char *not_applicable(const struct rfc *c, const struct rfc_unit *u)
{
	const struct rfc_size *size = &c->size[u->size];

	if (size->mix.n > 1)
		return "a mix of sizes: RFC 9004 s.5.1 has fixed sizes only";
	if (never_fills(c, u))
		return "forwards at the highest rate: its buffer never fills";
	/* In line, a sender as fast as it goes waits for the SUT: no queue grows. */
	if (size->limit == RFC_LIMIT_SELF && !c->subject->simulated)
		return "no line rate to send bursts at: --line-rate or --max-rate gives one";
	return NULL;
}

static int run(struct rfc *c, struct rfc_unit *u, struct err *e)
{
	const struct rfc_size *size = &c->size[u->size];
	const struct rfc_throughput *base = rfc_base(c, u->size, false);
	struct search s = {.c = c, .u = u, .fps = size->max_fps};
	struct rfc_burst found = {0};
	struct rfc_row *row;
	const char *why;
	int r;

	if (!base) {
		rfc_no_base(u);
		return 0;
	}
	why = not_applicable(c, u);
	if (why) {
		rfc_verdict(rfc_row_add(u), RFC_NOT_APPLICABLE, "%s", why);
		return 0;
	}
	r = find(&s, &found, floor(size->max_fps * (double)c->cfg.burst_max_ns / 1e9), e);
	if (r < 0)
		return r;
	row = rfc_row_add(u);
	row->burst.burst_frames = found.burst_frames;
	row->burst.upper_frames = found.upper_frames;
	row->burst.step_frames = found.step_frames;
	judge(c, &s, base->fps, row);
	return 0;
}

static uint32_t units(const struct rfc *c, uint32_t size)
{
	(void)size;
	return c->cfg.time.burst_repeat;
}

/* Where there is nothing to find, there is nothing to repeat. */
static bool more(const struct rfc *c, uint32_t size, uint32_t i)
{
	const struct rfc_unit *first = rfc_unit_at(c, RFC_BACK_TO_BACK, size, 0);

	return i < units(c, size) &&
	       (i == 0 || (first && first->n_rows && first->row[0].status == RFC_OK));
}

/*
 * Bursts of a few thousand frames: 12 doublings, then 8 halvings of which every other loses some,
 * each with a trial's overhead.
 */
static double unit_s(const struct rfc *c, uint32_t size)
{
	uint32_t again = c->cfg.search == RFC_SEARCH_BINARY_LV ? c->cfg.lv_repeat - 1 : 0;

	(void)size;
	return (12 + 8 + 5 * again) * rfc_overhead_s(c);
}

void rfc_burst_sum(const struct rfc *c, uint32_t size, struct rfc_burst_sum *ret)
{
	const struct rfc_throughput *base = rfc_base(c, size, false);
	double sum = 0, squares = 0, max_fps = 0;
	struct rfc_burst mean;

	*ret = (struct rfc_burst_sum){0, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	for (uint32_t i = 0; i < units(c, size); i++) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_BACK_TO_BACK, size, i);
		const struct rfc_burst *b = u ? &u->row[0].burst : NULL;

		if (!u || u->row[0].status != RFC_OK)
			continue;
		ret->n++;
		sum += b->burst_frames;
		max_fps += b->max_fps;
		ret->min_frames = fmin(ret->min_frames, b->burst_frames);
		ret->max_frames = fmax(ret->max_frames, b->burst_frames);
	}
	if (ret->n == 0 || !base)
		return;
	ret->mean_frames = sum / ret->n;
	for (uint32_t i = 0; i < units(c, size); i++) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_BACK_TO_BACK, size, i);

		if (u && u->row[0].status == RFC_OK)
			squares += pow(u->row[0].burst.burst_frames - ret->mean_frames, 2);
	}
	if (ret->n > 1)
		ret->sd_frames = sqrt(squares / (ret->n - 1));
	mean = (struct rfc_burst){.burst_frames = ret->mean_frames, .max_fps = max_fps / ret->n};
	rfc_burst_times(&mean, base->fps);
	ret->implied_s = mean.implied_s;
	ret->corrected_s = mean.corrected_s;
	ret->buffer_frames = mean.buffer_frames;
}

const struct rfc_test rfc_test_back_to_back = {
	.name = "back-to-back",
	.title = "Back-to-back frames (RFC 9004)",
	.plain = "Back-to-back frames",
	.summary = "the longest burst at the highest rate without loss, and the buffer behind it",
	.fields = fields,
	.fields_offset = offsetof(struct rfc_row, burst),
	.needs_throughput = true,
	.more = more,
	.units = units,
	.unit_s = unit_s,
	.run = run,
};
