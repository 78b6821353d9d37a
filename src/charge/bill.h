/*
 * The bill: who had how much CPU in an interval, softirqs done for it included. Joins the
 * accounting (charge/softirq.h) with the containers there are (charge/container.h), which come and
 * go while it runs.
 *
 *	total = process - gained + (softirq - own) + thread      softirq = rx + tx + other
 *	total = process + softirq + thread      where the kernel leaves softirqs out of process
 *
 * own and gained are parts of process: softirqs run in whatever context they interrupt, and the
 * scheduler takes them for that process's time. NAPI threads are processes of the host, which
 * hands their time on. Ref: NSDI'18 "Iron", s.3.1; kernel/sched/cputime.c, irqtime_account_irq.
 */
#pragma once

#include "base/field.h"
#include "charge/container.h"
#include "charge/softirq.h"

struct charge;

#define CHARGE_MAX_NAMED 64 /* namespaces, and as many cgroups, that are asked for */

/* Strings that it points to must live as long as what is opened with it. */
struct charge_cfg {
	struct container_cfg find; /* max: at once; at most SOFTIRQ_MAX_OWNERS - SOFTIRQ_FIRST */
	bool precise;
	bool enforce;     /* keep budgets: softirq_budget() of charge_softirq() */
	bool per_cpu;     /* fill bill.cpu_row */
	uint64_t scan_ns; /* look for new containers so often besides when the kernel says so */
};

/* One owner in one interval. */
struct bill_row {
	uint32_t owner;
	struct container who; /* of host and overhead: name only */
	bool is_new, is_gone; /* appeared, or was last seen, in this interval */
	bool process_known;   /* false: process_ns and total_ns are no numbers */
	struct softirq_account soft;
	uint64_t softirq_ns; /* rx + tx + other */
	uint64_t process_ns; /* CPU time of its processes; host's is the rest of the machine */
	int64_t total_ns;    /* process - work done for others + softirq done by others for it */
	double ns_per_pkt;   /* rx_ns + tx_ns by rx_pkts + tx_pkts; NaN: no packets */
};
/* What a row is of, what it counts, and what is a number only if process_known. */
extern const struct field bill_who_fields[], bill_row_fields[], bill_process_fields[];

struct bill {
	uint64_t from_ns, to_ns; /* CLOCK_MONOTONIC, of the readings */
	uint32_t n_rows;         /* host, overhead, then containers in the order they were found */
	struct bill_row *row;    /* [n_rows] */
	uint32_t n_cpus;
	struct softirq_cpu *cpu; /* [n_cpus], all of it, whoever owned it */
	struct softirq_account
		*cpu_row;    /* [n_cpus][n_rows], row = possible CPU; NULL unless asked for */
	double conservation; /* owners' rx + tx by CPUs' rx + tx: 1, or some is lost; NaN: none */
	uint32_t n_left_out; /* containers without room, in whole or part: the host's */
};
extern const struct field bill_fields[];
void bill_fini(struct bill *b); /* for the attribute, too */

/* Members of the structs shared with the kernel, under their own names. */
extern const struct field softirq_account_fields[], softirq_cpu_fields[];

/* "host", "overhead", or the kind of container. */
const char *bill_kind(const struct bill_row *r);

/* Return: 0, SOFTIRQ_UNAVAILABLE with what is missing, or negative errno. */
int charge_open(struct charge **ret, const struct charge_cfg *cfg, struct err *e) must_check_;
void charge_close(struct charge *c);
DEFINE_CLEANUP(struct charge *, charge_close, charge_closep)

const struct softirq_kernel *charge_kernel(const struct charge *c);
/* The accounting itself, for who sets budgets in it; it stays the charge's. */
struct softirq *charge_softirq(const struct charge *c);

/*
 * Readable when the kernel said that containers may have come or gone: call charge_scan(), which
 * looks no more often than it makes sense. -1: the kernel can't say.
 */
int charge_fd(const struct charge *c);
int charge_scan(struct charge *c, struct err *e) must_check_;

/*
 * charge_bill() - what happened since the last call, or since open. Scans when it is time.
 *
 * A container that is gone has a row more: what was done for it until then, and once again should
 * any be booked after that. Its number is given out again only then.
 */
int charge_bill(struct charge *c, struct bill *ret, struct err *e) must_check_;
/*
 * charge_total() - what happened since open: rows of all that there were, gone ones included, the
 * earliest of these in one row BILL_EARLIER when there were more than CHARGE_MAX_GONE.
 */
#define CHARGE_MAX_GONE 2048
#define BILL_EARLIER    "(earlier)" /* its name */
void charge_total(struct charge *c, struct bill *ret);
