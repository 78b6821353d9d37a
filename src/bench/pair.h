/*
 * Two agents through one run: the words of both (bench/observe.h) heard in turn, the intervals of
 * both made one list, the end of the run agreed on.
 */
#pragma once

#include "bench/endpoint.h"
#include "bench/interval.h"
#include "bench/watch.h"

struct pair_args {
	struct endpoint *end[2]; /* near, far */
	bool drives[2];          /* does that end drive a leg? */
	/*
	 * Agents with the controller's clock are told when; others in how much time from hearing
	 * it, so that far's span begins later than near's by what the word takes to get there.
	 */
	bool same_clock;
	bool exact; /* the load has an exact amount: the span may end before it is over */
	uint64_t warmup_ns, span_ns, interval_ns;
	/* Readable: end the span now and keep what there is; once more: give up. -1: none. */
	int stop_fd;
	struct watch *watch; /* begun and ended with the span; NULL: none */
	/* Of each interval that both ends have sent; @ctx. NULL: not wanted. */
	void (*interval)(void *ctx, const struct interval_list *list, const struct interval *x);
	void *ctx;
};

struct pair_result {
	struct end_report *report[2];
	struct hist **hist; /* [LOAD_HIST_N]; both ends' are added up; initialised */
	struct interval_list *intervals;
	struct watch_report *watch; /* filled if there is a watch */
	bool stopped;               /* by stop_fd */
};

int pair_run(const struct pair_args *args, struct pair_result *ret, struct err *e) must_check_;
