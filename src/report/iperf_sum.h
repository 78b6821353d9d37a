/*
 * What iperf3 reports of a test, computed once for text and JSON: which streams belong together,
 * their sums, and the two ends' words about each stream put side by side.
 */
#pragma once

#include "iperf/iperf.h"

#include <stdbool.h>
#include <stdint.h>

/* The streams of one direction: all, or with --bidir client to server, then server to client. */
struct iperf_dir {
	bool sends;       /* this side sends */
	bool bidir;       /* one of two */
	bool second;      /* the second of two */
	const char *role; /* "[TX-C]"; "" when there is only one direction */
};

#define IPERF_MAX_DIRS 2
/* Return: how many of @ret are set. */
uint32_t iperf_dirs(const struct iperf_test *t, struct iperf_dir ret[static IPERF_MAX_DIRS]);

/* The stream of @dir at or after index *@i, which is moved past it; NULL: no more. */
const struct iperf_stream *iperf_dir_next(const struct iperf_test *t, const struct iperf_dir *dir,
	uint32_t *i);

/* Of a span, or of the streams of one direction over it. */
struct iperf_interval {
	double start, end, seconds;
	uint64_t bytes;
	double bytes_per_second;
	bool has_retransmits;
	int64_t retransmits;
	int64_t packets, lost_packets;
	double jitter_ms, lost_percent;
	bool omitted;
};

void iperf_interval_of(const struct iperf_span *s, struct iperf_interval *ret);
/* The streams' last intervals. Return: false when the direction has no stream. */
bool iperf_interval_sum(const struct iperf_test *t, const struct iperf_dir *dir,
	struct iperf_interval *ret);
/* The last moments of a test, when nothing came any more, are no interval to report. */
bool iperf_interval_counts(const struct iperf_test *t);
/* Does this side know retransmits of what it sends? */
bool iperf_has_retransmits(const struct iperf_test *t);

/* Of a whole test: one stream, or all of a direction. What a side does not know is 0. */
struct iperf_final {
	double sender_s, receiver_s; /* how long each side measured; the other's where unknown */
	double own_s;                /* how long this side did */
	uint64_t sent, received;
	double sent_bytes_per_second, received_bytes_per_second;
	bool has_retransmits;
	int64_t retransmits;
	int64_t sender_packets, receiver_packets;
	int64_t packets; /* the sender's where known, else the receiver's */
	int64_t lost_packets, out_of_order;
	bool lost_unknown; /* the receiver is too old to tell what was lost while omitting */
	double jitter_ms;
	double lost_percent;          /* of packets */
	double receiver_lost_percent; /* of receiver_packets */
};

void iperf_final_of(const struct iperf_test *t, const struct iperf_stream *s,
	struct iperf_final *ret);
/* All 0 when the direction has no stream. */
void iperf_final_sum(const struct iperf_test *t, const struct iperf_dir *dir,
	struct iperf_final *ret);
