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
