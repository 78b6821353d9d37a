#include "dns/run.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "dns/find.h"
#include "sys/signals.h"

#include <errno.h>
#include <math.h>

/* Queries that the first look sends until one is answered: what a resolver does. */
#define LOOK_QUERIES 3
/* Trials for that: in some, a busy machine may miss the time at which the query was due. */
#define LOOK_TRIALS 10
#define LOOK_NS     (10 * NSEC_PER_MSEC)

const char *const dns_mode_name[] = {
	[DNS_MODE_RATE] = "rate",
	[DNS_MODE_OUTSTANDING] = "outstanding",
	[DNS_MODE_SEARCH] = "search",
};
static_assert(ARRAY_SIZE(dns_mode_name) == DNS_MODE_N);

const struct field dns_run_fields[] = {
	FIELD_STR(struct dns_run, started, "when the run began, UTC"),
	FIELD_STR(struct dns_run, host, "the server, as it was asked for"),
	FIELD_STR(struct dns_run, server, "its address"),
	FIELD_U32(struct dns_run, n_queries, "", "different queries, which are used in turn"),
	FIELD_BOOL(struct dns_run, complete, "false: interrupted; what is here is partial"),
	FIELD_END,
};

enum dns_mode dns_mode_of(const struct dns_cfg *cfg)
{
	if (cfg->rate_qps)
		return DNS_MODE_RATE;
	return cfg->outstanding ? DNS_MODE_OUTSTANDING : DNS_MODE_SEARCH;
}

void dns_run_fini(struct dns_run *run)
{
	free(run->trial);
	run->trial = NULL;
}

int dns_run_timed(struct dns_run *run, struct dns_engine *x, struct dns_ask *ask,
	struct dns_timed *ret, struct err *e)
{
	int r;

	hist_init(&ret->hist);
	ask->hist = &ret->hist;
	r = dns_engine_trial(x, ask, &ret->trial, e);
	ret->made = r == 0;
	run->complete = run->complete && !(r == 0 && ret->trial.interrupted);
	return r;
}

/* One query after the other, until the first answer: what is not there is said before all else. */
static int look(struct dns_engine *x, const struct dns_run *run, int cancel_fd, struct err *e)
{
	/* A rate at which one query is due, at once. */
	struct dns_ask ask = {.rate_qps = (double)NSEC_PER_SEC / LOOK_NS,
		.duration_ns = LOOK_NS,
		.cancel_fd = cancel_fd};
	struct dns_trial t;
	struct dns_count all = {0};

	for (uint32_t i = 0; i < LOOK_TRIALS && all.sent + all.blocked < LOOK_QUERIES &&
			     !signals_pending(cancel_fd);
		i++) {
		int r = dns_engine_trial(x, &ask, &t, e);

		if (r < 0 || t.count.answered)
			return r;
		dns_count_add(&all, &t.count);
	}
	if (signals_pending(cancel_fd))
		return 0;
	if (all.refused)
		return err_say(e, ECONNREFUSED, "%s refuses packets to %s port %u", run->server,
			dns_protocol_name[run->cfg.protocol], run->cfg.port);
	return err_say(e, ENOMSG, "%s port %u does not answer over %s: %s", run->server,
		run->cfg.port, dns_protocol_name[run->cfg.protocol],
		all.garbage + all.unexpected ? "what comes back answers no query"
		: all.sent + all.blocked     ? "nothing comes back"
					     : "this machine could send no query in time");
}

static int measure(struct dns_run *run, struct dns_engine *x, const struct dns_run_ops *ops,
	struct err *e)
{
	struct dns_ask ask = {
		.rate_qps = (double)run->cfg.rate_qps,
		.outstanding = run->cfg.outstanding,
		.duration_ns = run->cfg.time_ns,
		.interval_ns = run->cfg.interval_ns,
		.cancel_fd = ops->cancel_fd,
		.told = ops->interval,
		.ctx = ops->ctx,
	};

	if (run->mode == DNS_MODE_SEARCH)
		return dns_find(run, x, ops, e);
	return dns_run_timed(run, x, &ask, &run->main, e);
}

int dns_run_measure(struct dns_run *run, const struct dns_run_ops *ops, struct err *e)
{
	_cleanup_(dns_queries_freep) struct dns_queries *queries = NULL;
	_cleanup_(dns_engine_closep) struct dns_engine *x = NULL;
	int r = dns_queries_new(&queries, &run->cfg, e);

	clock_utc(run->started);
	run->mode = dns_mode_of(&run->cfg);
	run->complete = true;
	run->lower_qps = run->upper_qps = run->conditional_qps = NAN;
	if (r == 0)
		r = dns_engine_open(&x, &run->cfg, run->host, queries, e);
	if (r < 0)
		return r;
	run->n_queries = queries->n;
	str_set(run->server, dns_engine_ip(x));
	r = look(x, run, ops->cancel_fd, e);
	if (r == 0 && signals_pending(ops->cancel_fd)) {
		run->complete = false;
		return 0;
	}
	return r < 0 ? r : measure(run, x, ops, e);
}
