/*
 * First, unless --max-rate says it, a trial in closed loop for the range of rates; then the search
 * over trials in open loop; then one trial at the rate found and one at half of it, for the
 * latencies.
 */
#include "dns/find.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <math.h>

/* Enough to keep any server busy, and too few to overflow its sockets: dnsperf's default. */
#define ROUGH_OUTSTANDING 100
#define ROUGH_NS          (1 * NSEC_PER_SEC)
/* A closed loop stops short of what a server can take when answers take long. */
#define ROUGH_TO_MAX 2
#define MAX_TO_MIN   100

struct finder {
	struct dns_run *run;
	struct dns_engine *engine;
	const struct dns_run_ops *ops;
	struct search_log log;
};

static double choose(uint64_t said, double otherwise)
{
	return said ? (double)said : otherwise;
}

static int set_range(struct finder *f, struct err *e)
{
	struct dns_run *run = f->run;
	struct dns_ask ask = {.outstanding = ROUGH_OUTSTANDING,
		.duration_ns = ROUGH_NS,
		.cancel_fd = f->ops->cancel_fd};
	const struct dns_trial *t = &run->main.trial;
	double rough_qps = 0;
	int r = 0;

	if (!run->cfg.max_rate_qps)
		r = dns_run_timed(run, f->engine, &ask, &run->main, e);
	if (r < 0 || !run->complete)
		return r;
	if (run->main.made)
		rough_qps = (double)t->count.answered * 1e9 / (double)t->duration_ns;
	if (run->main.made && rough_qps == 0)
		return err_say(e, ENOMSG, "%s does not answer any more", run->server);
	run->bounds.max_load =
		choose(run->cfg.max_rate_qps, MAX(ROUGH_TO_MAX * rough_qps, (double)MAX_TO_MIN));
	/* The shortest trial has a query. Ref: RFC 9971, "Min Load" */
	run->bounds.min_load = choose(run->cfg.min_rate_qps,
		MAX(run->bounds.max_load / MAX_TO_MIN,
			ceil((double)NSEC_PER_SEC / (double)run->cfg.trial_ns)));
	if (run->bounds.min_load >= run->bounds.max_load)
		return err_say(e, EINVAL, "--min-rate %llu is above --max-rate, %.0f",
			(unsigned long long)run->cfg.min_rate_qps, run->bounds.max_load);
	return 0;
}

static void keep(struct dns_run *run, const struct dns_trial *t)
{
	if (run->n_trials == run->room) {
		run->room = run->room ? 2 * run->room : 64;
		run->trial = xreallocarray(run->trial, run->room, sizeof(*run->trial));
	}
	run->trial[run->n_trials++] = *t;
}

static int trial(void *ctx, double load, uint64_t duration_ns, struct search_trial *ret,
	struct err *e)
{
	struct finder *f = ctx;
	struct dns_ask ask = {.rate_qps = load,
		.duration_ns = duration_ns,
		.cancel_fd = f->ops->cancel_fd};
	struct dns_trial t;
	int r = dns_engine_trial(f->engine, &ask, &t, e);

	if (r < 0)
		return r;
	if (t.interrupted) {
		f->run->complete = false;
		return err_say(e, ECANCELED, "interrupted");
	}
	keep(f->run, &t);
	ret->tried = t.count.tried;
	ret->lost = dns_lost(&t.count);
	ret->effective_ns = t.effective_ns;
	return 0;
}

static void told(void *ctx, const struct search_trial *t, uint32_t n)
{
	struct finder *f = ctx;
	struct dns_run *run = f->run;

	(void)t;
	(void)n;
	run->searched_ns = f->log.effective_ns;
	if (run->cfg.search == DNS_SEARCH_MLR)
		mlr_bounds(&f->log, &run->bounds.goal[0], &run->lower_qps, &run->upper_qps);
	if (f->ops->trial)
		f->ops->trial(f->ops->ctx, run);
}

static int find_mlr(struct finder *f, const struct search_ops *ops, struct err *e)
{
	const struct dns_cfg *cfg = &f->run->cfg;
	struct mlr_cfg *m = &f->run->bounds;
	struct mlr_goal *goal = &m->goal[0];
	struct mlr_result result[1];
	int r;

	m->n_goals = 1;
	m->time_max_ns = cfg->search_max_ns;
	*goal = (struct mlr_goal){
		.name = "goal",
		.final_ns = cfg->trial_ns,
		.initial_ns = cfg->trial_ns,
		.sum_ns = cfg->sum_ns,
		.loss_ppb = cfg->loss_ratio_ppm * (MLR_PPB / 1000000),
		.exceed_ppb = cfg->exceed_ratio_ppm * (MLR_PPB / 1000000),
		.width_ppb = cfg->width_ppm * (MLR_PPB / 1000000),
	};
	r = mlr_search(result, &f->log, m, ops, e);
	if (r < 0)
		return r;
	f->run->end = result[0].end;
	f->run->lower_qps = result[0].lower;
	f->run->upper_qps = result[0].upper;
	f->run->conditional_qps = result[0].conditional;
	return 0;
}

/*
 * Its step is absolute: half the width, at the rate of the closed loop. Most of the range is above
 * that rate, and the search takes the same few trials whatever the step is.
 */
static int find_binary(struct finder *f, const struct search_ops *ops, struct err *e)
{
	const struct dns_cfg *cfg = &f->run->cfg;
	const struct mlr_cfg *m = &f->run->bounds;
	struct binary_cfg b = {
		.min_load = m->min_load,
		.max_load = m->max_load,
		.step = m->max_load / ROUGH_TO_MAX * (double)cfg->width_ppm * 1e-6 / 2,
		.duration_ns = cfg->trial_ns,
		.loss_ratio = (double)cfg->loss_ratio_ppm * 1e-6,
		.max_repeat = cfg->search == DNS_SEARCH_BINARY_LV ? cfg->repeat : 1,
		.max_loss = cfg->max_loss,
		.time_max_ns = cfg->search_max_ns,
	};
	struct binary_result result;
	int r = search_binary(&result, &f->log, &b, ops, e);

	if (r < 0)
		return r;
	f->run->end = result.end;
	f->run->lower_qps = result.lower;
	f->run->upper_qps = result.upper;
	return 0;
}

/*
 * Would the trials at the upper bound have been within the goal, had this end sent all it was to
 * send and held all it got?
 */
static bool client_limited(const struct dns_run *run)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < run->n_trials; i++) {
		const struct dns_count *c = &run->trial[i].count;
		double may = (double)c->tried * run->cfg.loss_ratio_ppm * 1e-6;
		double lost = (double)dns_lost(c), there = lost - (double)dns_lost_here(c);

		if (run->trial[i].rate_qps != run->upper_qps || lost <= may)
			continue;
		if (there > may)
			return false;
		n++;
	}
	return n > 0;
}

static int time_at(struct finder *f, double rate_qps, struct dns_timed *ret, struct err *e)
{
	struct dns_ask ask = {.rate_qps = rate_qps,
		.duration_ns = f->run->cfg.time_ns,
		.cancel_fd = f->ops->cancel_fd};

	return f->run->complete ? dns_run_timed(f->run, f->engine, &ask, ret, e) : 0;
}

int dns_find(struct dns_run *run, struct dns_engine *x, const struct dns_run_ops *ops,
	struct err *e)
{
	struct finder f = {.run = run, .engine = x, .ops = ops};
	const struct search_ops search_ops = {.trial = trial, .told = told, .ctx = &f};
	int r = set_range(&f, e);

	run->end = SEARCH_STOPPED; /* what an interruption leaves */
	if (r < 0 || !run->complete)
		return r;
	r = (run->cfg.search == DNS_SEARCH_MLR ? find_mlr : find_binary)(&f, &search_ops, e);
	search_log_fini(&f.log);
	if (r < 0)
		return run->complete ? r : 0;
	run->client_limited = client_limited(run);
	if (isnan(run->lower_qps))
		return 0;
	r = time_at(&f, run->lower_qps, &run->found, e);
	return r < 0 ? r : time_at(&f, run->lower_qps / 2, &run->half, e);
}
