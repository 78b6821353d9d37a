/* Goals by name and as text. */
#include "stat/mlr.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PERCENT (MLR_PPB / 100)

/* Ref: FD.io CSIT, methodology of MLRsearch tests: 1 s trials, 21 s in all, half may exceed */
const struct mlr_goal mlr_goal_ndr = {
	.name = "NDR",
	.final_ns = NSEC_PER_SEC,
	.sum_ns = 21 * NSEC_PER_SEC,
	.loss_ppb = 0,
	.exceed_ppb = 50 * PERCENT,
	.width_ppb = PERCENT / 2,
	.initial_ns = NSEC_PER_SEC,
};
const struct mlr_goal mlr_goal_pdr = {
	.name = "PDR",
	.final_ns = NSEC_PER_SEC,
	.sum_ns = 21 * NSEC_PER_SEC,
	.loss_ppb = PERCENT / 2,
	.exceed_ppb = 50 * PERCENT,
	.width_ppb = PERCENT / 2,
	.initial_ns = NSEC_PER_SEC,
};
/* Ref: RFC 2544 s.24 (60 s), s.26.1 (no loss); RFC 9971 on compliance with it */
const struct mlr_goal mlr_goal_rfc2544 = {
	.name = "RFC2544",
	.final_ns = 60 * NSEC_PER_SEC,
	.sum_ns = 60 * NSEC_PER_SEC,
	.loss_ppb = 0,
	.exceed_ppb = 0,
	.width_ppb = PERCENT / 2,
	.initial_ns = NSEC_PER_SEC,
};

static const struct {
	const char *name;
	const struct mlr_goal *goal;
} known[] = {
	{"ndr", &mlr_goal_ndr},
	{"pdr", &mlr_goal_pdr},
	{"rfc2544", &mlr_goal_rfc2544},
};

const struct opt mlr_goal_opts[] = {
	OPT_STR(struct mlr_goal, name, "name", 0, "<text>", "what reports call the goal"),
	OPT_U32(struct mlr_goal, loss_ppb, "loss", 0, "<%>",
		"goal loss ratio: a trial that loses more is bad", .unit = NUM_SHARE,
		.max = MLR_PPB - 1),
	OPT_U32(struct mlr_goal, exceed_ppb, "exceed", 0, "<%>",
		"goal exceed ratio: share of the time that trials at a good load may be bad",
		.unit = NUM_SHARE, .max = MLR_PPB - 1),
	/* Narrower ones have more loads than anyone can try. */
	OPT_U32(struct mlr_goal, width_ppb, "width", 0, "<%>",
		"goal width: how far apart bounds may be, of the upper one; 0: any",
		.zero_ok = true, .unit = NUM_SHARE, .min = 1000, .max = MLR_PPB - PERCENT),
	OPT_U64(struct mlr_goal, initial_ns, "initial", 0, "<time>",
		"goal initial trial duration: the shortest trials", .unit = NUM_DURATION,
		.min = NSEC_PER_MSEC, .max = 86400 * NSEC_PER_SEC),
	OPT_U64(struct mlr_goal, final_ns, "final", 0, "<time>",
		"goal final trial duration: trials so long count in full", .unit = NUM_DURATION,
		.min = NSEC_PER_MSEC, .max = 86400 * NSEC_PER_SEC),
	OPT_U64(struct mlr_goal, sum_ns, "sum", 0, "<time>",
		"goal duration sum: full-length trials for so long decide", .unit = NUM_DURATION,
		.min = NSEC_PER_MSEC, .max = 86400 * NSEC_PER_SEC),
	OPT_END,
};

/* The goal that @text begins with, @ret_rest what follows; PDR without a name if it is none. */
static struct mlr_goal base_of(const char *text, const char **ret_rest)
{
	const size_t len = strcspn(text, ",");
	struct mlr_goal g = mlr_goal_pdr;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i].name) != len || strncmp(text, known[i].name, len) != 0)
			continue;
		*ret_rest = text[len] ? text + len + 1 : NULL;
		return *known[i].goal;
	}
	*ret_rest = text;
	g.name[0] = '\0';
	return g;
}

int mlr_goal_parse(struct mlr_goal *ret, const char *text, struct err *e)
{
	const char *rest;
	struct mlr_goal g = base_of(text, &rest);
	int r = rest ? opt_set_pairs(mlr_goal_opts, &g, rest, e) : 0;

	if (r < 0)
		return err_wrap(e, "goal '%s'", text);
	if (g.initial_ns > g.final_ns)
		return err_say(e, EINVAL, "goal '%s': initial is longer than final", text);
	if (g.final_ns > g.sum_ns)
		return err_say(e, EINVAL, "goal '%s': final is longer than sum", text);
	*ret = g;
	return 0;
}

static int check_names(const struct mlr_cfg *cfg, struct err *e)
{
	for (uint32_t i = 0; i < cfg->n_goals; i++)
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(cfg->goal[i].name, cfg->goal[k].name) == 0)
				return err_say(e, EINVAL, "two goals are called '%s' (see name=)",
					cfg->goal[i].name);
	return 0;
}

int mlr_goals_parse(struct mlr_cfg *ret, const char *text, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(text);
	char *rest = copy, *word;

	ret->n_goals = 0;
	while ((word = strsep(&rest, ";/"))) {
		struct mlr_goal *g = &ret->goal[ret->n_goals];
		int r;

		if (!*word)
			return err_say(e, EINVAL, "'%s' names an empty goal", text);
		if (ret->n_goals == MLR_MAX_GOALS)
			return err_say(e, EINVAL, "more than %d goals", MLR_MAX_GOALS);
		r = mlr_goal_parse(g, word, e);
		if (r < 0)
			return r;
		ret->n_goals++;
		if (!*g->name)
			snprintf(g->name, sizeof(g->name), "goal%u", ret->n_goals);
	}
	return check_names(ret, e);
}
