/*
 * MLRsearch. Ref: RFC 9971, Multiple Loss Ratio Search. Classification is exact, in integers.
 * What the document leaves to implementations (which load next, and for how long) is described in
 * METHOD.md.
 */
#pragma once

#include "base/opt.h"
#include "stat/search.h"

#define MLR_MAX_GOALS  8
#define MLR_MAX_TRIALS 100000U
#define MLR_PPB        1000000000U /* ratios are in parts per 10^9, so that they compare exactly */

struct mlr_goal {
	char name[16];     /* "NDR", "PDR", "goal1" */
	uint64_t final_ns; /* Goal Final Trial Duration; trials at least so long are full-length */
	uint64_t sum_ns;   /* Goal Duration Sum */
	uint32_t loss_ppb; /* Goal Loss Ratio */
	uint32_t exceed_ppb; /* Goal Exceed Ratio */
	uint32_t width_ppb;  /* Goal Width, relative to the upper bound; 0: not used */
	uint64_t initial_ns; /* Goal Initial Trial Duration */
};
extern const struct opt mlr_goal_opts[];

struct mlr_cfg {
	double min_load, max_load;
	uint32_t n_goals;
	struct mlr_goal goal[MLR_MAX_GOALS];
	uint64_t time_max_ns; /* of effective durations; 0: none */
	uint32_t trials_max;  /* 0: MLR_MAX_TRIALS */
};

enum mlr_class {
	MLR_UNDECIDED,
	MLR_LOWER,
	MLR_UPPER,
	MLR_CLASS_N,
};
extern const char *const mlr_class_name[MLR_CLASS_N];

/* Effective durations of the trials at one load, as one goal sees them. */
struct mlr_sums {
	uint64_t full_bad_ns, full_good_ns;   /* trials of the final duration or longer */
	uint64_t short_bad_ns, short_good_ns; /* bad: lost more than the goal's loss ratio */
};
bool mlr_is_bad(const struct search_trial *t, const struct mlr_goal *goal);
void mlr_sums_add(struct mlr_sums *s, const struct search_trial *t, const struct mlr_goal *goal);
enum mlr_class mlr_sums_class(const struct mlr_sums *s, const struct mlr_goal *goal);

/* One load by one goal: RFC 9971 appendix A. A pure function of the trials at @load in the log. */
enum mlr_class mlr_classify(const struct search_log *log, double load, const struct mlr_goal *goal);

/* Relevant bounds now; NAN: there is none. */
void mlr_bounds(const struct search_log *log, const struct mlr_goal *goal, double *ret_lower,
	double *ret_upper);

/* Conditional throughput at a load. RFC 9971 appendix B. */
double mlr_conditional(const struct search_log *log, double load, const struct mlr_goal *goal);

struct mlr_result {
	enum search_end end; /* SEARCH_FOUND: a regular goal result */
	double lower, upper; /* relevant bounds; NAN: none */
	double conditional;  /* conditional throughput at lower; NAN: none */
};

/*
 * @ret: [cfg->n_goals]. Every goal gets a result, also when the search fails; @log gets longer.
 * Return: 0, -EINVAL for a configuration that makes no sense, or the errno of a trial.
 */
int mlr_search(struct mlr_result *ret, struct search_log *log, const struct mlr_cfg *cfg,
	const struct search_ops *ops, struct err *e) must_check_;

/* CSIT's NDR and PDR: 1 s, 21 s, loss 0 and 0.5 %, exceed 50 %, width 0.5 %. */
extern const struct mlr_goal mlr_goal_ndr, mlr_goal_pdr;
/* RFC 2544's throughput as a goal: 60 s without loss once. Ref: RFC 9971, appendix on RFC 2544 */
extern const struct mlr_goal mlr_goal_rfc2544;

/*
 * mlr_goal_parse() - "ndr", "pdr", "rfc2544", "loss=0.5%,exceed=50%,width=0.5%,final=1s,sum=21s",
 * or a name and what differs: "ndr,sum=30s". What is not said is PDR's.
 */
int mlr_goal_parse(struct mlr_goal *ret, const char *text, struct err *e) must_check_;

/* Goals parted by ";" or "/", at most MLR_MAX_GOALS; nameless ones become "goal1", "goal2". */
int mlr_goals_parse(struct mlr_cfg *ret, const char *text, struct err *e) must_check_;
