/* What of a bill counts against budgets; pure. */
#pragma once

#include "charge/bill.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * An interrupt costs time that softirqs' does not hold: from the interrupt to softirq_entry, and
 * from softirq_exit on. It is paid by whose packet was the first, to whose time it came in.
 */
struct price {
	bool irq_time; /* the kernel leaves interrupts out of processes' CPU time */
	uint64_t irq_ns;
};

/* Done for it and not counted by its quota. @irq_ns: its own, if another */
uint64_t price_charged(const struct price *p, const struct bill_row *x, uint64_t irq_ns);
/* Done for others and counted by its quota. */
uint64_t price_credited(const struct price *p, const struct bill_row *x);
