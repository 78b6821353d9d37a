/*
 * One flow: a connected socket, its buffer, counters and position in a transaction. Owned by one
 * worker thread; counters are read by others, relaxed.
 */
#pragma once

#include "load/load.h"

#include <stdatomic.h>

/* What a thread shares with its flows; constant while running, but for stop. */
struct flow_span {
	uint64_t begin_ns, end_ns;
	atomic_bool stop;
};

struct flow {
	_Alignas(64) int fd;
	bool active; /* this end drives the flow */
	bool udp;
	struct flow_span *span;
	struct hist *hist; /* of the thread; NULL where latency is not taken */
	char *buf;         /* [buf_bytes] */
	size_t buf_bytes;

	/* rr: bytes still to be sent and received before the current half is over */
	uint32_t out_bytes, in_bytes;
	uint32_t out_left, in_left;
	uint64_t seq;      /* of the request in flight; UDP carries it in the first 8 bytes */
	uint64_t asked_ns; /* when it was sent */

	/* Single writer each. */
	atomic_uint_fast64_t bytes_tx, bytes_rx, transactions, lost;
};

/*
 * flow_step - do as much as can be done now.
 * @flags: 0: block in the socket call, and return only on stop, timeout or error;
 *         MSG_DONTWAIT: return as soon as nothing more can be done
 *
 * Return: FLOW_DONE on stop, FLOW_WANT_IN / FLOW_WANT_OUT for what to wait, or negative errno
 * (-EPIPE when the other end closed).
 */
enum flow_want {
	FLOW_DONE,
	FLOW_WANT_IN,
	FLOW_WANT_OUT,
};

/* How long UDP waits for an answer before the request counts as lost. */
#define FLOW_UDP_TIMEOUT_NS (200 * NSEC_PER_MSEC)

/* Gives up the UDP request in flight as lost, so that the next step sends a new one. */
void flow_give_up(struct flow *f);

static inline void flow_add(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static inline bool flow_stopped(const struct flow *f)
{
	return atomic_load_explicit(&f->span->stop, memory_order_relaxed);
}
