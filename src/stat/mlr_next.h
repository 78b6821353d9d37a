/*
 * Which load MLRsearch tries next, and for how long. This part is not normative: the search would
 * say as much, only later, were the loads picked at random. It depends on the trials made so far
 * and on nothing else.
 */
#pragma once

#include "stat/mlr_grid.h"

/* Easier goals on the way to each: every one doubles the width and shortens the trials. */
#define MLR_PRECEDING 2
#define MLR_PHASES    (MLR_PRECEDING + 1) /* 0: the goal itself; the last is where it starts */

struct mlr_target {
	struct mlr_goal goal; /* with this phase's final_ns and sum_ns */
	uint64_t width;       /* steps of the grid */
};

/* Positions of relevant bounds on the grid. */
#define MLR_NONE UINT64_MAX
struct mlr_span {
	uint64_t lower, upper; /* MLR_NONE: there is none */
};

/* A load with trials, as each target sees it. */
struct mlr_point {
	uint64_t index; /* of the grid */
	struct mlr_sums sums[MLR_MAX_GOALS][MLR_PHASES];
	enum mlr_class is[MLR_MAX_GOALS][MLR_PHASES];
};

struct mlr_state {
	struct mlr_grid grid;
	uint32_t n_goals;
	struct mlr_target target[MLR_MAX_GOALS][MLR_PHASES];
	struct mlr_span bounds[MLR_MAX_GOALS][MLR_PHASES]; /* relevant ones, of each target */
	uint32_t phase[MLR_MAX_GOALS];                     /* of the target a goal is at; falls */
	struct mlr_span hint[MLR_MAX_GOALS];               /* where that one is to look */
	uint64_t initial_ns;                               /* the shortest of the goals' */
	uint32_t smallest_loss_ppb;
	uint32_t n_trials;
	double start_load; /* after n_trials of the first three: the next one, if it is new */
	uint32_t n_points;
	struct mlr_point *point; /* [n_points], by rising index */
};
void mlr_state_init(struct mlr_state *s, const struct mlr_cfg *cfg);
void mlr_state_fini(struct mlr_state *s);

/* Takes in a trial at load @index of the grid. */
void mlr_state_add(struct mlr_state *s, uint64_t index, const struct search_trial *t);

/* Has this target got all it can get: close bounds, or a limit that stands for one? */
bool mlr_state_settled(const struct mlr_state *s, uint32_t goal, uint32_t phase);

struct mlr_choice {
	uint64_t index;
	uint64_t duration_ns;
	uint64_t width; /* of the target that wants it */
};
/* Return: is there anything left to be tried, by a trial of at most @left_ns? */
bool mlr_state_next(const struct mlr_state *s, uint64_t left_ns, struct mlr_choice *ret);
