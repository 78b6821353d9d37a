/*
 * A router with two devices that needs no table: all that comes in by one, to its own hardware
 * address, leaves by the other, a hop older. Broadcasts it does not take, as no router does, and
 * neither ARP, so that functions side by side on one segment do not multiply frames.
 */
#pragma once

#include "bpf/hop.h"
#include "bpf/packet.h"

const volatile struct hop_side hop_side[HOP_N_SIDES];

static __always_inline int hop_is_mine(void *data, void *end, const __u16 *own)
{
	const __u16 *dst = data;

	return data + sizeof(struct ethhdr) <= end && dst[0] == own[0] && dst[1] == own[1] &&
	       dst[2] == own[2];
}

/* Return: the side that the packet leaves by, made ready; or -1: it is not to be forwarded. */
static __always_inline int hop_step(void *data, void *end, __u32 ifindex)
{
	const int in = ifindex == hop_side[1].ifindex, out = !in;
	const struct hop_side from = hop_side[in], to = hop_side[out];
	struct route_key key = {};
	__u16 type;

	if (!hop_is_mine(data, end, from.own))
		return -1;
	type = route_key_of(&key, data, end);
	if (!type || route_hop(data, end, type) < 0 || route_macs(data, end, to.next, to.own) < 0)
		return -1;
	return out;
}
