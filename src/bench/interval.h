/*
 * What each end counted in one interval of a trial, its form on the wire, and the two ends' lists
 * made into one: interval n of near beside interval n of far.
 */
#pragma once

#include "base/field.h"
#include "load/load.h"
#include "wire/doc.h"

#include <stdbool.h>
#include <stdint.h>

/* Most intervals kept of one trial, per end; later ones are counted and shown, not kept. */
#define INTERVAL_MAX 100000
/* Shortest interval: below it the kernel's own counters of CPU time do not tell any more. */
#define INTERVAL_MIN_NS (10 * NSEC_PER_MSEC)

/* Times count from the begin of the counted span, on that end's own clock. */
struct interval_end {
	uint64_t begin_ns, end_ns;
	uint64_t bytes_tx, bytes_rx;
	uint64_t packets_tx, packets_rx;
	uint64_t transactions, lost;
	uint64_t busy_ns, user_ns, system_ns, softirq_ns;
	uint64_t threads_ns;
	uint64_t retransmits, rtt_ns, delivery_rate_bps;
	uint32_t cwnd_segs, n_tcp_flows;
};
extern const struct field interval_fields[];

struct interval {
	bool has[2]; /* near, far */
	struct interval_end end[2];
};

struct interval_list {
	struct interval *at; /* [n] */
	uint32_t n;
	uint32_t count[2];     /* how many near and far have sent */
	struct interval extra; /* the one under way when @at is full */
};

/*
 * interval_take() - the next interval of one end, from its message.
 * @ret: the interval once both ends have sent theirs, borrowed until the next call; else NULL
 */
int interval_take(struct interval_list *list, bool far, const struct doc *msg,
	const struct interval **ret, struct err *e) must_check_;
void interval_put(struct doc *msg, uint32_t n, const struct interval_end *x);
void interval_list_fini(struct interval_list *list);
