/*
 * What is asked of a packet before it is dropped: to whom it goes, which class it is of, and
 * whether it can be told of congestion instead.
 */
#pragma once

#include "bpf/drop.h"
#include "bpf/ether.h"

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

struct drop_packet {
	struct drop_prefix to;
	__u32 l3;            /* where the IP header is */
	__u16 word;          /* its first two bytes, as they lie in memory */
	__be16 sport, dport; /* TCP and UDP; 0: not to be seen */
	__u8 proto, ipv6;
	__u8 detail; /* flags of TCP; type of ICMPv6 */
	__u8 hops;   /* left, of IPv6 */
};

/* The longest headers that are read: Ethernet, two tags, IPv6, and TCP. */
#define DROP_HEADERS (14 + 2 * 4 + 40 + 20)

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
/* Router solicitation to redirect, which are neighbour discovery. Ref: RFC 4861 s.4 */
#define ND_FIRST 133
#define ND_LAST  137
/* What a router has forwarded is none. Ref: RFC 4861 s.6.1.1 and others, 7.1.1 */
#define ND_HOPS 255

/* Ref: RFC 9293 s.3.1 (flags in byte 13), RFC 768, RFC 4443 s.2.1 */
static __always_inline void read_l4(struct drop_packet *p, void *data, void *end, __u32 off)
{
	__u8 *l4;

	if (off > 128)
		return;
	l4 = data + off;
	if (p->proto == IPPROTO_ICMPV6 && (void *)(l4 + 1) <= end)
		p->detail = l4[0];
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return;
	if ((void *)(l4 + 4) > end)
		return;
	p->sport = *(__be16 *)l4;
	p->dport = *(__be16 *)(l4 + 2);
	if (p->proto == IPPROTO_TCP && (void *)(l4 + 14) <= end)
		p->detail = l4[13];
}

static __always_inline int read_v4(struct drop_packet *p, void *data, void *end)
{
	struct iphdr *ip = data + p->l3;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return -1;
	p->to.addr[2] = bpf_htonl(0xffff);
	p->to.addr[3] = ip->daddr;
	p->word = *(__u16 *)ip;
	p->proto = ip->protocol;
	if (!(ip->frag_off & bpf_htons(0x1fff))) /* no later fragment. Ref: RFC 791 s.3.1 */
		read_l4(p, data, end, p->l3 + ip->ihl * 4U);
	return 0;
}

/* What is behind extension headers, and so in fragments, is not looked for. */
static __always_inline int read_v6(struct drop_packet *p, void *data, void *end)
{
	struct ipv6hdr *ip = data + p->l3;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return -1;
	__builtin_memcpy(p->to.addr, &ip->daddr, sizeof(p->to.addr));
	p->word = *(__u16 *)ip;
	p->proto = ip->nexthdr;
	p->hops = ip->hop_limit;
	p->ipv6 = 1;
	read_l4(p, data, end, p->l3 + sizeof(*ip));
	return 0;
}

/* Return: 0, or -1: no IP packet, which is nobody's. @p: zeroed */
static __always_inline int drop_parse(struct drop_packet *p, void *data, void *end)
{
	__u16 proto = skip_ethernet(data, end, &p->l3);

	p->to.len = 128;
	if (proto == bpf_htons(ETH_P_IP))
		return read_v4(p, data, end);
	return proto == bpf_htons(ETH_P_IPV6) ? read_v6(p, data, end) : -1;
}

static __always_inline int is_new_tcp(const struct drop_packet *p)
{
	return p->proto == IPPROTO_TCP && (p->detail & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static __always_inline int is_kept_port(const struct drop_packet *p, const struct drop_port *port)
{
	if (port->proto != p->proto)
		return 0;
	if (port->side == DROP_PORT_OWN)
		return port->port == p->dport;
	return port->port == p->sport && !is_new_tcp(p);
}

static __always_inline int is_kept_class(const struct drop_packet *p, __u32 keep)
{
	if ((keep & DROP_KEEP_ICMP) && (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6))
		return 1;
	return (keep & DROP_KEEP_TCP) && p->proto == IPPROTO_TCP &&
	       (p->detail & (TCP_SYN | TCP_FIN | TCP_RST));
}

/*
 * @at_floor: classes are not protected any more: who floods has a choice of what to flood with.
 * Ports of the owner's are, as the administrator has named them.
 */
static __always_inline int drop_is_kept(const struct drop_packet *p,
	const struct drop_policy *policy, int at_floor)
{
	if (p->proto == IPPROTO_ICMPV6 && p->hops == ND_HOPS && p->detail >= ND_FIRST &&
		p->detail <= ND_LAST)
		return 1;
	if (!at_floor && is_kept_class(p, policy->keep))
		return 1;
	if (!p->dport)
		return 0;
	for (__u32 i = 0; i < DROP_PORTS_PER_OWNER && i < policy->n_ports; i++)
		if (is_kept_port(p, &policy->port[i]))
			return 1;
	return 0;
}

/* The two bits of ECN stand in the first two bytes of either header. Ref: RFC 3168 s.5 */
static __always_inline __u16 ecn_bits(const struct drop_packet *p)
{
	return p->ipv6 ? bpf_htons(0x0030) : bpf_htons(0x0003);
}

static __always_inline int drop_has_ecn(const struct drop_packet *p)
{
	return (p->word & ecn_bits(p)) != 0;
}

static __always_inline __u16 drop_ce_word(const struct drop_packet *p)
{
	return p->word | ecn_bits(p);
}
