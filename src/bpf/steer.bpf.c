/*
 * Steers frames into AF_XDP sockets, by receive queue: all of them, or UDP only, so that the kernel
 * still answers ARP and neighbour discovery. What goes up the stack is counted.
 *
 * No GPL-only helper is here, so the object states no licence.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile bool udp_only;

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

/* With a VLAN tag or without. */
static __always_inline bool is_udp(void *data, void *end)
{
	struct ethhdr *eth = data;
	void *at = eth + 1;
	__be16 proto;

	if (at > end)
		return false;
	proto = eth->h_proto;
	if (proto == bpf_htons(ETH_P_8021Q)) {
		struct vlan *vlan = at;

		at = vlan + 1;
		if (at > end)
			return false;
		proto = vlan->proto;
	}
	if (proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = at;

		return (void *)(ip + 1) <= end && ip->protocol == IPPROTO_UDP;
	}
	if (proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = at;

		return (void *)(ip + 1) <= end && ip->nexthdr == IPPROTO_UDP;
	}
	return false;
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

	if (udp_only && !is_udp(data, end))
		return pass();
	r = (int)bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
	return r == XDP_REDIRECT ? r : pass();
}
