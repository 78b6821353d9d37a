/* Goals of an MLRsearch, as campaigns ask for them. */
#pragma once

#include "stat/mlr.h"

/*
 * goals_parse() - what --goals says. Of a quick campaign, times are a twentieth of CSIT's where
 *                 nothing else was said.
 * @ret: [MLR_MAX_GOALS]
 *
 * Return: 0, or -EINVAL or -ERANGE.
 */
int goals_parse(const char *text, bool quick, struct mlr_goal *ret, uint32_t *ret_n, struct err *e)
	must_check_;

/* The search for them up to @max_fps. */
struct mlr_cfg goals_search(const struct mlr_goal *goal, uint32_t n, double max_fps);

/*
 * About how long that takes: twice the duration sum for each goal, and as many short trials as
 * @steps of halving.
 * @overhead_s: of each trial, besides its frames
 */
double goals_estimate_s(const struct mlr_goal *goal, uint32_t n, double overhead_s, double steps);
