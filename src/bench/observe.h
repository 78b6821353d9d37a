/*
 * The counted span of one trial at one end: counters and meters read at its begin and end, an
 * interval message for each part of it, and what controller and agent say to each other meanwhile.
 *
 *	agent -> controller   {"type": "interval", n, ...}   one for each interval
 *	                      {"type": "sent"}   all of an exact amount is sent, not all received
 *	                      {"type": "done"}   the span is over; the load goes on
 *	controller -> agent   {"type": "stop"}   end the span now
 *	                      {"type": "finish"} both ends are done: end the load, and report
 *
 * An end goes on sending and receiving until it is told to finish, so that no end finds the
 * traffic already over before its own span is, however much later it began.
 */
#pragma once

#include "bench/readings.h"
#include "load/load.h"
#include "wire/chan.h"

/* What one end says about one trial. */
struct end_report {
	uint64_t begin_ns, end_ns; /* when the counters were really read, that machine's clock */
	uint64_t bytes_tx, bytes_rx;
	uint64_t transactions, lost;
	uint64_t packets_tx, packets_rx, packets_expected;
	uint64_t reordered, duplicated, packets_alien, packets_unsent;
	uint64_t packets_gso, packets_gro, aggregates_gro, sends_refused, socket_drops;
	uint64_t jitter_ns;
	uint64_t zerocopy_sends, zerocopy_copied;
	uint64_t under_bytes_rx;   /* payload of the load beside, in the span */
	uint64_t late, unanswered; /* of the requests due in the span, until the stop */
	uint32_t n_flows;
	uint64_t flow_cpu[LOAD_MAX_LEGS * LOAD_MAX_FLOWS]; /* [n_flows] */
	uint32_t n_threads;
	uint64_t first_cpu[LOAD_MAX_LEGS * LOAD_MAX_THREADS]; /* [n_threads] */
	uint64_t last_cpu[LOAD_MAX_LEGS * LOAD_MAX_THREADS];
	struct readings readings;
};
extern const struct field end_report_fields[];

struct observe_args {
	struct chan *chan;
	struct load *load;
	struct load *under;        /* runs beside it; NULL: none */
	void *const *meter_state;  /* [METER_N]; NULL: not armed */
	uint64_t begin_ns, end_ns; /* planned */
	uint64_t interval_ns;      /* 0: no intervals */
	uint64_t max_bytes;        /* sent and received, all together; 0: no limit */
	/*
	 * An exact amount: the span begins with the load, and ends when this end has sent what it
	 * was to send and received expect_bytes.
	 */
	bool exact;
	bool drives;
	uint64_t expect_bytes;
};

/* To be called right after load_start(); returns once the controller said "finish". */
int observe(const struct observe_args *args, struct end_report *ret, struct err *e) must_check_;
