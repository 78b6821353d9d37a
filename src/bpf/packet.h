/*
 * What programs do to a packet that goes on: read its destination, and do what a router does.
 * [data, end) is checked before each use, as the verifier wants it.
 */
#pragma once

#include "bpf/route.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/*
 * The packet's destination, when it may be forwarded. Not: ARP, multicast (of IPv6 neighbour
 * discovery, too), link-local, and what has no hops left; those are the kernel's.
 */
static __always_inline int route_key_v4(struct route_key *key, void *data, void *end)
{
	struct iphdr *ip = data + sizeof(struct ethhdr);

	if ((void *)(ip + 1) > end || ip->ttl <= 1 || (bpf_ntohl(ip->daddr) >> 28) >= 0xe)
		return 0;
	key->addr[2] = bpf_htonl(0xffff);
	key->addr[3] = ip->daddr;
	return 1;
}

static __always_inline int route_key_v6(struct route_key *key, void *data, void *end)
{
	struct ipv6hdr *ip = data + sizeof(struct ethhdr);

	if ((void *)(ip + 1) > end || ip->hop_limit <= 1 || ip->daddr.s6_addr[0] >= 0xfe)
		return 0;
	__builtin_memcpy(key->addr, &ip->daddr, sizeof(key->addr));
	return 1;
}

/* Return: the Ethernet type when @key (zeroed) was filled, else 0. */
static __always_inline __u16 route_key_of(struct route_key *key, void *data, void *end)
{
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return route_key_v4(key, data, end) ? ETH_P_IP : 0;
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return route_key_v6(key, data, end) ? ETH_P_IPV6 : 0;
	return 0;
}

/* One hop less. The IPv4 checksum is mended. Ref: RFC 1141; include/net/ip.h ip_decrease_ttl */
static __always_inline void route_hop_v4(struct iphdr *ip)
{
	__u32 check = ip->check;

	check += bpf_htons(0x0100);
	ip->check = (__u16)(check + (check >= 0xffff));
	ip->ttl--;
}

/* Return: 0, or -1 when the packet is too short, which route_key_of() has ruled out. */
static __always_inline int route_hop(void *data, void *end, __u16 type)
{
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct ipv6hdr *ip6 = data + sizeof(struct ethhdr);

	if (type == ETH_P_IP) {
		if ((void *)(ip + 1) > end)
			return -1;
		route_hop_v4(ip);
		return 0;
	}
	if ((void *)(ip6 + 1) > end)
		return -1;
	ip6->hop_limit--;
	return 0;
}

/* By 16 bits, as an Ethernet header is aligned; memcpy() on it would go by bytes. */
static __always_inline int route_macs(void *data, void *end, const __u16 *dst, const __u16 *src)
{
	__u16 *eth = data;

	if (data + sizeof(struct ethhdr) > end)
		return -1;
	eth[0] = dst[0];
	eth[1] = dst[1];
	eth[2] = dst[2];
	eth[3] = src[0];
	eth[4] = src[1];
	eth[5] = src[2];
	return 0;
}
