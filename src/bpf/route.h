/* What the routing programs and the paths that load them share. */
#pragma once

#include <linux/types.h>

/* An IPv6 address; IPv4 as ::ffff:a.b.c.d. Ref: RFC 4291 s.2.5.5.2 */
struct route_key {
	__u32 addr[4];
};

/* Where packets to an address go. */
struct route_to {
	__u32 ifindex;     /* the host's side of the pod's veth pair; 0: the host itself */
	__u16 mac[3];      /* of the pod */
	__u16 host_mac[3]; /* of the host's side */
};

_Static_assert(sizeof(struct route_key) == 16, "no padding: the map compares all bytes");
_Static_assert(sizeof(struct route_to) == 16, "the same for both sides");

/* Two pods, their gateways and the host's own address. */
#define ROUTE_MAX_ADDRS 8
