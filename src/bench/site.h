/* A built path with an agent at each end: where trials are run. */
#pragma once

#include "bench/endpoint.h"
#include "bench/result.h"
#include "sys/cgroup.h"

struct site {
	struct path *path;
	struct endpoint near, far;
	bool has_cgroup[2];
	struct cgroup cgroup[2];                          /* of near and far */
	char near_half[256], far_half[256], last_cpu[16]; /* CPU lists to pin to */
};

struct site_args {
	const struct path_ops *ops;
	const struct path_cfg *cfg;
	struct janitor *janitor; /* NULL: no cgroups */
	int cancel_fd;
};

/*
 * site_open() - build the path, verify it and start its agents. Words that the reader must know
 * (a cgroup that can't be had) are added to @run's limits.
 *
 * Return: 0, PATH_UNAVAILABLE with the reason, or negative errno.
 */
int site_open(struct site **ret, const struct site_args *args, struct run *run, struct err *e)
	must_check_;
void site_close(struct site *s);
DEFINE_CLEANUP(struct site *, site_close, site_closep)

/* Replaces both agents, after a trial failed: nothing of it may touch the next one. */
int site_restart(struct site *s, struct err *e) must_check_;

/*
 * site_trial() - run one trial of @load; fills t's status, reason and numbers.
 * @meters: [METER_N] which meters to arm
 *
 * Return: 0, also when the trial failed (then t->status says so), or -ECANCELED.
 */
int site_trial(struct site *s, const struct load_spec *load, const struct bench_cfg *cfg,
	const bool *meters, struct trial *t) must_check_;
