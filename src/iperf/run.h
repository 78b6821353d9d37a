/*
 * What client and server have in common while a test runs: the load under it, the sampling of its
 * streams, the waiting for whatever comes first, and each side's word on the results.
 */
#pragma once

#include "iperf/iperf.h"
#include "load/load.h"
#include "sys/tcpinfo.h"

#include <sys/resource.h>

/* A stream as it was at some moment. */
struct iperf_mark {
	struct load_count count;
	uint64_t retransmits;
};

struct iperf_run {
	struct iperf_test *test;
	struct iperf_sink *sink;
	struct iperf_ctl ctl;
	struct load *load;
	struct gate *shared_gate; /* server's total rate; NULL: none */
	uint64_t begin_ns;        /* TEST_RUNNING */
	uint64_t start_ns;        /* zero of the reported times: begin_ns, or the end of omit */
	uint64_t last_ns;         /* end of the last interval */
	uint64_t tick_ns;         /* when the next one is due; 0: none */
	uint64_t moved_ns;        /* when payload last came in */
	uint64_t moved_bytes;
	bool omitting;
	bool finished;                         /* the totals' time is fixed */
	bool told;                             /* the sink has been told of the end */
	struct rusage usage;                   /* at begin */
	struct iperf_mark zero[IPERF_MAX_ALL]; /* at start_ns, row = stream */
	struct iperf_mark last[IPERF_MAX_ALL]; /* at last_ns */
	uint64_t rtt_sum[IPERF_MAX_ALL];       /* us, over rtt_n samples */
	uint32_t rtt_n[IPERF_MAX_ALL];
};

enum iperf_event {
	IPERF_EV_OVER,   /* time, bytes or blocks are reached */
	IPERF_EV_CTL,    /* the other side says something */
	IPERF_EV_CANCEL, /* the user does */
};

/* Streams of the test: parallel, twice that with --bidir. */
uint32_t iperf_n_streams(const struct iperf_params *p);
/* Does the @i-th stream go from client to server? */
bool iperf_stream_upwards(const struct iperf_params *p, uint32_t i);

/* Opens the load that the parameters ask for; streams are then given to it one by one. */
int iperf_run_load(struct iperf_run *r, struct err *e) must_check_;
/* Stream @i has socket @fd, which becomes the load's. */
int iperf_run_adopt(struct iperf_run *r, uint32_t i, int fd, struct err *e) must_check_;

int iperf_run_start(struct iperf_run *r, struct err *e) must_check_;

/*
 * iperf_run_measure() - let the load run, telling the sink of each interval, until something ends
 * it. @end_ns: time to end at, 0: none
 *
 * Return: enum iperf_event, or negative errno (-ETIMEDOUT: nothing came for --rcv-timeout).
 */
int iperf_run_measure(struct iperf_run *r, uint64_t end_ns, struct err *e) must_check_;

/* Ends sending at a block's end, takes in what is under way and fixes the totals. */
void iperf_run_finish(struct iperf_run *r);

/* Receives on until each stream has what the other side's results say, or nothing more comes. */
void iperf_run_drain(struct iperf_run *r, const struct iperf_results *theirs);

/* Stops the threads and closes the streams. */
void iperf_run_stop(struct iperf_run *r);

/* Totals of all streams, from the counters as they are now. */
void iperf_run_totals(struct iperf_run *r);

void iperf_run_results(struct iperf_run *r, struct iperf_results *ret);
/* Takes the other side's results into the test. -EPROTO: a stream that there is not. */
int iperf_run_take_results(struct iperf_run *r, struct iperf_results *theirs, struct err *e)
	must_check_;

/* Tells the sink of the end, once. */
void iperf_run_tell_end(struct iperf_run *r);

/*
 * Says a failure to the sink. What was measured until then is in the totals, and told as well if
 * one of the two sides was interrupted. Return: @code.
 */
int iperf_run_fail(struct iperf_run *r, int code);
