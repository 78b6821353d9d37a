/*
 * What every test frame carries, and what the frame programs and their user side share.
 *
 * The mark stands at the start of the UDP payload. Its twelve bytes are all that fits into the
 * smallest IPv6 frame (78 bytes with FCS). They always sum to the same value, the tester's key, in
 * one's complement arithmetic, so the UDP checksum of a frame that was made once stays right
 * whatever number and time are written into it, and a receiver knows its own frames.
 * Ref: RFC 1071 s.2 (the sum does not depend on where the words stand, or on the byte order).
 */
#pragma once

#include <linux/types.h>

/* Unit of a stamp: 8 ns, so that 32 bits of it are 34 s, more than any frame is on its way. */
#define FRAME_STAMP_SHIFT 3

#define FRAME_MAGIC_TEST  0x7a /* counted */
#define FRAME_MAGIC_LEARN 0x7b /* RFC 2544 s.23 b: has switches learn; counted apart */

struct frame_mark {
	__u8 magic;
	__u8 trial;   /* its number, modulo 256 */
	__be16 check; /* makes the sum right; stands on an even offset of the payload */
	__be32 seq;   /* from 0 */
	__be32 stamp; /* when it was sent: CLOCK_MONOTONIC ns >> FRAME_STAMP_SHIFT */
};
_Static_assert(sizeof(struct frame_mark) == 12, "no padding: it is on the wire");

/* The frame's head, as far as a sender has to write it anew: VLAN tags and an IPv6 header fit. */
#define FRAME_HEAD_BYTES 96

/*
 * What the sending program shares with its user side: the table of slots, and the plan with where
 * it has got to. One thread runs the program. The user side writes between runs, and end_ns at any
 * time; what it reads meanwhile are single words.
 */
#define FRAME_TX_MAX_SLOTS  4096 /* a power of two: an index is masked for the verifier */
#define FRAME_TX_MAX_PHASES 4
#define FRAME_TX_PAGE       4096

struct frame_tx_slot {
	__u64 head[FRAME_HEAD_BYTES / 8];
	__u32 len; /* of the frame, without FCS */
	__u32 modifier;
	__u64 tail;   /* the frame's last eight bytes, where they are behind the head */
	__u64 pad[2]; /* 128 bytes: an index is a shift */
};
_Static_assert(sizeof(struct frame_tx_slot) == 128, "the same for both sides");

struct frame_tx_plan {
	__u64 begin_ns, end_ns;
	__u64 n_frames[FRAME_TX_MAX_PHASES], gap_q16[FRAME_TX_MAX_PHASES];
	__u32 n_phases, burst;
	__u16 magic_trial; /* the first two bytes of a mark, as they lie in memory */
	__u16 pad;
	__u32 n_slots;
};

/* Why the program has no more to send. */
#define FRAME_TX_GOING 0
#define FRAME_TX_DONE  1 /* all phases are done */
#define FRAME_TX_ENDED 2 /* the end of the plan is past */
#define FRAME_TX_ERROR 3 /* the device does not take frames: frame_tx_state.error */

struct frame_tx_state {
	__u32 finished; /* FRAME_TX_... */
	__u32 skip;     /* runs to let pass */
	__u32 shared;   /* frames that may still go by that reading */
	__u32 train;    /* frames taken from the plan that go next, with nothing asked */
	__u32 put_off;  /* of a train that had to wait for frames that were refused */
	__u32 stamp;    /* in the marks, and their sum without the number */
	__u32 sum;
	__u32 pad;
	__u64 train_due_ns;
	__u64 due_ns;   /* of the next frame; of all that are done: never */
	__u64 due_q16;  /* since the begin of the plan */
	__u64 left;     /* frames of this phase that were never tried */
	__u64 gap_q16;  /* of this phase */
	__u32 in_burst; /* frames of this burst that were taken from the plan */
	__u32 phase;
	__u32 slot;
	__u32 seq;    /* the next test frame's */
	__u32 built;  /* frames, modulo 2^32: where in the ring the next one's note stands */
	__u32 queued; /* of them, not yet handed to the device */
	__u32 again, n_again; /* notes of frames that were refused: ring, position and number */
	__u64 modifiers;
	__u64 refused;
	__u64 first_ns, last_ns, slip_max_ns;
	__u64 now_ns; /* the clock as it was read last */
	__s32 error;
	__u32 cpu; /* the program ran on when it queued the first */
};

/* A frame that is on its way to the device. */
#define FRAME_TX_RING 64
struct frame_tx_note {
	__u64 due_ns;
	__u32 slot;
	__u32 seq;
};

/*
 * What the receiving program shares with its user side. Counters are per CPU.
 */
#define FRAME_RX_HIST_BUCKETS 4608 /* HIST_N_BUCKETS of stat/hist.h */

struct frame_rx_count {
	__u64 received, duplicated, corrupt, late, learned, alien, reordered, bytes;
	__u64 first_ns, last_ns;
	__u64 jiffy; /* in which the clock was read last */
	__u64 trust; /* frames that may do without reading it */
};

struct frame_rx_hist {
	__u64 count, sum_ns, min_ns, max_ns;
	__u32 bucket[FRAME_RX_HIST_BUCKETS];
};
