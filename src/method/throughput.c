/*
 * Throughput: the highest rate at which no frame is lost, by a binary search; or the goals of an
 * MLRsearch. Ref: RFC 2544 s.26.1, ETSI GS NFV-TST 009 s.12.3, RFC 9971.
 *
 * A binary search is made with short trials, as RFC 2544 s.24 allows; its answer then has to pass
 * a trial of full length. Where it does not, loads below are tried at full length: one step less,
 * two, four, ... and what lies between the two is searched at full length.
 */
#include "base/str.h"
#include "method/goals.h"
#include "method/rfc2544_priv.h"
#include "method/rfc2544_table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const struct field fields[] = {
	FIELD_STR(struct rfc_throughput, goal, "throughput, or a goal of MLRsearch"),
	FIELD_STR(struct rfc_throughput, end,
		"how the search ended: found, max-load, min-load or time-max"),
	FIELD_DOUBLE(struct rfc_throughput, fps, "frames/s", "highest load of a port that passed"),
	FIELD_DOUBLE(struct rfc_throughput, upper_fps, "frames/s",
		"lowest load above it that did not pass; null: none"),
	FIELD_DOUBLE(struct rfc_throughput, conditional_fps, "frames/s",
		"conditional throughput of RFC 9971; null: another search"),
	FIELD_DOUBLE(struct rfc_throughput, total_fps, "frames/s", "fps of all ports that send"),
	FIELD_DOUBLE(struct rfc_throughput, l1_bps, "bit/s",
		"of a port, with 20 bytes of preamble and gap for each frame"),
	FIELD_DOUBLE(struct rfc_throughput, l2_bps, "bit/s", "of a port, frames with FCS"),
	FIELD_DOUBLE(struct rfc_throughput, loss_ratio, "", "goal: more than that is loss"),
	FIELD_U64(struct rfc_throughput, final_ns, "ns", "length of the trials that decide"),
	FIELD_END,
};

/* What a search gives to its trials. */
struct search {
	struct rfc *c;
	struct rfc_unit *u;
};

static int trial(void *ctx, double load, uint64_t duration_ns, struct search_trial *ret,
	struct err *e)
{
	struct search *s = ctx;
	struct subject_trial t;
	int r = rfc_trial_one(s->c, s->u,
		&(struct rfc_one){.fps = load,
			.n_frames = rfc_frames(load, duration_ns),
			.fair = s->c->cfg.search != RFC_SEARCH_BINARY_LV},
		&t, e);

	if (r < 0)
		return r;
	ret->tried = t.tried;
	ret->lost = t.lost;
	ret->effective_ns = t.effective_ns;
	return 0;
}

/* The trials of this unit at a load that lost frames: did only the tester lose them? */
static bool by_tester(const struct rfc_unit *u, double fps)
{
	bool any = false;

	for (uint32_t i = 0; i < u->n_trials; i++) {
		const struct rfc_trial *t = &u->trial[i];

		if (t->fps != fps || t->lost == 0)
			continue;
		any = true;
		if (t->lost > t->own_lost)
			return false;
	}
	return any;
}

static void fill(const struct rfc *c, struct rfc_throughput *x, double size_bytes)
{
	x->total_fps = x->fps * c->subject->n_ports_tx;
	x->l1_bps = frame_l1_bps(x->fps, size_bytes);
	x->l2_bps = frame_l2_bps(x->fps, size_bytes);
}

static void judge_max(const struct rfc *c, const struct rfc_size *size, struct rfc_row *row)
{
	static const struct {
		enum rfc_status status;
		const char *text;
	} by[] = {
		[RFC_LIMIT_SELF] = {RFC_TESTER_LIMITED,
			">=: the tester sends no more; the SUT's is that or more"},
		[RFC_LIMIT_LINE] = {RFC_OK, "the line rate passes"},
		[RFC_LIMIT_MAX] = {RFC_MAX_RATE, ">=: --max-rate passes"},
	};
	bool self = size->max_fps >= size->self_fps * (1 - c->cfg.width_ppm / 1e6);
	enum rfc_limit limit = self && !c->subject->simulated ? RFC_LIMIT_SELF : size->limit;

	static_assert(ARRAY_SIZE(by) == RFC_LIMIT_N);
	rfc_verdict(row, by[limit].status, "%s", by[limit].text);
}

/* The least loaded trial that lost frames, for a SUT that passes none. */
static void judge_min(const struct rfc_unit *u, struct rfc_row *row)
{
	const struct rfc_trial *low = NULL;

	for (uint32_t i = 0; i < u->n_trials; i++)
		if (!low || u->trial[i].fps <= low->fps)
			low = &u->trial[i];
	if (low && low->lost == low->tried)
		rfc_verdict(row, RFC_FAILED, "no frame passes: all %llu lost at %.0f fps",
			(unsigned long long)low->lost, low->fps);
	else if (low)
		rfc_verdict(row, RFC_FAILED,
			"loses frames at the lowest load, %.0f fps: %llu of %llu", low->fps,
			(unsigned long long)low->lost, (unsigned long long)low->tried);
}

static void judge(const struct rfc *c, const struct rfc_unit *u, enum search_end end,
	struct rfc_row *row)
{
	struct rfc_throughput *x = &row->throughput;

	str_set(x->end, search_end_name[end]);
	fill(c, x, c->size[u->size].mix.mean_bytes);
	if (end == SEARCH_MAX_LOAD)
		judge_max(c, &c->size[u->size], row);
	else if (end == SEARCH_MIN_LOAD)
		judge_min(u, row);
	else if (end == SEARCH_TIME_MAX)
		rfc_verdict(row, RFC_FAILED, "out of time: between %.0f and %.0f fps", x->fps,
			x->upper_fps);
	else if (by_tester(u, x->upper_fps))
		rfc_verdict(row, RFC_TESTER_LIMITED,
			">=: all that was lost at %.0f fps the tester did not send in time, or had "
			"no room for: the SUT works on its CPUs, or others do",
			x->upper_fps);
	else
		rfc_verdict(row, RFC_OK, "%s", "");
}

static struct binary_cfg binary_of(const struct rfc *c, double max_fps, uint64_t duration_ns)
{
	bool verify = c->cfg.search == RFC_SEARCH_BINARY_LV;
	double step = max_fps * (c->cfg.width_ppm / 1e6);

	return (struct binary_cfg){
		.min_load = step,
		.max_load = max_fps,
		.step = step,
		.duration_ns = duration_ns,
		.max_repeat = verify ? c->cfg.lv_repeat : 1,
		.max_loss = verify ? c->cfg.lv_loss : UINT64_MAX,
	};
}

static int search(struct binary_result *ret, const struct binary_cfg *cfg, struct search *s,
	struct err *e)
{
	const struct search_ops ops = {.trial = trial, .ctx = s};
	_cleanup_(search_log_fini) struct search_log log = {0};

	return search_binary(ret, &log, cfg, &ops, e);
}

/* One load at full length, repeated as the search does. *ret: does it pass? */
static int passes(bool *ret, double fps, const struct binary_cfg *full, struct search *s,
	struct err *e)
{
	struct binary_cfg one = *full;
	struct binary_result b;
	int r;

	one.min_load = one.max_load = fps;
	r = search(&b, &one, s, e);
	*ret = r == 0 && b.end == SEARCH_MAX_LOAD;
	return r;
}

/* @b: what short trials found; becomes what trials of full length find. */
static int confirm(struct binary_result *b, const struct binary_cfg *full, struct search *s,
	struct err *e)
{
	double step = full->step, low = b->lower, failed = b->upper;
	struct binary_cfg between = *full;
	struct binary_result found;
	bool pass = false, first = true;
	int r;

	while (!pass && low >= full->min_load * 0.999) {
		r = passes(&pass, low, full, s, e);
		if (r < 0)
			return r;
		if (pass)
			break;
		first = false;
		failed = low;
		/* The lowest load is the last that is tried. */
		low = low > full->min_load * 1.001 ? fmax(low - step, full->min_load) : 0;
		step *= 2;
	}
	if (!pass) {
		*b = (struct binary_result){SEARCH_MIN_LOAD, NAN, failed};
		return 0;
	}
	if (first)
		return 0; /* what short trials found is right */
	*b = (struct binary_result){SEARCH_FOUND, low, failed};
	between.min_load = low + full->step;
	between.max_load = failed - full->step;
	if (between.min_load > between.max_load * 1.0001)
		return 0;
	r = search(&found, &between, s, e);
	if (r < 0)
		return r;
	if (!isnan(found.lower))
		b->lower = found.lower;
	if (!isnan(found.upper))
		b->upper = found.upper;
	return 0;
}

static int run_binary(struct rfc *c, struct rfc_unit *u, struct err *e)
{
	struct search s = {c, u};
	double max_fps = c->size[u->size].max_fps;
	struct binary_cfg quick = binary_of(c, max_fps, c->cfg.time.search_ns);
	struct binary_cfg full = binary_of(c, max_fps, c->cfg.time.final_ns);
	struct binary_result b;
	struct rfc_row *row;
	int r = search(&b, &quick, &s, e);

	if (r == 0 && b.end != SEARCH_MIN_LOAD)
		r = confirm(&b, &full, &s, e);
	if (r < 0)
		return r;
	row = rfc_row_add(u);
	str_set(row->throughput.goal, "throughput");
	row->throughput.fps = b.lower;
	row->throughput.upper_fps = b.upper;
	row->throughput.loss_ratio = 0;
	row->throughput.final_ns = full.duration_ns;
	judge(c, u, b.end, row);
	return 0;
}

static int run_mlr(struct rfc *c, struct rfc_unit *u, struct err *e)
{
	struct search s = {c, u};
	const struct search_ops ops = {.trial = trial, .ctx = &s};
	_cleanup_(search_log_fini) struct search_log log = {0};
	const struct mlr_cfg cfg = goals_search(c->goal, c->n_goals, c->size[u->size].max_fps);
	struct mlr_result found[RFC_MAX_GOALS];
	int r = mlr_search(found, &log, &cfg, &ops, e);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < c->n_goals; i++) {
		struct rfc_row *row = rfc_row_add(u);

		str_set(row->throughput.goal, c->goal[i].name);
		row->throughput.fps = found[i].lower;
		row->throughput.upper_fps = found[i].upper;
		row->throughput.conditional_fps = found[i].conditional;
		row->throughput.loss_ratio = c->goal[i].loss_ppb / 1e9;
		row->throughput.final_ns = c->goal[i].final_ns;
		judge(c, u, found[i].end, row);
	}
	return 0;
}

/* The first trial after a set-up is slow (neighbours, flow caches): it does not count. */
static int warm_up(struct rfc *c, struct rfc_unit *u, struct err *e)
{
	const struct rfc_size *size = &c->size[u->size];
	uint64_t n = rfc_frames(size->max_fps / 2, c->cfg.time.search_ns);
	struct subject_ask ask = {.n_phases = 1, .learn = true};
	int r;

	ask.phase[0].fps = size->max_fps / 2;
	ask.phase[0].n_frames = n;
	r = rfc_trial_ask(c, u, &ask, &(struct subject_trial){0}, e);
	u->n_trials = 0;
	u->seen = (struct rfc_seen){0};
	return r;
}

/* The first search of an instantiation; the first instantiation is there. */
static bool begins(const struct rfc *c, const struct rfc_unit *u)
{
	return c->resources.rebuild && u->index % resources_repeats(&c->resources) == 0 &&
	       u->index > 0;
}

static int run(struct rfc *c, struct rfc_unit *u, struct err *e)
{
	int r = begins(c, u) ? subject_rebuild(c->subject, e) : 0;

	if (r == 0)
		r = warm_up(c, u, e);

	if (r < 0)
		return r;
	return c->cfg.search == RFC_SEARCH_MLR ? run_mlr(c, u, e) : run_binary(c, u, e);
}

static bool more(const struct rfc *c, uint32_t size, uint32_t i)
{
	(void)size;
	return i < resources_rebuilds(&c->resources) * resources_repeats(&c->resources);
}

static uint32_t units(const struct rfc *c, uint32_t size)
{
	(void)size;
	return resources_rebuilds(&c->resources) * resources_repeats(&c->resources);
}

void rfc_spread(const struct rfc *c, uint32_t size, uint32_t row, struct components *ret)
{
	double fps[RESOURCES_MAX_REBUILD * RESOURCES_MAX_REPEAT];
	uint32_t n_of[RESOURCES_MAX_REBUILD], each = resources_repeats(&c->resources);
	uint32_t n_groups = resources_rebuilds(&c->resources);

	for (uint32_t i = 0; i < n_groups * each; i++) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_THROUGHPUT, size, i);

		n_of[i / each] = each;
		fps[i] = u && row < u->n_rows ? u->row[row].throughput.fps : NAN;
	}
	*ret = components_of(fps, n_of, n_groups);
}

/*
 * Of a binary search exactly, if its answer passes at full length at once; of MLRsearch as if it
 * took as many short trials.
 */
static double unit_s(const struct rfc *c, uint32_t size)
{
	double overhead_s = rfc_overhead_s(c), steps = rfc_search_steps(c) + 1;
	/* Every other load loses frames, and is verified. */
	bool verified = c->cfg.search == RFC_SEARCH_BINARY_LV;
	double trials = verified ? steps * (1 + c->cfg.lv_repeat) / 2 : steps;

	(void)size;
	if (c->cfg.search != RFC_SEARCH_MLR)
		return trials * ((double)c->cfg.time.search_ns / 1e9 + overhead_s) +
		       (double)c->cfg.time.final_ns / 1e9 + overhead_s;
	return goals_estimate_s(c->goal, c->n_goals, overhead_s, steps);
}

const struct rfc_test rfc_test_throughput = {
	.name = "throughput",
	.title = "Throughput (RFC 2544 s.26.1)",
	.plain = "Highest rate without loss",
	.summary = "the highest rate at which no frame is lost",
	.fields = fields,
	.fields_offset = offsetof(struct rfc_row, throughput),
	.more = more,
	.units = units,
	.unit_s = unit_s,
	.run = run,
};
