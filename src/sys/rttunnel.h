/* Tunnel devices between two addresses, by rtnetlink. Their address family is that of the ends. */
#pragma once

#include "sys/rtnl.h"

enum rt_tunnel_kind {
	RT_TUNNEL_VXLAN,     /* Ethernet in UDP 4789, RFC 7348 */
	RT_TUNNEL_GENEVE,    /* Ethernet in UDP 6081, RFC 8926 */
	RT_TUNNEL_IPIP,      /* RFC 2003; IPv6 in IPv6, RFC 2473 */
	RT_TUNNEL_GRE,       /* IP in GRE, RFC 2784 */
	RT_TUNNEL_WIREGUARD, /* a device without keys and peers: sys/wg.h */
	RT_TUNNEL_N,
};

struct rt_tunnel {
	enum rt_tunnel_kind kind;
	const char *name;
	const char *local, *remote; /* wireguard takes only their family */
	uint32_t mtu;
};

/* Adds it, down. Return: 0, -EOPNOTSUPP when the kernel has no such device, or negative errno. */
int rt_tunnel_add(struct rt *rt, const struct rt_tunnel *t, struct err *e) must_check_;
