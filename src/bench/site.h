/* Where trials are run: a path built here, or a network to another machine, and two agents. */
#pragma once

#include "bench/endpoint.h"
#include "bench/pair.h"
#include "bench/remote.h"
#include "bench/result.h"
#include "bench/watch.h"
#include "sys/cgroup.h"

/* Of each interval that both ends have sent, number @n of its trial. */
typedef void site_interval_fn(void *ctx, const struct trial *t, uint32_t n,
	const struct interval *x);

struct site {
	struct path *path;     /* NULL: nothing is built, there is a remote */
	struct remote *remote; /* NULL: both ends are here; with a path on a real wire both */
	struct endpoint near, far;
	struct watch *watch;                /* NULL: nothing to watch */
	void *softirq;                      /* the caller's meter softirq; NULL: not armed */
	struct softirq_ends ends;           /* for it */
	struct endpoint_traits *far_traits; /* of the remote */
	bool guest_meters[2][METER_N];      /* those that a guest at near, at far has */
	struct env guest_env;               /* of a guest that is an end; of two, far's */
	uint16_t load_port[2]; /* where the load of near and far listens, as they say */
	bool has_cgroup[2];
	struct cgroup cgroup[2];                          /* of near and far */
	char near_half[256], far_half[256], last_cpu[16]; /* CPU lists to pin to */
	site_interval_fn *interval;
	void *ctx;
};

struct site_args {
	const struct path_spec *spec;
	const struct remote_cfg *remote; /* far; NULL: an end of the spec's path, to be built */
	struct janitor *janitor;         /* NULL: no cgroups */
	int cancel_fd;
	site_interval_fn *interval; /* NULL: not wanted */
	void *ctx;
};

/*
 * site_open() - build the path and verify it, or connect to the remote; start the agents. Words
 * that the reader must know (a cgroup that can't be had) are added to @run's limits, what is found
 * at the remote to its remote.
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
 * Return: 0, also when the trial failed (then t->status says so); SITE_STOPPED, when the user ended
 * it early (its status is set all the same); or -ECANCELED, when nothing of it is of use.
 */
#define SITE_STOPPED 1
int site_trial(struct site *s, const struct load_spec *load, const struct bench_cfg *cfg,
	const bool *meters, struct trial *t) must_check_;
