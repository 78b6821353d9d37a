/*
 * One flow: a connected socket, its buffer, counters and the load's own state. Owned by one worker
 * thread; counters are read by others, relaxed.
 */
#pragma once

#include "base/clock.h"
#include "load/load.h"

#include <stdatomic.h>
#include <sys/socket.h>

/* What a thread shares with its flows; constant while running, but for an early end and stop. */
struct flow_span {
	uint64_t begin_ns;
	atomic_uint_fast64_t end_ns;
	uint64_t start_ns; /* open loop: what was due by then is not asked for */
	atomic_bool stop;
};

/* What all flows of a leg may still send; counts down. */
struct flow_budget {
	_Alignas(64) atomic_int_fast64_t left;
	atomic_bool limited;
};

struct flow {
	_Alignas(64) int fd;
	bool active; /* this end drives the flow */
	bool udp;
	uint32_t index; /* among the flows of its leg */
	const struct load_cfg *cfg;
	struct flow_span *span;
	struct flow_budget *budget;     /* of its leg: bytes, or blocks */
	struct gate *gate;              /* its own rate; NULL: unlimited */
	struct gate *shared_gate;       /* one shared with others; NULL: none */
	struct hist *hist[LOAD_HIST_N]; /* of the thread; NULL: not filled by this load */
	void *state;                    /* [ops->state_bytes] */
	char *buf;                      /* [buf_bytes] */
	size_t buf_bytes;
	bool borrows_buf;   /* it is the one of the thread's first flow */
	bool wants_file;    /* the load wants its buffer as a file too */
	int file_fd;        /* memory file with the buffer's contents; -1: none */
	uint64_t wake_ns;   /* step again then, whatever the socket says; 0: never */
	uint64_t spin_ns;   /* of the wait for wake_ns, the end that is spun, not slept */
	uint64_t jitter_ns; /* udp: single writer, relaxed */
	uint32_t watched;   /* epoll events it waits for; the worker's */
	bool done;          /* nothing more to do; the worker's */
	void *ring;         /* [ring_bytes], zeroes: for requests in flight and the like */
	size_t ring_bytes;

	/* Of loads that connect as they run: */
	int listen_fd; /* answering end: its own descriptor of the leg's listening socket; or -1 */
	struct sockaddr_storage peer; /* asking end: whom to connect to */
	socklen_t peer_len;

	struct load_count count; /* single writer; flow_add() and flow_read() only */
};

/*
 * flow_step - do as much as can be done now.
 * @flags: 0: block in the socket call, and return only on stop, timeout or error;
 *         MSG_DONTWAIT: return as soon as nothing more can be done
 *
 * Return: FLOW_DONE on stop or when nothing is left to do, FLOW_WANT_* for what to wait, or
 * negative errno (-EPIPE when the other end closed). A step may come before what it waits for.
 */
enum flow_want {
	FLOW_DONE,
	FLOW_WANT_IN,
	FLOW_WANT_OUT,
	FLOW_WANT_IN_OUT,
	FLOW_WANT_TIME, /* wake_ns only */
};

/* Longest that a blocking receive or send of UDP waits; how late a stop is seen by it. */
#define FLOW_UDP_TIMEOUT_NS (200 * NSEC_PER_MSEC)

/* For loads that connect as they run; -1: not connected. The engine reads it to stop a thread. */
static inline void flow_set_fd(struct flow *f, int fd)
{
	__atomic_store_n(&f->fd, fd, __ATOMIC_RELAXED);
}

/* @counter: a member of f->count. */
static inline void flow_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline bool flow_stopped(const struct flow *f)
{
	return atomic_load_explicit(&f->span->stop, memory_order_relaxed);
}

/* Was an end of sending agreed on? A peer that closes is then no failure. */
static inline bool flow_ending(const struct flow *f)
{
	return atomic_load_explicit(&f->budget->limited, memory_order_relaxed);
}

/* Takes up to @want of the budget. Return: how much may be sent; 0: all is sent. */
static inline uint64_t flow_take(struct flow *f, uint64_t want)
{
	int64_t had;

	if (!flow_ending(f))
		return want;
	had = atomic_fetch_sub_explicit(&f->budget->left, (int64_t)want, memory_order_relaxed);
	return had <= 0 ? 0 : MIN((uint64_t)had, want);
}

/* When @bytes may go, by both rates; 0: at once. The place in the schedule is then taken. */
uint64_t flow_schedule(struct flow *f, uint64_t bytes);

/* For a flow whose wake_ns is when it may go on: is that still to come? Else wake_ns is cleared. */
bool flow_must_wait(struct flow *f);
