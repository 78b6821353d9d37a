/*
 * Steers frames into AF_XDP sockets, by receive queue: all of them, or UDP to one port only, so
 * that the kernel still answers ARP. What goes up the stack is counted.
 *
 * No GPL-only helper is here, so the object states no licence.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u16 udp_port; /* 0: all frames */

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

__u64 passed;

struct vlan {
	__be16 tag, proto;
};

/* Fragments are no test frames: their ports are not where they are looked for. */
static __always_inline int is_udp_to(void *data, void *end, __u16 port)
{
	struct ethhdr *eth = data;
	void *at = eth + 1;
	__be16 proto;
	struct udphdr *udp;

	if (at > end)
		return 0;
	proto = eth->h_proto;
	if (proto == bpf_htons(ETH_P_8021Q)) {
		struct vlan *vlan = at;

		at = vlan + 1;
		if (at > end)
			return 0;
		proto = vlan->proto;
	}
	if (proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = at;

		if ((void *)(ip + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_UDP ||
			(ip->frag_off & bpf_htons(0x3fff)))
			return 0;
		udp = (void *)(ip + 1);
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = at;

		if ((void *)(ip + 1) > end || ip->nexthdr != IPPROTO_UDP)
			return 0;
		udp = (void *)(ip + 1);
	} else {
		return 0;
	}
	return (void *)(udp + 1) <= end && udp->dest == bpf_htons(port);
}

static __always_inline int pass(void)
{
	__sync_fetch_and_add(&passed, 1);
	return XDP_PASS;
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	int r;

	if (udp_port && !is_udp_to(data, end, udp_port))
		return pass();
	r = (int)bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
	return r == XDP_REDIRECT ? r : pass();
}
