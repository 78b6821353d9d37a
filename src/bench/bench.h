/*
 * The engine: builds every path of a planned run, then measures all cells in rounds. In a round
 * each load is run on each path once, in an order that rotates from round to round, so that slow
 * drift of the machine meets all paths alike and cancels in the ratio to native.
 */
#pragma once

#include "bench/result.h"

struct bench_progress {
	uint32_t done, expected;      /* trials; expected is the most there can be */
	uint64_t elapsed_ns, left_ns; /* since the first trial; estimate to the end */
	const struct trial *last;     /* NULL before the first */
};

struct bench_hooks {
	void (*progress)(void *ctx, const struct run *run, const struct bench_progress *p);
	/* Between two machines: each interval as both ends have sent it, number @n of its trial. */
	void (*interval)(void *ctx, const struct run *run, const struct trial *t, uint32_t n,
		const struct interval *x);
	void *ctx;
	int cancel_fd; /* readable: stop after tearing down, keep what there is */
};

/*
 * bench_run() - measure everything planned in @run (plan.h) into it.
 *
 * A run whose remote_cfg names a host is between this machine and that one: nothing is built, no
 * rights are needed, and the first signal ends the trial under way, whose numbers are kept. With
 * --wire the near ends of its paths, but for native's, are built here.
 *
 * A path that can't be built is marked skipped or failed and the rest goes on. Enters a user
 * namespace first when the process lacks the rights (then run->rootless is set).
 *
 * Return: 0 (also when interrupted: run->complete is false), or negative errno when nothing can
 * be measured, the baseline included.
 */
int bench_run(struct run *run, const struct bench_hooks *hooks, struct err *e) must_check_;

/* Gets the rights to build namespaces, once per process. *ret_rootless: by a user namespace. */
int bench_privilege(bool *ret_rootless, struct err *e) must_check_;

/*
 * May it take namespaces and devices that are there (path_ops.real_root)? A user namespace of its
 * own has no rights over them, and a network of its own. Return: 0, or PATH_UNAVAILABLE.
 */
int bench_others(bool rootless, struct err *e) must_check_;
