#include "stat/run.h"

#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

const char *const search_kind_name[] = {
	[SEARCH_MLR] = "mlr",
	[SEARCH_BINARY] = "binary",
	[SEARCH_BINARY_LV] = "binary-lv",
	[SEARCH_MRR] = "mrr",
};
static_assert(ARRAY_SIZE(search_kind_name) == SEARCH_KIND_N);

const char *const search_kind_text[] = {
	[SEARCH_MLR] = "MLRsearch (RFC 9971)",
	[SEARCH_BINARY] = "binary search (TST 009 12.3.2)",
	[SEARCH_BINARY_LV] = "binary search with loss verification (TST 009 12.3.3)",
	[SEARCH_MRR] = "forwarding rate at maximum load (RFC 2285)",
};
static_assert(ARRAY_SIZE(search_kind_text) == SEARCH_KIND_N);

/* Without a step of its own, a binary search is as fine as CSIT's goals: 0.5 %. */
#define STEPS 200

/* Loads that doubles and 64 bits of frames hold for as long as a trial may last. */
#define MAX_LOAD 10000000000

/* Ref: FD.io CSIT: 9001 frames a second at least, MRR of 10 trials of 1 s; 14880952 is 10GE's */
const struct search_cfg search_cfg_default = {
	.kind = SEARCH_MLR,
	.min_load = 9001,
	.max_load = 14880952,
	.time_max_ns = 1200 * NSEC_PER_SEC,
	.goals = "ndr;pdr",
	.duration_ns = NSEC_PER_SEC,
	.repeat_max = 2,
	.trials = 10,
};

const struct opt search_opts[] = {
	OPT_ENUM(struct search_cfg, kind, "search", 0, search_kind_name, "how to search"),
	OPT_U64(struct search_cfg, min_load, "min-load", 0, "<n>",
		"lowest load, a second, of each interface", .unit = NUM_PER_S, .min = 1,
		.max = MAX_LOAD),
	OPT_U64(struct search_cfg, max_load, "max-load", 0, "<n>", "highest load",
		.unit = NUM_PER_S, .min = 1, .max = MAX_LOAD),
	OPT_U64(struct search_cfg, time_max_ns, "time-max", 0, "<time>",
		"begin no trial that would end later; 0: no limit", .unit = NUM_DURATION,
		.min = NSEC_PER_MSEC, .max = 7 * 86400 * NSEC_PER_SEC, .zero_ok = true),
	OPT_STR(struct search_cfg, goals, "goals", 0, "<goal>[;<goal>...]",
		"mlr: ndr, pdr, rfc2544, loss=0.5%,exceed=50%,..., or a name and what differs"),
	OPT_U64(struct search_cfg, duration_ns, "duration", 0, "<time>",
		"binary, binary-lv, mrr: length of a trial", .unit = NUM_DURATION,
		.min = NSEC_PER_MSEC, .max = 86400 * NSEC_PER_SEC),
	OPT_U64(struct search_cfg, step, "step", 0, "<n>",
		"binary, binary-lv: loads are apart by this; 0: a 200th of the highest",
		.unit = NUM_PER_S, .min = 1, .max = MAX_LOAD, .zero_ok = true),
	OPT_U32(struct search_cfg, loss_ppb, "loss", 0, "<%>",
		"binary, binary-lv: a trial that loses more fails", .unit = NUM_SHARE,
		.max = MLR_PPB - 1),
	OPT_U32(struct search_cfg, repeat_max, "repeat-max", 0, "<n>",
		"binary-lv: max(r), trials at a load until one passes", .min = 1, .max = 1000),
	OPT_U64(struct search_cfg, loss_max, "loss-max", 0, "<n>",
		"binary-lv: z, not again when more frames than that are lost; 0: always"),
	OPT_U32(struct search_cfg, trials, "trials", 0, "<n>", "mrr: trials", .min = 1,
		.max = 10000),
	OPT_END,
};

const struct field mlr_result_fields[] = {
	FIELD_DOUBLE(struct mlr_result, lower, "1/s",
		"relevant lower bound: the largest load that passes below all that fail"),
	FIELD_DOUBLE(struct mlr_result, upper, "1/s",
		"relevant upper bound: the smallest load that fails"),
	FIELD_DOUBLE(struct mlr_result, conditional, "1/s",
		"conditional throughput at lower; of mlr only"),
	FIELD_END,
};

static uint32_t repeats(const struct search_cfg *cfg)
{
	return cfg->kind == SEARCH_BINARY_LV ? cfg->repeat_max : 1;
}

/*
 * A binary search as a goal: one good trial of r at a load will do. The ratio is rounded up, so
 * that one good trial is enough. Ref: RFC 9971 on TST 009, where r is 2 and the ratio 50 %
 */
static struct mlr_goal binary_goal(const struct search_cfg *cfg)
{
	const uint32_t r = repeats(cfg);
	struct mlr_goal g = {
		.final_ns = cfg->duration_ns,
		.sum_ns = cfg->duration_ns * r,
		.loss_ppb = cfg->loss_ppb,
		.exceed_ppb = (uint32_t)(((uint64_t)MLR_PPB * (r - 1) + r - 1) / r),
		.initial_ns = cfg->duration_ns,
	};

	str_set(g.name, "throughput");
	return g;
}

static double step_of(const struct search_cfg *cfg)
{
	return cfg->step ? (double)cfg->step : (double)cfg->max_load / STEPS;
}

static int check(const struct search_cfg *cfg, const struct mlr_goal *goal, uint32_t n_goals,
	struct err *e)
{
	uint64_t shortest_ns = cfg->duration_ns;

	if (cfg->min_load > cfg->max_load)
		return err_say(e, EINVAL, "--min-load %" PRIu64 " is more than --max-load %" PRIu64,
			cfg->min_load, cfg->max_load);
	for (uint32_t i = 0; i < n_goals; i++)
		shortest_ns = i ? MIN(shortest_ns, goal[i].initial_ns) : goal[i].initial_ns;
	/* Ref: RFC 9971, "Min Load": at least one frame in the shortest trial */
	if ((double)cfg->min_load * (double)shortest_ns < (double)NSEC_PER_SEC)
		return err_say(e, EINVAL, "--min-load %" PRIu64 " has no frame in a trial of %g ms",
			cfg->min_load, (double)shortest_ns / NSEC_PER_MSEC);
	return 0;
}

int search_run_init(struct search_run *s, const struct search_cfg *cfg, struct err *e)
{
	struct mlr_cfg goals = {0};
	int r;

	*s = (struct search_run){.cfg = *cfg};
	if (cfg->kind == SEARCH_MLR) {
		r = mlr_goals_parse(&goals, cfg->goals, e);
		if (r < 0)
			return err_wrap(e, "--goals");
	} else if (cfg->kind != SEARCH_MRR) {
		goals.n_goals = 1;
		goals.goal[0] = binary_goal(cfg);
	}
	s->n_goals = goals.n_goals;
	for (uint32_t i = 0; i < s->n_goals; i++) {
		s->goal[i] = goals.goal[i];
		s->result[i] = (struct mlr_result){SEARCH_STOPPED, NAN, NAN, NAN};
	}
	return check(cfg, s->goal, s->n_goals, e);
}

void search_run_fini(struct search_run *s)
{
	search_log_fini(&s->log);
}

static int run_mlr(struct search_run *s, const struct search_ops *ops, struct err *e)
{
	struct mlr_cfg cfg = {
		.min_load = (double)s->cfg.min_load,
		.max_load = (double)s->cfg.max_load,
		.n_goals = s->n_goals,
		.time_max_ns = s->cfg.time_max_ns,
	};

	for (uint32_t i = 0; i < s->n_goals; i++)
		cfg.goal[i] = s->goal[i];
	return mlr_search(s->result, &s->log, &cfg, ops, e);
}

static int run_binary(struct search_run *s, const struct search_ops *ops, struct err *e)
{
	const struct binary_cfg cfg = {
		.min_load = (double)s->cfg.min_load,
		.max_load = (double)s->cfg.max_load,
		.step = step_of(&s->cfg),
		.duration_ns = s->cfg.duration_ns,
		.loss_ratio = (double)s->cfg.loss_ppb / MLR_PPB,
		.max_repeat = repeats(&s->cfg),
		.max_loss = s->cfg.loss_max ? s->cfg.loss_max : UINT64_MAX,
		.time_max_ns = s->cfg.time_max_ns,
	};
	struct binary_result x;
	int r = search_binary(&x, &s->log, &cfg, ops, e);

	s->result[0] = (struct mlr_result){x.end, x.lower, x.upper, NAN};
	return r;
}

static int run_mrr(struct search_run *s, const struct search_ops *ops, struct err *e)
{
	return search_mrr(&s->mrr, &s->log, (double)s->cfg.max_load, s->cfg.duration_ns,
		s->cfg.trials, ops, e);
}

int search_run(struct search_run *s, const struct search_ops *ops, struct err *e)
{
	static int (*const run[])(struct search_run * s, const struct search_ops *ops,
		struct err *e) = {
		[SEARCH_MLR] = run_mlr,
		[SEARCH_BINARY] = run_binary,
		[SEARCH_BINARY_LV] = run_binary,
		[SEARCH_MRR] = run_mrr,
	};

	static_assert(ARRAY_SIZE(run) == SEARCH_KIND_N);
	return run[s->cfg.kind](s, ops, e);
}

/* A binary search passes a load by one trial, and fails it when it has seen enough. */
static enum mlr_class binary_class(const struct search_run *s, double load)
{
	uint32_t n_bad = 0;

	for (uint32_t i = 0; i < s->log.n; i++) {
		const struct search_trial *t = &s->log.trial[i];

		if (t->load != load)
			continue;
		if (!mlr_is_bad(t, &s->goal[0]))
			return MLR_LOWER;
		n_bad++;
		if (s->cfg.loss_max && t->lost > s->cfg.loss_max)
			return MLR_UPPER;
	}
	return n_bad >= repeats(&s->cfg) ? MLR_UPPER : MLR_UNDECIDED;
}

enum mlr_class search_run_class(const struct search_run *s, double load, uint32_t goal)
{
	assert(goal < s->n_goals);
	return s->cfg.kind == SEARCH_MLR ? mlr_classify(&s->log, load, &s->goal[goal])
					 : binary_class(s, load);
}

bool search_run_regular(const struct search_run *s)
{
	for (uint32_t i = 0; i < s->n_goals; i++)
		if (s->result[i].end != SEARCH_FOUND)
			return false;
	return true;
}

static int compare_loads(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

uint32_t search_run_loads(const struct search_run *s, double *ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->log.n; i++)
		ret[i] = s->log.trial[i].load;
	if (s->log.n)
		qsort(ret, s->log.n, sizeof(*ret), compare_loads);
	for (uint32_t i = 0; i < s->log.n; i++)
		if (i == 0 || ret[i] != ret[n - 1])
			ret[n++] = ret[i];
	return n;
}
