/* MLRsearch's controller: trials until every goal has its answer, or there is no more to spend. */
#include "stat/mlr.h"

#include "base/cleanup.h"
#include "stat/mlr_next.h"

#include <errno.h>
#include <math.h>

static int check_goal(const struct mlr_cfg *cfg, const struct mlr_goal *g, struct err *e)
{
	if (g->final_ns == 0 || g->sum_ns == 0 || g->initial_ns == 0)
		return err_say(e, EINVAL, "goal %s: a duration is 0", g->name);
	if (g->loss_ppb >= MLR_PPB || g->exceed_ppb >= MLR_PPB || g->width_ppb >= MLR_PPB)
		return err_say(e, EINVAL, "goal %s: a ratio is not below 1", g->name);
	if (g->initial_ns > g->final_ns)
		return err_say(e, EINVAL,
			"goal %s: its initial trials are longer than its final ones", g->name);
	/* Ref: RFC 9971, "Min Load": at least one frame in the shortest trial */
	if (cfg->min_load * (double)g->initial_ns < (double)NSEC_PER_SEC)
		return err_say(e, EINVAL, "goal %s: a trial of %g ms at %g a second has no frame",
			g->name, (double)g->initial_ns / NSEC_PER_MSEC, cfg->min_load);
	return 0;
}

static int check(const struct mlr_cfg *cfg, struct err *e)
{
	assert(cfg->n_goals > 0 && cfg->n_goals <= MLR_MAX_GOALS);
	if (!(cfg->min_load > 0 && cfg->max_load >= cfg->min_load && isfinite(cfg->max_load)))
		return err_say(e, EINVAL, "a search needs 0 < min load <= max load");
	for (uint32_t i = 0; i < cfg->n_goals; i++) {
		int r = check_goal(cfg, &cfg->goal[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static uint64_t time_left(const struct search_log *log, const struct mlr_cfg *cfg)
{
	if (cfg->time_max_ns == 0)
		return UINT64_MAX;
	return cfg->time_max_ns > log->effective_ns ? cfg->time_max_ns - log->effective_ns : 0;
}

/*
 * Trials until all is said, or none that is wanted fits into the time that is left.
 * Return: how the search ended for goals that are not settled then, or negative errno.
 */
static int measure(struct mlr_state *s, struct search_log *log, const struct mlr_cfg *cfg,
	const struct search_ops *ops, struct err *e)
{
	const uint32_t trials_max = cfg->trials_max ? cfg->trials_max : MLR_MAX_TRIALS;
	struct mlr_choice next;

	while (mlr_state_next(s, time_left(log, cfg), &next)) {
		int r;

		if (log->n >= trials_max)
			return SEARCH_TRIALS_MAX;
		r = search_measure(log, ops, mlr_grid_load(&s->grid, next.index), next.duration_ns,
			e);
		if (r < 0)
			return r;
		mlr_state_add(s, next.index, &log->trial[log->n - 1]);
	}
	return SEARCH_TIME_MAX;
}

static struct mlr_result result_of(const struct mlr_state *s, uint32_t goal,
	const struct search_log *log, enum search_end end)
{
	const struct mlr_span has = s->bounds[goal][0];
	struct mlr_result x = {end, NAN, NAN, NAN};

	if (has.lower != MLR_NONE) {
		x.lower = mlr_grid_load(&s->grid, has.lower);
		x.conditional = mlr_conditional(log, x.lower, &s->target[goal][0].goal);
	}
	if (has.upper != MLR_NONE)
		x.upper = mlr_grid_load(&s->grid, has.upper);
	if (mlr_state_settled(s, goal, 0))
		x.end = has.upper == MLR_NONE   ? SEARCH_MAX_LOAD
			: has.lower == MLR_NONE ? SEARCH_MIN_LOAD
						: SEARCH_FOUND;
	return x;
}

int mlr_search(struct mlr_result *ret, struct search_log *log, const struct mlr_cfg *cfg,
	const struct search_ops *ops, struct err *e)
{
	_cleanup_(mlr_state_fini) struct mlr_state s = {0};
	int r = check(cfg, e);

	for (uint32_t i = 0; i < cfg->n_goals; i++)
		ret[i] = (struct mlr_result){SEARCH_STOPPED, NAN, NAN, NAN};
	if (r < 0)
		return r;
	assert(log->n == 0);
	mlr_state_init(&s, cfg);
	r = measure(&s, log, cfg, ops, e);
	for (uint32_t i = 0; i < cfg->n_goals; i++)
		ret[i] = result_of(&s, i, log, r < 0 ? SEARCH_STOPPED : (enum search_end)r);
	return r < 0 ? r : 0;
}
