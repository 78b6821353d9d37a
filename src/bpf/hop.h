/* What the programs of a forwarding function and the path that loads them share. */
#pragma once

#include <linux/types.h>

/* A function's two devices: what comes in by one leaves by the other. */
#define HOP_N_SIDES 2

struct hop_side {
	__u32 ifindex;
	__u16 own[3];  /* its hardware address: what is sent to another one is not forwarded */
	__u16 next[3]; /* that of who is next on this side */
};
_Static_assert(sizeof(struct hop_side) == 16, "the same for both sides");
