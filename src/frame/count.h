/*
 * What a receiver knows of a trial. Every number of it has one bit, so loss, duplicates and what
 * comes late are exact to the frame, however the SUT mixed them up.
 */
#pragma once

#include "base/cleanup.h"
#include "base/field.h"
#include "bpf/frame.h"
#include "stat/hist.h"

#include <stdbool.h>
#include <stdint.h>

/* Each frame that came in is in exactly one of the first six. */
struct frame_count {
	uint64_t received;          /* test frames of this trial, each number once */
	uint64_t duplicated;        /* of a number that was here before */
	uint64_t corrupt;           /* ours by its mark, but with a wrong length or checksum */
	uint64_t late;              /* of an earlier trial */
	uint64_t learned;           /* learning frames */
	uint64_t alien;             /* no test frames: ARP and whatever else there is */
	uint64_t reordered;         /* of received: after a higher number. Ref: RFC 4737 s.3 */
	uint64_t bytes;             /* of received, with FCS */
	uint64_t first_ns, last_ns; /* when the first and the last of received came; 0: none */
	/* Of the numbers below those sent: the first and the last that are missing. */
	uint64_t first_lost_seq, last_lost_seq; /* UINT64_MAX: none is missing */
};
extern const struct field frame_count_fields[];

/* Counting in user space, for receivers that get at the bytes there. */
struct frame_counter;

/* @max_frames: the most numbers that a trial may have; 1 bit of memory each */
struct frame_counter *frame_counter_new(uint16_t key, uint64_t max_frames);
void frame_counter_free(struct frame_counter *c);
DEFINE_CLEANUP(struct frame_counter *, frame_counter_free, frame_counter_freep)

/* Forgets everything and counts frames of this trial from now on. @latency: keep a histogram */
void frame_counter_begin(struct frame_counter *c, uint8_t trial, bool latency, bool verify);

/*
 * frame_counter_add() - account a frame without FCS. @now_ns: 0: the clock is read here, and only
 * for those that are received. A time before the frame was sent makes a latency of 0; one of more
 * than 17 s can't be told from that.
 */
void frame_counter_add(struct frame_counter *c, const uint8_t *bytes, uint32_t len,
	uint64_t now_ns);

/*
 * @n_sent: numbers below it are looked for; at most max_frames. 0 while another thread adds: then
 * only the counts of the first six are right.
 * @hist: NULL, or the latencies are added to it.
 */
void frame_counter_read(const struct frame_counter *c, uint64_t n_sent, struct frame_count *ret,
	struct hist *hist);

/* Bit per number, of those that were received. */
const uint64_t *frame_counter_seen(const struct frame_counter *c);

/*
 * frame_seen_lost() - the first and last unset bit below @n_sent, into @ret's two members.
 * @word: [(n_sent + 63) / 64]
 */
void frame_seen_lost(const uint64_t *word, uint64_t n_sent, struct frame_count *ret);
/* How many bits below @n_sent are set of those of i, i + n, i + 2 n, ...: into @ret[i], [@n] */
void frame_seen_turns(const uint64_t *word, uint64_t n_sent, uint32_t n, uint64_t *ret);
