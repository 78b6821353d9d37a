/*
 * Searches for the highest load that a system takes. They know nothing of networks: they ask for a
 * trial and get its counts. Every search ends, and says how.
 */
#pragma once

#include "base/err.h"
#include "base/field.h"
#include "stat/estimate.h"

#include <stdbool.h>
#include <stdint.h>

/* What one trial said. Loss ratio is lost / tried, 0 when nothing was tried. */
struct search_trial {
	double load;           /* asked for, per interface */
	uint64_t duration_ns;  /* intended */
	uint64_t effective_ns; /* what it took in all, overheads included */
	uint64_t tried;        /* frames (queries, ...) intended, what could not be sent included */
	uint64_t lost;         /* of them */
};
extern const struct field search_trial_fields[];

double search_loss_ratio(const struct search_trial *t);

/* Forwarding rate. Ref: RFC 2285 s.3.6.1, RFC 9971 "Trial Forwarding Rate": load less its loss */
double search_forwarded(const struct search_trial *t);

struct search_ops {
	/*
	 * Runs a trial. Fills tried, lost, effective_ns; 0 there stands for the intended one.
	 * Return: 0, or negative errno, which ends the search as it is.
	 */
	int (*trial)(void *ctx, double load, uint64_t duration_ns, struct search_trial *ret,
		struct err *e);
	/* Of each trial once it is in the log, as the n-th of it from 1 on. NULL: nobody asks. */
	void (*told)(void *ctx, const struct search_trial *t, uint32_t n);
	void *ctx;
};

/* All trials in the order they were made. */
struct search_log {
	uint32_t n;
	struct search_trial *trial; /* [n] */
	uint64_t effective_ns;      /* of all trials */
};
void search_log_fini(struct search_log *log);

/* Adds a trial that was made; its effective_ns is not 0. */
void search_log_add(struct search_log *log, const struct search_trial *t);

/* Runs a trial and adds it to the log. */
int search_measure(struct search_log *log, const struct search_ops *ops, double load,
	uint64_t duration_ns, struct err *e) must_check_;

enum search_end {
	SEARCH_FOUND,      /* regular: both bounds are there, close enough */
	SEARCH_MAX_LOAD,   /* irregular: the highest load there may be passes; no upper bound */
	SEARCH_MIN_LOAD,   /* irregular: the lowest load there may be fails; no lower bound */
	SEARCH_TIME_MAX,   /* irregular: out of time first */
	SEARCH_TRIALS_MAX, /* irregular: too many trials first */
	SEARCH_STOPPED,    /* irregular: a trial could not be made, or the search was called off */
	SEARCH_END_N,
};
extern const char *const search_end_name[SEARCH_END_N];
extern const char *const search_end_text[SEARCH_END_N]; /* the same for people */

/*
 * Binary search of ETSI GS NFV-TST 009 s.12.3.2, over loads min, min + step, ..., max; with loss
 * verification (s.12.3.3) when max_repeat > 1: a trial with loss is made again up to max_repeat
 * times in all, unless it lost more than max_loss, and one without loss makes up for the others.
 */
struct binary_cfg {
	double min_load, max_load, step;
	uint64_t duration_ns;
	double loss_ratio;    /* goal: more than that is loss; 0 of RFC 2544 */
	uint32_t max_repeat;  /* r; 1: no verification */
	uint64_t max_loss;    /* z; frames; UINT64_MAX: always verified */
	uint64_t time_max_ns; /* of effective durations; 0: none */
};
struct binary_result {
	enum search_end end;
	double lower, upper; /* highest load that passed, lowest above it that did not; NAN: none */
};
/* @ret is filled whatever becomes of it, @log gets longer. Return: 0, or negative errno. */
int search_binary(struct binary_result *ret, struct search_log *log, const struct binary_cfg *cfg,
	const struct search_ops *ops, struct err *e) must_check_;

/*
 * Mean forwarding rate under the highest load, over @n trials (CSIT: 10 of 1 s); bounds nothing.
 * Ref: RFC 2285 s.3.6.2, forwarding rate at maximum offered load
 */
int search_mrr(struct estimate *ret, struct search_log *log, double load, uint64_t duration_ns,
	uint32_t n, const struct search_ops *ops, struct err *e) must_check_;
