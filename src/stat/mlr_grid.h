/*
 * The loads that MLRsearch may try: a geometric row from the lowest to the highest, so that the
 * width of a goal, which is relative, is the same whole number of steps everywhere.
 */
#pragma once

#include "stat/mlr.h"

struct mlr_grid {
	double min_load, max_load;
	uint64_t n_steps; /* loads are 0..n_steps */
};
void mlr_grid_init(struct mlr_grid *g, const struct mlr_cfg *cfg);

double mlr_grid_load(const struct mlr_grid *g, uint64_t i);

/* The highest of them that is not above @load; 0 if there is none. */
uint64_t mlr_grid_floor(const struct mlr_grid *g, double load);

/* Steps that a relative width is good for, rounded down, at least one. */
uint64_t mlr_grid_width(const struct mlr_grid *g, uint32_t width_ppb);
