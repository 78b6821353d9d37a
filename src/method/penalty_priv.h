/* What the files of penalty share: the processes of a trial, and what each does. */
#pragma once

#include "method/penalty.h"
#include "stat/gaps.h"
#include "sys/cgroup.h"

#include <stdatomic.h>
#include <sys/types.h>

enum crew_role {
	CREW_VICTIM,
	CREW_NEIGHBOUR,
	CREW_BYSTANDER,
	CREW_PEER,           /* the other end of the neighbour's traffic */
	CREW_BYSTANDER_PEER, /* of the bystander's */
	CREW_GUARD,
	CREW_N,
};

/* What a process says of itself, in memory that all share. */
struct crew_said {
	_Alignas(64) _Atomic uint64_t packets, bytes; /* so far: of loops of our own */
	bool failed;
	struct err why;
	struct gaps gaps; /* the victim's */
	uint64_t step_ns;
	double pps, bps;                       /* of the span, by its own readings; NAN: not said */
	struct penalty_guard_count begin, end; /* the guard's, of the span */
};

struct crew_shared {
	atomic_uint n_ready;
	/* Traffic flows from when begin_ns is there; the span is [begin_ns, end_ns). */
	_Atomic uint64_t begin_ns, end_ns;
	atomic_bool stop;
	struct crew_said said[CREW_N];
};

/* The processes of one trial. */
struct crew {
	struct crew_shared *shared;
	pid_t pid[CREW_N]; /* 0: none */
	uint32_t n;
};

/* A process' view. Its descriptors are copies of those that the sockets of a trial have. */
struct crew_task {
	const struct penalty *penalty;
	const struct tenants *net;
	struct crew_shared *shared;
	struct crew_said *said;
	uint32_t kind; /* enum penalty_kind */
	uint32_t cpu;
	const struct cgroup *cgroup; /* NULL: it stays in tare's */
	const int *fd;               /* [n_fds] */
	uint32_t n_fds;
	const struct penalty_guard_args *guard; /* of CREW_GUARD */
};
/* Gets ready, says so by crew_ready(), and ends after the stop. */
typedef int crew_fn(struct crew_task *task, struct err *e);

int crew_open(struct crew *c, struct err *e) must_check_;
/* Kills and reaps what is left of it. */
void crew_close(struct crew *c);
int crew_start(struct crew *c, enum crew_role role, crew_fn *fn, const struct crew_task *task,
	struct err *e) must_check_;
/* Waits until all are ready. -ECANCELED: @cancel_fd is readable. */
int crew_wait_ready(struct crew *c, int cancel_fd, struct err *e) must_check_;
/* Has one ended early? Return: 0, or its error. */
int crew_check(struct crew *c, struct err *e) must_check_;
/* Stops all and waits for their end. */
int crew_stop(struct crew *c, struct err *e) must_check_;
/* Return: 0, or -ECANCELED. */
int crew_wait_until(uint64_t ns, int cancel_fd) must_check_;

/* In a process of the crew. */
uint64_t crew_ready(const struct crew_task *task); /* waits for begin_ns; 0: it was stopped */
void crew_sleep_until(const struct crew_task *task, uint64_t ns);
void crew_wait_stop(const struct crew_task *task);
static inline bool crew_stopped(const struct crew_task *task)
{
	return atomic_load_explicit(&task->shared->stop, memory_order_relaxed);
}

/* penalty_kind.c: sockets of the neighbour's traffic, and both ends' part of it. */
#define PENALTY_MAX_FLOWS 256
struct kind_sockets {
	uint32_t n_neighbour, n_peer;
	int neighbour[PENALTY_MAX_FLOWS], peer[PENALTY_MAX_FLOWS];
};
struct kind_ops {
	bool live;  /* the wire takes live frames */
	bool udp;   /* datagrams count */
	bool sink;  /* the neighbour is task_sink, and tare reads what it counts */
	bool sends; /* the neighbour does */
	int (*open)(struct kind_sockets *ret, const struct penalty *p, uint32_t kind,
		const struct tenants *net, struct err *e);
	crew_fn *neighbour, *peer; /* peer may be NULL */
};
extern const struct kind_ops penalty_kind_ops[PENALTY_KIND_N];
void kind_sockets_close(struct kind_sockets *s);

/* penalty.c: does one of the guards moderate? Then the wire polls in all trials, to be the same. */
bool penalty_moderates(const struct penalty *p);

/* penalty_task.c: what takes part in every trial. */
crew_fn task_victim, task_compute, task_sink, task_bystander_peer, task_guard;

/* A socket of this end, bound to its own address. Return: descriptor, or negative errno. */
int task_bind(const struct tenants_end *end, int type, uint16_t port, struct err *e) must_check_;

/* A socket of the bystander's end, and one that sends to it. */
int task_bystander_sockets(const struct tenants *net, int *ret_rx, int *ret_tx, struct err *e)
	must_check_;

/* penalty_trial.c */
struct stage {
	const struct penalty *penalty;
	struct janitor *janitor;
	struct cgroup cgroup[TENANT_N];
	const char *quota_dir[TENANT_N];     /* of the cgroups, the one with the quota */
	const char *usage_dir[TENANT_N];     /* with the CPU time; NULL: it is that one, of v2 */
	struct tenants *net[PENALTY_KIND_N]; /* NULL: not asked for */
	int ksoftirqd;                       /* pid; 0: unknown */
};
int stage_open(struct stage **ret, const struct penalty *p, struct err *e) must_check_;
void stage_close(struct stage *s);
DEFINE_CLEANUP(struct stage *, stage_close, stage_closep)
/*
 * stage_trial() - the trial that @t asks for; its numbers go there.
 * Return: 0; -ECANCELED; or another errno: this trial failed.
 */
int stage_trial(struct stage *s, struct penalty_trial *t, bool *ret_exact, int cancel_fd,
	struct err *e) must_check_;
