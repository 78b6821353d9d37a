#include "method/goals.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

#define QUICK_GOAL 20

/* Frames of the shortest trial at the lowest load. Ref: RFC 9971: at least one */
#define MIN_FRAMES 10

int goals_parse(const char *text, bool quick, struct mlr_goal *ret, uint32_t *ret_n, struct err *e)
{
	struct mlr_cfg cfg = {0};
	int r = mlr_goals_parse(&cfg, text, e);
	bool said = strstr(text, "final=") || strstr(text, "sum=");

	if (r < 0)
		return err_wrap(e, "--goals");
	*ret_n = cfg.n_goals;
	for (uint32_t i = 0; i < cfg.n_goals; i++) {
		ret[i] = cfg.goal[i];
		if (!quick || said)
			continue;
		ret[i].final_ns /= QUICK_GOAL;
		ret[i].initial_ns /= QUICK_GOAL;
		ret[i].sum_ns /= QUICK_GOAL;
	}
	return 0;
}

struct mlr_cfg goals_search(const struct mlr_goal *goal, uint32_t n, double max_fps)
{
	struct mlr_cfg cfg = {.max_load = max_fps,
		.n_goals = n,
		.time_max_ns = 1200 * NSEC_PER_SEC}; /* as CSIT's */
	double shortest_s = INFINITY;

	for (uint32_t i = 0; i < n; i++) {
		cfg.goal[i] = goal[i];
		shortest_s = fmin(shortest_s, (double)goal[i].initial_ns / 1e9);
	}
	cfg.min_load = fmin(MIN_FRAMES / shortest_s, max_fps / 2);
	return cfg;
}

double goals_estimate_s(const struct mlr_goal *goal, uint32_t n, double overhead_s, double steps)
{
	double all_s = 0;

	for (uint32_t i = 0; i < n; i++) {
		double final_s = (double)goal[i].final_ns / 1e9;

		all_s += 2 * (double)goal[i].sum_ns / 1e9 / final_s * (final_s + overhead_s);
		all_s += steps * ((double)goal[i].initial_ns / 1e9 + overhead_s);
	}
	return all_s;
}
