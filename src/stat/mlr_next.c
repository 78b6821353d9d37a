/*
 * Each goal is approached by three targets, of four times, twice, and once its width. A target
 * looks where the one before it ended: it splits that interval, tries its ends for as long as they
 * are undecided, goes on beyond an end that turned out wrong in strides that double, and halves
 * what lies between two bounds. Every load it asks for is undecided, and a load gets decided once
 * its full-length trials last as long as the duration sum; so there is an end.
 *
 * Of what the goals ask for, the smallest load is tried first, as one that fails spares all above
 * it; then the longest trial, which counts for more goals.
 */
#include "stat/mlr_next.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Trials that are made before any target is asked. */
#define N_FIRST 3

/* Phase @k of @goal: of MLR_PRECEDING, durations in geometric steps from the first trial's. */
static struct mlr_goal phase_goal(const struct mlr_goal *goal, uint32_t k)
{
	struct mlr_goal g = *goal;
	const double ratio = (double)goal->initial_ns / (double)goal->sum_ns;

	if (k == 0 || ratio >= 1)
		return g;
	g.sum_ns = k == MLR_PRECEDING ? goal->initial_ns
				      : (uint64_t)llround((double)goal->sum_ns *
							  pow(ratio, (double)k / MLR_PRECEDING));
	g.final_ns = MIN(goal->final_ns, g.sum_ns);
	return g;
}

void mlr_state_init(struct mlr_state *s, const struct mlr_cfg *cfg)
{
	*s = (struct mlr_state){.n_goals = cfg->n_goals,
		.initial_ns = UINT64_MAX,
		.smallest_loss_ppb = UINT32_MAX,
		.start_load = cfg->max_load};
	mlr_grid_init(&s->grid, cfg);
	for (uint32_t i = 0; i < cfg->n_goals; i++) {
		const struct mlr_goal *goal = &cfg->goal[i];
		const uint64_t width = mlr_grid_width(&s->grid, goal->width_ppb);

		for (uint32_t k = 0; k < MLR_PHASES; k++) {
			s->target[i][k] = (struct mlr_target){phase_goal(goal, k), width << k};
			s->bounds[i][k] = (struct mlr_span){MLR_NONE, MLR_NONE};
		}
		s->phase[i] = MLR_PRECEDING;
		s->hint[i] = (struct mlr_span){MLR_NONE, MLR_NONE};
		s->initial_ns = MIN(s->initial_ns, goal->initial_ns);
		s->smallest_loss_ppb = MIN(s->smallest_loss_ppb, goal->loss_ppb);
	}
}

void mlr_state_fini(struct mlr_state *s)
{
	free(s->point);
	s->point = NULL;
}

/* The point of a load, put in where it belongs when it is new. */
static struct mlr_point *point_at(struct mlr_state *s, uint64_t index)
{
	uint32_t at = 0;

	while (at < s->n_points && s->point[at].index < index)
		at++;
	if (at < s->n_points && s->point[at].index == index)
		return &s->point[at];
	/* Full whenever their number is a power of two. */
	if ((s->n_points & (s->n_points - 1)) == 0)
		s->point = xreallocarray(s->point, s->n_points ? 2 * (size_t)s->n_points : 1,
			sizeof(*s->point));
	memmove(&s->point[at + 1], &s->point[at], (s->n_points - at) * sizeof(*s->point));
	s->n_points++;
	s->point[at] = (struct mlr_point){.index = index};
	return &s->point[at];
}

static uint64_t widest(const struct mlr_state *s)
{
	uint64_t width = 0;

	for (uint32_t i = 0; i < s->n_goals; i++)
		width = MAX(width, s->target[i][MLR_PRECEDING].width);
	return width;
}

/*
 * The load to begin with after this trial: what came through, and a little more for the loss that
 * the strictest goal allows; where nothing is lost, one that is a width above.
 */
static double start_after(const struct mlr_state *s, uint64_t index, const struct search_trial *t)
{
	const double allowed = (double)s->smallest_loss_ppb / MLR_PPB;

	if (search_loss_ratio(t) > allowed)
		return search_forwarded(t) / (1 - allowed);
	return mlr_grid_load(&s->grid, MIN(index + widest(s), s->grid.n_steps));
}

static struct mlr_span find_bounds(const struct mlr_state *s, uint32_t goal, uint32_t phase)
{
	struct mlr_span span = {MLR_NONE, MLR_NONE};

	for (uint32_t p = 0; p < s->n_points && span.upper == MLR_NONE; p++) {
		if (s->point[p].is[goal][phase] == MLR_LOWER)
			span.lower = s->point[p].index;
		else if (s->point[p].is[goal][phase] == MLR_UPPER)
			span.upper = s->point[p].index;
	}
	return span;
}

/* A trial as one target sees it; its bounds move only when the load becomes another thing. */
static void add_to_target(struct mlr_state *s, struct mlr_point *p, const struct search_trial *t,
	uint32_t goal, uint32_t phase)
{
	const struct mlr_goal *g = &s->target[goal][phase].goal;
	enum mlr_class is;

	mlr_sums_add(&p->sums[goal][phase], t, g);
	is = mlr_sums_class(&p->sums[goal][phase], g);
	if (is == p->is[goal][phase])
		return;
	p->is[goal][phase] = is;
	s->bounds[goal][phase] = find_bounds(s, goal, phase);
}

bool mlr_state_settled(const struct mlr_state *s, uint32_t goal, uint32_t phase)
{
	const struct mlr_target *t = &s->target[goal][phase];
	const struct mlr_span has = s->bounds[goal][phase];

	if (has.lower == MLR_NONE)
		return has.upper == 0;
	if (has.upper == MLR_NONE)
		return has.lower == s->grid.n_steps;
	return t->goal.width_ppb == 0 || has.upper - has.lower <= t->width;
}

/* Where a goal's first target looks: what the first trials say, as if any of them decided. */
static struct mlr_span guess(const struct mlr_state *s, uint32_t goal)
{
	struct mlr_span span = {MLR_NONE, MLR_NONE};

	for (uint32_t p = 0; p < s->n_points && span.upper == MLR_NONE; p++) {
		const struct mlr_sums *x = &s->point[p].sums[goal][MLR_PRECEDING];

		if (x->full_bad_ns + x->short_bad_ns > x->full_good_ns + x->short_good_ns)
			span.upper = s->point[p].index;
		else
			span.lower = s->point[p].index;
	}
	return span;
}

/* A target that is settled leaves its bounds as a hint to the next. There is no way back. */
static void advance(struct mlr_state *s, uint32_t goal)
{
	uint32_t *phase = &s->phase[goal];

	if (s->n_trials <= N_FIRST && *phase == MLR_PRECEDING)
		s->hint[goal] = guess(s, goal);
	for (; *phase > 0 && mlr_state_settled(s, goal, *phase); --*phase)
		s->hint[goal] = s->bounds[goal][*phase];
}

void mlr_state_add(struct mlr_state *s, uint64_t index, const struct search_trial *t)
{
	struct mlr_point *p = point_at(s, index);

	s->n_trials++;
	s->start_load = start_after(s, index, t);
	for (uint32_t i = 0; i < s->n_goals; i++) {
		for (uint32_t k = 0; k < MLR_PHASES; k++)
			add_to_target(s, p, t, i, k);
		advance(s, i);
	}
}

static bool is_inside(const struct mlr_span *span, uint64_t i)
{
	return i != MLR_NONE && (span->lower == MLR_NONE || i > span->lower) &&
	       (span->upper == MLR_NONE || i < span->upper);
}

static bool is_wide(const struct mlr_span *span, uint64_t width)
{
	return span->lower != MLR_NONE && span->upper != MLR_NONE &&
	       span->upper - span->lower > width;
}

static uint64_t middle(const struct mlr_span *span)
{
	return span->lower + (span->upper - span->lower) / 2;
}

/* Down from the upper bound, by as much as it is below where the hint was: so strides double. */
static uint64_t below(uint64_t upper, const struct mlr_span *hint, uint64_t width)
{
	const uint64_t from = hint->lower != MLR_NONE ? hint->lower : hint->upper;
	const uint64_t stride = MAX(width, from > upper ? from - upper : 0);

	return upper > stride ? upper - stride : 0;
}

static uint64_t above(uint64_t lower, const struct mlr_span *hint, uint64_t width, uint64_t highest)
{
	const uint64_t from = hint->upper != MLR_NONE ? hint->upper : hint->lower;
	const uint64_t stride = MAX(width, lower > from ? lower - from : 0);

	return MIN(lower + stride, highest);
}

/* What the target that a goal is at asks for: never a load that it has decided already. */
static uint64_t pick(const struct mlr_state *s, uint32_t goal)
{
	const uint64_t width = s->target[goal][s->phase[goal]].width;
	const struct mlr_span *has = &s->bounds[goal][s->phase[goal]], *hint = &s->hint[goal];

	if (is_wide(hint, width) && is_inside(has, middle(hint)))
		return middle(hint);
	if (is_inside(has, hint->lower))
		return hint->lower;
	if (is_inside(has, hint->upper))
		return hint->upper;
	if (has->lower != MLR_NONE && has->upper != MLR_NONE)
		return middle(has);
	/* The hint is of a load with trials, so one of it or of the bounds is there. */
	assert(has->lower != MLR_NONE || has->upper != MLR_NONE);
	return has->upper != MLR_NONE ? below(has->upper, hint, width)
				      : above(has->lower, hint, width, s->grid.n_steps);
}

/* A goal whose last target is settled wants nothing more, until other goals' trials undo that. */
static bool ask(const struct mlr_state *s, uint32_t goal, struct mlr_choice *ret)
{
	const struct mlr_target *t = &s->target[goal][s->phase[goal]];

	if (mlr_state_settled(s, goal, 0))
		return false;
	*ret = (struct mlr_choice){pick(s, goal), t->goal.final_ns, t->width};
	return true;
}

static bool goes_before(const struct mlr_choice *a, const struct mlr_choice *b)
{
	if (a->index != b->index)
		return a->index < b->index;
	if (a->duration_ns != b->duration_ns)
		return a->duration_ns > b->duration_ns;
	return a->width > b->width;
}

static bool has_point(const struct mlr_state *s, uint64_t index)
{
	for (uint32_t p = 0; p < s->n_points; p++)
		if (s->point[p].index == index)
			return true;
	return false;
}

bool mlr_state_next(const struct mlr_state *s, uint64_t left_ns, struct mlr_choice *ret)
{
	const uint64_t start = mlr_grid_floor(&s->grid, s->start_load);
	bool any = false;

	if (s->n_trials < N_FIRST && s->n_trials == s->n_points && !has_point(s, start) &&
		s->initial_ns <= left_ns) {
		*ret = (struct mlr_choice){start, s->initial_ns, 0};
		return true;
	}
	/* Without a trial there is no hint; then not even the shortest fits. */
	for (uint32_t i = 0; s->n_trials > 0 && i < s->n_goals; i++) {
		struct mlr_choice x;

		if (!ask(s, i, &x) || x.duration_ns > left_ns || (any && !goes_before(&x, ret)))
			continue;
		*ret = x;
		any = true;
	}
	return any;
}
