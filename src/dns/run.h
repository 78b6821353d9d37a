/* A DNS test from the first query to what is said of it. */
#pragma once

#include "dns/engine.h"
#include "stat/mlr.h"

/* A trial with its latencies. */
struct dns_timed {
	bool made;
	struct dns_trial trial;
	struct hist hist;
};

enum dns_mode {
	DNS_MODE_RATE,
	DNS_MODE_OUTSTANDING,
	DNS_MODE_SEARCH,
	DNS_MODE_N,
};
extern const char *const dns_mode_name[DNS_MODE_N];

struct dns_run {
	struct dns_cfg cfg;
	char host[256];
	char server[46];
	char started[21];
	uint32_t n_queries;
	enum dns_mode mode;
	bool complete; /* false: interrupted */

	/* Of a rate, a closed loop; of a search, before it. */
	struct dns_timed main;

	/* Of a search. */
	struct mlr_cfg bounds; /* min_load, max_load, and mlr's one goal */
	enum search_end end;
	double lower_qps, upper_qps; /* NAN: there is none */
	double conditional_qps;      /* mlr; NAN: none */
	bool client_limited;         /* what failed above lower_qps failed for this end's sake */
	uint64_t searched_ns;        /* effective time of all trials */
	uint32_t n_trials, room;
	struct dns_trial *trial;      /* [n_trials], the search's, in order */
	struct dns_timed found, half; /* at lower_qps, and at half of it */
};
extern const struct field dns_run_fields[];

struct dns_run_ops {
	void (*interval)(void *ctx, const struct dns_interval *x); /* NULL: nobody wants to know */
	/* After each trial of a search, the last in @run; lower_qps, upper_qps are mlr's so far. */
	void (*trial)(void *ctx, const struct dns_run *run);
	void *ctx;
	int cancel_fd;
};

enum dns_mode dns_mode_of(const struct dns_cfg *cfg);

/*
 * dns_run_measure() - measures what @run->cfg says of @run->host.
 *
 * Return: 0, also when interrupted; or negative errno: -EINVAL (queries), -EHOSTUNREACH, ...,
 * -ENOMSG: the server answers to nothing.
 */
int dns_run_measure(struct dns_run *run, const struct dns_run_ops *ops, struct err *e) must_check_;
void dns_run_fini(struct dns_run *run);
