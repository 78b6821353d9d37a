/*
 * Makes the payer pay: reads bills (charge/bill.h), and sets the quota of each container that it
 * was told to (guard/config.h) to what is left of its budget. Nobody else is touched.
 *
 *	bill -> charged, credited -> control law -> quota          every step
 *	                                       \-> early drop      by whoever brings it
 */
#pragma once

#include "base/cleanup.h"
#include "base/field.h"
#include "charge/bill.h"
#include "guard/config.h"
#include "guard/state.h"

#include <stdbool.h>
#include <stdint.h>

struct guard_cfg {
	uint32_t policy;      /* of whom no rule fits */
	uint64_t step_ns;     /* between two bills */
	uint64_t interval_ns; /* between two reports */
	uint64_t duration_ns; /* 0: until a signal */
	uint64_t bucket_ns;   /* of early drop: how long a budget may be saved, and overdrawn */
	char irq[24];         /* as irq_cost_parse() takes it */
	char container[2048]; /* rules, parted by ";" */
	char config[256];     /* a file of rules; "": none */
	char nics[256];       /* devices that packets for containers come in by, with commas */
	char moderate[256];   /* as moderate_parse() takes it */
	char state_dir[256];  /* "": guard_state_dir() */
};
extern const struct guard_cfg guard_cfg_default;
extern const struct opt guard_opts[];

/* Where bills come from. */
struct guard_source {
	void *ctx;
	bool irq_time; /* the kernel leaves softirqs out of processes' CPU time */
	/* Since the last call; borrowed until the next one. */
	int (*bill)(void *ctx, const struct bill **ret, struct err *e);
};

/* Early drop, for containers whose policy has it. Drops are counted in the bill. */
struct guard_drop_ops {
	/* Each step, of every container, guarded or not: who it is now; NULL: it is gone */
	void (*see)(void *ctx, uint32_t owner, const struct container *who);
	/* One that was seen. @budget: CPU time per time; @rule: of its ports; NULL: none fits */
	int (*add)(void *ctx, uint32_t owner, const struct guard_rule *rule, double budget,
		struct err *e);
	void (*remove)(void *ctx, uint32_t owner);
	void (*beat)(void *ctx); /* at the end of each step: the guard lives */
	/* Of one that was added: what of its packets is not dropped as asked for, and why; "" */
	const char *(*why)(const void *ctx, uint32_t owner);
};

struct guard_args {
	const struct guard_cfg *cfg;
	const struct guard_rules *rules;
	const struct guard_source *source;
	const struct guard_drop_ops *drop; /* NULL: charge+drop can't be had */
	void *drop_ctx;
	struct guard_state *state;
	const char *cpu_root; /* cgroup_cpu_root() */
	uint64_t irq_ns; /* what an interrupt costs beside the softirq that it raises; 0: unknown */
};

/* One container since the last report. */
struct guard_row {
	struct container who;
	uint32_t owner;
	uint32_t policy;       /* enum guard_policy: what was asked for */
	bool guarded;          /* is its quota the guard's? */
	bool gone;             /* it is no more */
	double budget_cpus;    /* CPU time per time; NaN: none */
	double quota_cpus;     /* the quota in force, CPU time per time; NaN: not the guard's */
	double debt_ns;        /* used beyond what was due, yet to be taken back */
	uint64_t process_ns;   /* CPU time of its processes, as the scheduler counts */
	uint64_t softirq_ns;   /* softirq time for it, whoever's time that was */
	uint64_t charged_ns;   /* taken off its budget */
	uint64_t credited_ns;  /* given back to it */
	uint64_t dropped_pkts; /* by its budget */
	uint64_t irqs;         /* that its packets came with */
	uint64_t writes;       /* of its quota */
	uint64_t changes;      /* of its quota by somebody else */
	char why[200];         /* it is not guarded as asked for, because; "" */
};
extern const struct field guard_row_fields[];

struct guard_report {
	uint64_t from_ns, to_ns;
	uint32_t n;
	struct guard_row *row; /* [n] */
};
void guard_report_fini(struct guard_report *r); /* for the attribute, too */

struct guard;

/*
 * Are there so many interrupts with its packets, while it is over its budget, that these take more
 * than what dropping can save? Of a row of @dt_ns. At 5.4 us, the least that one was measured to
 * cost in a VM (METHOD.md, Guard), they take 11 % of a CPU.
 */
#define GUARD_FLOOD_IRQS_HZ 20000
bool guard_row_floods(const struct guard_row *x, uint64_t dt_ns);

/* @args and what it points to: until guard_free(). */
struct guard *guard_new(const struct guard_args *args) must_check_;
/* Lets go of all; what can't be put back stays noted in the state. */
void guard_free(struct guard *g);
DEFINE_CLEANUP(struct guard *, guard_free, guard_freep)

/* One bill, and what follows from it. A container that can't be guarded is no failure. */
int guard_step(struct guard *g, struct err *e) must_check_;
/* What happened since the last report. */
void guard_take(struct guard *g, struct guard_report *ret);
