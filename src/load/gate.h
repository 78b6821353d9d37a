/*
 * A rate limit: a point in time before which nothing more may go. Any number of threads, and
 * processes that share the memory, may take from one; none of them waits for another.
 *
 * Ref: generic cell rate algorithm, ITU-T I.371 annex A, in its virtual scheduling form.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct gate {
	_Alignas(64) atomic_uint_fast64_t next_ns; /* monotonic; when the next byte is due */
	uint64_t rate_bps;                         /* 0: always open */
	uint64_t slack_ns; /* how far behind the schedule is made up for in a burst */
};

void gate_init(struct gate *g, uint64_t rate_bps, uint64_t slack_ns);

/*
 * gate_take() - take a place in the schedule for @bytes of payload.
 *
 * Return: when they may go, on the monotonic clock; @now_ns or earlier: at once. The place is
 * taken: a caller that waits must then send without asking again.
 */
uint64_t gate_take(struct gate *g, uint64_t bytes, uint64_t now_ns);

/* Bytes to take a place for at a time, where many take from one gate: about a ms of its rate. */
uint64_t gate_piece(const struct gate *g);
