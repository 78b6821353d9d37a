/*
 * The bill: who had how much CPU in an interval, softirqs done for it included. Joins the
 * accounting (charge/softirq.h) with the containers there are (charge/container.h), which come and
 * go while it runs.
 *
 *	total = process - gained + (softirq - own)           softirq = rx + tx + other
 *	total = process + softirq          where the kernel leaves softirqs out of process
 *
 * own and gained are parts of process: softirqs run in whatever context they interrupt, and the
 * scheduler takes them for that process's time. Ref: NSDI'18 "Iron", s.3.1;
 * kernel/sched/cputime.c, irqtime_account_irq.
 */
#pragma once

#include "base/field.h"
#include "charge/container.h"
#include "charge/softirq.h"

struct charge;

struct charge_cfg {
	struct container_cfg find;
	bool precise;
	bool per_cpu;     /* fill bill.cpu_row */
	uint64_t scan_ns; /* look for new containers so often besides when the kernel says so */
};

/* One owner in one interval. */
struct bill_row {
	uint32_t owner;
	struct container who; /* of host and overhead: name only */
	bool is_new, is_gone; /* appeared, or was last seen, in this interval */
	bool process_known;   /* is process_ns its cgroup's? host's is the rest of the machine */
	struct softirq_account soft;
	uint64_t softirq_ns; /* rx + tx + other */
	uint64_t process_ns; /* CPU time of its processes, as the scheduler counts */
	int64_t total_ns;    /* process - work done for others + softirq done by others for it */
	double ns_per_pkt;   /* softirq_ns by rx_pkts + tx_pkts; 0: none */
};
extern const struct field bill_row_fields[];

struct bill {
	uint64_t from_ns, to_ns; /* CLOCK_MONOTONIC, of the readings */
	uint32_t n_rows;         /* host, overhead, then containers in the order they were found */
	struct bill_row *row;    /* [n_rows] */
	uint32_t n_cpus;
	struct softirq_cpu *cpu; /* [n_cpus], all of it, whoever owned it */
	struct softirq_account
		*cpu_row;    /* [n_cpus][n_rows], row = possible CPU; NULL unless asked for */
	double conservation; /* owners' rx + tx by CPUs' rx + tx: 1, or something is lost */
	uint32_t n_left_out; /* containers there was no room for: theirs is host's */
};
void bill_fini(struct bill *b); /* for the attribute, too */

/* Return: 0, SOFTIRQ_UNAVAILABLE with what is missing, or negative errno. */
int charge_open(struct charge **ret, const struct charge_cfg *cfg, struct err *e) must_check_;
void charge_close(struct charge *c);
DEFINE_CLEANUP(struct charge *, charge_close, charge_closep)

const struct softirq_kernel *charge_kernel(const struct charge *c);

/* Readable when the kernel said that containers may have come or gone: call charge_scan(). */
int charge_fd(const struct charge *c);
int charge_scan(struct charge *c, struct err *e) must_check_;

/* What happened since the last call, or since open. Scans when it is time. */
int charge_bill(struct charge *c, struct bill *ret, struct err *e) must_check_;
/* What happened since open: rows of all that there were, gone ones included. */
int charge_total(struct charge *c, struct bill *ret, struct err *e) must_check_;
