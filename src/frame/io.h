/*
 * Senders and receivers of frames, one file each, listed in io_table.c. A sender runs in a thread
 * of its own, pinned and inside the port's namespace; so does a receiver that has something to run.
 *
 * A device's offloads that merge or split frames are the tester's business (frame/tester.h): they
 * are off before any of this is opened.
 */
#pragma once

#include "frame/count.h"
#include "frame/stream.h"

#include <errno.h>
#include <stdatomic.h>

/* A device to send and receive by. */
struct frame_port {
	int netns_fd; /* borrowed */
	char dev[16];
	uint32_t ifindex;
	uint8_t mac[6];
	uint32_t mtu;
};

/*
 * When frames are due: number k of a phase, by an absolute schedule, at
 * begin + (k - k % burst) * gap. A trial has one phase; one that overloads and then relents, two.
 */
#define FRAME_MAX_PHASES 4
struct frame_phase {
	uint64_t n_frames;
	uint64_t gap_q16; /* ns << 16 from one frame to the next; 0: as fast as it goes */
};
struct frame_plan {
	uint8_t magic, trial;
	uint64_t begin_ns; /* CLOCK_MONOTONIC of the first frame */
	uint64_t end_ns;   /* nothing is sent after it: what was due and is not sent is unsent */
	uint32_t burst;    /* at least 1 */
	uint32_t n_phases;
	struct frame_phase phase[FRAME_MAX_PHASES];
	uint32_t first_slot; /* where in the stream to begin */
};
#define FRAME_GAP_Q16(fps) ((uint64_t)(1e9 * 65536.0 / (fps) + 0.5))

/* What became of a plan. */
struct frame_sent {
	uint64_t sent;      /* test frames that the kernel took; numbers 0 to sent - 1, no gaps */
	uint64_t modifiers; /* in the place of test frames */
	uint64_t unsent;    /* due by the plan, and not sent before its end */
	uint64_t refused;   /* times the kernel did not take a frame, which was tried again */
	uint64_t first_ns, last_ns; /* when the first and the last were handed over */
	uint64_t slip_max_ns;       /* the most that a frame was sent after it was due */
};
extern const struct field frame_sent_fields[];

struct frame_tx;
struct frame_rx;

#define FRAME_UNAVAILABLE 1

/* What a probe makes of an attempt: a kernel or a user without something is no failure. */
static inline int frame_probed(int r)
{
	return r == -EPERM || r == -EOPNOTSUPP || r == -ENOSYS ? FRAME_UNAVAILABLE : r;
}

struct frame_tx_ops {
	const char *name; /* "live" */
	const char *summary;
	/* Return: 0, FRAME_UNAVAILABLE with the reason, or negative errno. Leaves nothing. */
	int (*probe)(const struct frame_port *port, struct err *e);
	int (*open)(struct frame_tx **ret, const struct frame_port *port,
		const struct frame_stream *stream, struct err *e);
	/* Sends until the plan is done, its end is past, or *stop. Fine to be called again. */
	int (*run)(struct frame_tx *tx, const struct frame_plan *plan, const atomic_bool *stop,
		struct frame_sent *ret, struct err *e);
	void (*close)(struct frame_tx *tx);
};

struct frame_rx_args {
	uint16_t key;
	uint64_t max_frames; /* of any trial */
	bool verify;         /* check the UDP checksum over the whole payload */
	bool busy_poll;      /* the receiver's thread never sleeps */
};

struct frame_rx_ops {
	const char *name; /* "xdp" */
	const char *summary;
	int (*probe)(const struct frame_port *port, struct err *e);
	int (*open)(struct frame_rx **ret, const struct frame_port *port,
		const struct frame_rx_args *args, struct err *e);
	/* Forgets everything, and counts frames of this trial. No thread of its own runs now. */
	int (*begin)(struct frame_rx *rx, uint8_t trial, bool latency, struct err *e);
	/* Takes frames in until *stop. NULL: the kernel does it. */
	int (*run)(struct frame_rx *rx, const atomic_bool *stop, struct err *e);
	/* Counts so far; may be called while it runs, for received alone, with @hist NULL. */
	int (*read)(struct frame_rx *rx, uint64_t n_sent, struct frame_count *ret,
		struct hist *hist, struct err *e);
	/* After read: bit per number below its n_sent, set where it was received. */
	const uint64_t *(*seen)(const struct frame_rx *rx);
	/* Frames that reached the socket and were lost there for want of room. NULL: can't be. */
	uint64_t (*overflowed)(struct frame_rx *rx);
	void (*close)(struct frame_rx *rx);
};

/* Best first: the first whose probe says yes is what "auto" is. NULL-terminated. */
extern const struct frame_tx_ops *const frame_tx_table[];
extern const struct frame_rx_ops *const frame_rx_table[];
const struct frame_tx_ops *frame_tx_find(const char *name);
const struct frame_rx_ops *frame_rx_find(const char *name);
