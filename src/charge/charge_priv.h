/* A running bill: charge.c has its life, reading.c its counters, bill.c its rows. */
#pragma once

#include "charge/bill.h"
#include "charge/container_watch.h"
#include "charge/machine.h"
#include "charge/owner.h"

/* A row, in the order in which owners were found. */
struct bill_entry {
	uint64_t serial;
	struct bill_row row;
	struct softirq_account *cpu; /* [n_cpus]; NULL: not kept */
};

/* The whole accounting at one moment. */
struct reading {
	uint64_t at_ns;
	struct machine_time machine;
	struct softirq_cpu *cpu;        /* [n_cpus] */
	struct owner_reading *of_owner; /* [n] of owners; of those that are free: zero */
};

struct charge {
	struct charge_cfg cfg;
	struct softirq *soft;
	struct container_watch *watch; /* NULL: the kernel can't say */
	struct container_list list;    /* of the last scan */
	struct owners owners;
	uint64_t scanned_ns, scan_took_ns; /* when, and how much CPU time it took */
	bool due;                          /* the kernel said that there is something to see */
	uint64_t from_ns, last_ns;
	struct machine_time machine_base, machine_last;
	struct softirq_cpu *cpu_base, *cpu_last; /* [n_cpus] */
	uint32_t n_gone;
	struct bill_entry *gone; /* [n_gone], rows of the total, earliest first */
};

void reading_take(struct charge *c, struct reading *ret);
void reading_fini(struct reading *r, const struct owners *o);

/* @total: since open, else since the last bill */
void bill_make(const struct charge *c, const struct reading *now, bool total, struct bill *ret);
/* An owner's row of the bill; the entry's cpu is the caller's. */
struct bill_entry bill_entry_of(const struct charge *c, const struct reading *now, bool total,
	uint32_t number);
