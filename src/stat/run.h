/*
 * A search as someone asks for it, of any kind, and all that came of it: what the renderers of
 * report/search.h show. The goals of every kind are MLRsearch's; a binary search has one.
 */
#pragma once

#include "stat/mlr.h"

enum search_kind {
	SEARCH_MLR,
	SEARCH_BINARY,
	SEARCH_BINARY_LV, /* with loss verification */
	SEARCH_MRR,
	SEARCH_KIND_N,
};
extern const char *const search_kind_name[SEARCH_KIND_N];
extern const char *const search_kind_text[SEARCH_KIND_N];

struct search_cfg {
	uint32_t kind;
	uint64_t min_load, max_load; /* per second, of each interface */
	uint64_t time_max_ns;        /* 0: none */
	char goals[512];             /* mlr */
	uint64_t duration_ns;        /* binary, mrr: of a trial */
	uint64_t step;               /* binary; 0: a 200th of max_load */
	uint32_t loss_ppb;           /* binary */
	uint32_t repeat_max;         /* binary-lv: r of TST 009 */
	uint64_t loss_max;           /* binary-lv: z; 0: none */
	uint32_t trials;             /* mrr */
};
extern const struct search_cfg search_cfg_default;
extern const struct opt search_opts[];

struct search_run {
	struct search_cfg cfg;
	uint32_t n_goals; /* mrr: 0 */
	struct mlr_goal goal[MLR_MAX_GOALS];
	struct mlr_result result[MLR_MAX_GOALS];
	struct estimate mrr; /* forwarding rate; n is 0 in other kinds */
	struct search_log log;
};
extern const struct field mlr_result_fields[];

/*
 * search_run_init() - take over a configuration, with its goals.
 *
 * Return: 0, or -EINVAL or -ERANGE for one that makes no sense, in the words of its options.
 */
int search_run_init(struct search_run *s, const struct search_cfg *cfg, struct err *e) must_check_;
void search_run_fini(struct search_run *s);

/* Searches. Return: 0, or the negative errno of a trial; what is known by then is in @s. */
int search_run(struct search_run *s, const struct search_ops *ops, struct err *e) must_check_;

/* One load by one goal, as its kind of search has it. */
enum mlr_class search_run_class(const struct search_run *s, double load, uint32_t goal);

/* Is every goal's result a regular one? */
bool search_run_regular(const struct search_run *s);

/* Loads with trials, by rising load. @ret: [s->log.n]. Return: their number. */
uint32_t search_run_loads(const struct search_run *s, double *ret);
