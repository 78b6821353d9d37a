/*
 * Answers DNS queries over IPv4 and UDP before any socket sees them: turns addresses and ports
 * round and says that the query is its own answer. So a client can be measured alone.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FLAG_RESPONSE 0x80 /* Ref: RFC 1035 s.4.1.1 */

struct packet {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__u16 id;
	__u8 flags, more_flags;
} __attribute__((packed));

SEC("xdp")
int answer(struct xdp_md *ctx)
{
	struct packet *p = (void *)(long)ctx->data;
	struct ethhdr eth;
	__u32 addr;
	__u16 port;

	if ((void *)(p + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (p->eth.h_proto != bpf_htons(ETH_P_IP) || p->ip.ihl != 5 ||
		p->ip.protocol != IPPROTO_UDP || p->udp.dest != bpf_htons(53))
		return XDP_PASS;
	__builtin_memcpy(&eth, &p->eth, sizeof(eth));
	__builtin_memcpy(p->eth.h_dest, eth.h_source, ETH_ALEN);
	__builtin_memcpy(p->eth.h_source, eth.h_dest, ETH_ALEN);
	addr = p->ip.saddr;
	p->ip.saddr = p->ip.daddr;
	p->ip.daddr = addr;
	port = p->udp.source;
	p->udp.source = p->udp.dest;
	p->udp.dest = port;
	p->udp.check = 0; /* none */
	p->flags |= FLAG_RESPONSE;
	return XDP_TX;
}
