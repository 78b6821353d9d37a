/* The arithmetic of a bill: pure. */
#pragma once

#include "charge/bill.h"

/* softirq_ns, total_ns and ns_per_pkt of one row, from its accounts and process time. */
void bill_row_sum(struct bill_row *r, bool irq_time);

/*
 * bill_sum() - fill what follows from the accounts and process times of a bill's rows: softirq_ns,
 *              total_ns, ns_per_pkt, conservation, and the host's share of the processes.
 * @busy_ns: CPU time of the whole machine in that time; NULL: not known
 * @irq_time: softirqs are left out of processes' CPU time
 *
 * The host has the time of processes that no container has. What softirqs took in their contexts
 * is no work of the host's, though no row says that it gained it: softirqs that ran neither in a
 * container's context nor while a CPU idled.
 */
void bill_sum(struct bill *b, const uint64_t *busy_ns, bool irq_time);
