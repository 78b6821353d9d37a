/*
 * What a container that only computes loses to a neighbour's packets: the experiment of Iron
 * (Khalid et al., NSDI 2018, s. 2). Victim, neighbour and, where there are three shares, a
 * bystander run on one CPU, each with a quota of it; the soft interrupts of all that comes over the
 * wire land there, too. The penalty is the time the victim really gets beside a neighbour that
 * computes, by the time it gets beside one of the same quota that does network I/O.
 *
 * A round of one row of shares is: a trial with a neighbour that computes, and one of each kind of
 * neighbour and guard; the order turns with the rounds, so what the machine does slowly is in all
 * of them. Ratios are of trials of one round.
 */
#pragma once

#include "base/field.h"
#include "base/opt.h"
#include "guard/irq_cost.h"
#include "meter/env.h"
#include "path/tenants.h"
#include "stat/estimate.h"

#define PENALTY_MAX_SHARES 8

enum penalty_kind {
	PENALTY_COMPUTE,
	PENALTY_UDP_RX,
	PENALTY_GSO_RX,
	PENALTY_TCP_RX,
	PENALTY_UDP_TX,
	PENALTY_TCP_TX,
	PENALTY_KIND_N,
};
extern const char *const penalty_kind_name[PENALTY_KIND_N];

/* What tare guard does: its policy over the three containers, and more. */
enum penalty_guard {
	PENALTY_GUARD_OFF,
	PENALTY_GUARD_CHARGE,
	PENALTY_GUARD_CHARGE_DROP,
	PENALTY_GUARD_CHARGE_DROP_MODERATE, /* and the wire's interrupts */
	PENALTY_GUARD_N,
};
extern const char *const penalty_guard_name[PENALTY_GUARD_N];
static inline bool penalty_guard_drops(uint32_t guard)
{
	return guard >= PENALTY_GUARD_CHARGE_DROP;
}

struct penalty_cfg {
	char shares[128], neighbours[128], guards[64];
	uint64_t rate_pps; /* 0: the kind's own */
	uint32_t burst;    /* of udp-rx */
	uint32_t flows;    /* 0: the kind's own */
	uint32_t mtu;
	bool tso;
	uint64_t bystander_pps;
	uint64_t time_ns, warmup_ns, period_ns;
	uint64_t settle_ns; /* with a guard, before the warm-up */
	uint32_t repeat_min, repeat_max, width_ppm;
	uint32_t foreign_ppm, retries;
	uint64_t bucket_ns;   /* of the guard, as of guard_cfg */
	uint64_t moderate_ns; /* of the guard, where it moderates */
	char irq[24];         /* of the guard, as irq_cost_parse() takes it */
	char cpu[16], peer_cpu[16];
};
extern const struct penalty_cfg penalty_cfg_default;
extern const struct opt penalty_opts[]; /* bound to struct penalty_cfg */

struct penalty_shares {
	char name[32];          /* "60/20/20" */
	uint32_t n;             /* 2, or 3: with a bystander */
	uint32_t pct[TENANT_N]; /* of the CPU */
};

enum penalty_status {
	PENALTY_OK,
	PENALTY_DISTURBED, /* too much foreign time in every try; this is the last one */
	PENALTY_FAILED,
	PENALTY_STATUS_N,
};
extern const char *const penalty_status_name[PENALTY_STATUS_N];

/* A trial. Shares are of the span of one CPU; NAN: not measured. */
struct penalty_trial {
	uint32_t round, shares, kind, guard;
	bool baseline;
	uint32_t status, retries; /* enum penalty_status; tries before this one */
	char reason[256];
	double victim_share, victim_cpu_share;
	double neighbour_cpu_share, bystander_cpu_share, ksoftirqd_share, foreign_share;
	uint64_t span_ns, victim_ns, step_ns, least_gap_ns, n_gaps, longest_gap_ns;
	double sent_pps, received_pps, received_bps, device_pps;
	uint64_t bystander_sent, bystander_received;
	double bystander_delivery;
	/* With a guard, by its own accounting. */
	double neighbour_used_share, victim_gained_share;
	uint64_t irq_ns;                               /* what it took an interrupt for */
	uint64_t victim_irqs;                          /* interrupts of others in its time */
	uint64_t neighbour_dropped, bystander_dropped; /* packets */
};
extern const struct field penalty_trial_fields[];

/* What the trials of one row of shares, kind and guard come to. */
struct penalty_cell {
	uint32_t shares, kind, guard;
	struct estimate factor; /* of pairs with the baseline of the same round */
	uint32_t n_disturbed, n_failed;
	/* Means over the trials of those pairs. */
	double baseline_share, victim_share, neighbour_cpu_share, neighbour_used_share, sent_pps,
		received_pps, received_bps, device_pps;
	double slowdown;       /* factor.mean - 1 */
	double neighbour_got;  /* of its share, what it used; without a guard its process alone */
	double dropped_pps;    /* of the neighbour's, by the guard */
	double victim_irqs_hz; /* others' interrupts in the victim's time, by the guard */
	double bystander_delivery; /* of all datagrams of all trials */
	char reason[256];          /* of the first trial that failed */
};
extern const struct field penalty_cell_fields[];

/*
 * The guard, when there is one to be measured. It is told of the containers and may change their
 * quotas. It runs in a process of its own at the peer's CPU, from before the traffic until after
 * it; that process may be killed, so whatever it puts into the kernel must go with it.
 */
struct penalty_guard_args {
	uint32_t policy;            /* enum penalty_guard, not off */
	uint64_t bucket_ns, irq_ns; /* as of guard_cfg, guard_args */
	uint64_t moderate_ns;       /* of the wire; where @policy has it */
	int host_fd;                /* the namespace of wire and bridge */
	const char *wire;
	uint32_t n;
	struct {
		const char *name;
		const char *cgroup_dir; /* that has the quota */
		const char *usage_dir;  /* that has the CPU time, of v1; NULL: the same, of v2 */
		int netns_fd;
	} container[TENANT_N];
};
/* Since it was opened. */
struct penalty_guard_count {
	uint64_t at_ns;
	uint64_t used_ns[TENANT_N]; /* CPU time, whoever's time that was */
	uint64_t dropped_pkts[TENANT_N];
	uint64_t gained_ns[TENANT_N], irqs_gained[TENANT_N]; /* of others, in its time */
};
struct penalty_guard_ops {
	uint64_t step_ns; /* how often it is stepped */
	int (*open)(void **ret, const struct penalty_guard_args *args, struct err *e);
	int (*step)(void *guard, struct err *e);
	int (*read)(void *guard, struct penalty_guard_count *ret, struct err *e);
	void (*close)(void *guard);
};

struct penalty {
	struct penalty_cfg cfg;
	uint32_t n_shares, n_kinds, n_guards;
	struct penalty_shares shares[PENALTY_MAX_SHARES];
	uint32_t kind[PENALTY_KIND_N], guard[PENALTY_GUARD_N];
	/*
	 * As asked for, or of the first calibration; once it runs, 0 without a guard, or if it
	 * can't be had.
	 */
	struct irq_cost irq;
	char irq_why[200]; /* why it can't; "" */
	uint32_t cpu, peer_cpu;
	struct env env;
	char started[21], command[1024];
	bool complete;
	bool exact; /* foreign time is exact, and not sampled at ticks */
	uint32_t n_trials;
	struct penalty_trial *trial; /* [n_trials] */
};

struct penalty_progress {
	uint32_t done, expected; /* trials; expected at most */
	uint64_t left_ns;
	const struct penalty_trial *next; /* NULL: that was the last */
	const char *note;                 /* NULL, or why one is done again */
	const struct penalty *penalty;
};
struct penalty_hooks {
	void (*progress)(void *ctx, const struct penalty_progress *p);
	void *ctx;
	int cancel_fd;
};

/* Reads the words of @p->cfg. Return: 0, or -EINVAL: wrong usage. */
int penalty_plan(struct penalty *p, struct err *e) must_check_;
/*
 * penalty_check() - can this machine do it?
 * Return: 0; -EPERM, -EOPNOTSUPP with what is missing; -EINVAL: no such CPU.
 */
int penalty_check(struct penalty *p, struct err *e) must_check_;

uint32_t penalty_max_trials(const struct penalty *p);
double penalty_estimate_s(const struct penalty *p);

/*
 * penalty_run() - all rounds. Trials that fail are kept with their reason.
 * Return: 0 (p->complete is false when interrupted), or negative errno when there is no lab.
 */
int penalty_run(struct penalty *p, const struct penalty_hooks *hooks, struct err *e) must_check_;
void penalty_fini(struct penalty *p);

/* Pure functions of the trials. */
void penalty_cell(const struct penalty *p, uint32_t shares, uint32_t kind, uint32_t guard,
	struct penalty_cell *ret);
bool penalty_any_failed(const struct penalty *p);
