#include "stat/mlr_grid.h"

#include <math.h>

/* The width that loads are apart by when no goal has one: that of CSIT's goals, 0.5 %. */
#define DEFAULT_WIDTH_PPB (MLR_PPB / 200)

/* Part of a goal's width that whole steps may leave unused, in exchange for fewer loads. */
#define WASTE 0.01
/* Steps are this much narrower than they need be, so that no rounding makes one too wide. */
#define SLACK 1e-6

/* ln(upper / lower) of two loads that are this wide apart: (upper - lower) / upper = width */
static double log_width(uint32_t width_ppb)
{
	return -log1p(-(double)(width_ppb ? width_ppb : DEFAULT_WIDTH_PPB) / MLR_PPB);
}

/* Do whole steps of this size make good use of each goal's width? */
static bool suits(const struct mlr_cfg *cfg, double step)
{
	for (uint32_t i = 0; i < cfg->n_goals; i++) {
		const double n = log_width(cfg->goal[i].width_ppb) / step;

		if (cfg->goal[i].width_ppb && floor(n) < (1 - WASTE) * n)
			return false;
	}
	return true;
}

void mlr_grid_init(struct mlr_grid *g, const struct mlr_cfg *cfg)
{
	const double range = log(cfg->max_load / cfg->min_load);
	double narrowest = INFINITY;

	*g = (struct mlr_grid){cfg->min_load, cfg->max_load, 0};
	for (uint32_t i = 0; i < cfg->n_goals; i++)
		if (cfg->goal[i].width_ppb)
			narrowest = fmin(narrowest, log_width(cfg->goal[i].width_ppb));
	if (isinf(narrowest))
		narrowest = log_width(0);
	/* 1 / WASTE steps in the narrowest width waste at most WASTE of any: so that ends. */
	for (uint32_t k = 1; k <= 1 / WASTE; k++) {
		g->n_steps = (uint64_t)ceil(k * range / narrowest * (1 + SLACK));
		if (g->n_steps == 0 || suits(cfg, range / (double)g->n_steps))
			return;
	}
}

double mlr_grid_load(const struct mlr_grid *g, uint64_t i)
{
	assert(i <= g->n_steps);
	/* The ends are exactly what was asked for. */
	if (i == g->n_steps)
		return g->max_load;
	return i == 0 ? g->min_load
		      : g->min_load *
				pow(g->max_load / g->min_load, (double)i / (double)g->n_steps);
}

uint64_t mlr_grid_floor(const struct mlr_grid *g, double load)
{
	uint64_t i;

	if (!(load > g->min_load))
		return 0;
	if (load >= g->max_load)
		return g->n_steps;
	i = (uint64_t)(log(load / g->min_load) / log(g->max_load / g->min_load) *
		       (double)g->n_steps);
	/* The logarithm may be off by a rounding, on either side. */
	while (i < g->n_steps && mlr_grid_load(g, i + 1) <= load)
		i++;
	while (i > 0 && mlr_grid_load(g, i) > load)
		i--;
	return i;
}

uint64_t mlr_grid_width(const struct mlr_grid *g, uint32_t width_ppb)
{
	const double step = log(g->max_load / g->min_load) / (double)g->n_steps;

	if (g->n_steps == 0)
		return 1;
	return (uint64_t)fmax(1, floor(log_width(width_ppb) / step * (1 - SLACK / 10)));
}
