/* What the routing programs and the paths that load them share. */
#pragma once

#include <linux/types.h>

/* An IPv6 address; IPv4 as ::ffff:a.b.c.d. Ref: RFC 4291 s.2.5.5.2 */
struct route_key {
	__u32 addr[4];
};

/* Where packets to an address go. */
struct route_to {
	__u32 ifindex;     /* the host's device to it; 0: it is the host itself */
	__u16 mac[3];      /* of the next hop */
	__u16 host_mac[3]; /* of the host's device */
};

_Static_assert(sizeof(struct route_key) == 16, "no padding: the map compares all bytes");
_Static_assert(sizeof(struct route_to) == 16, "the same for both sides");

/* Two pods, their gateways, the host's own address and the peer's. */
#define ROUTE_MAX_ADDRS 8
/* The wire and two pods. */
#define ROUTE_MAX_DEVS 4
