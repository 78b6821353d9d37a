/* What stands before an IP header. [data, end) is checked, as the verifier wants it. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* 802.1Q and 802.1ad; linux/if_ether.h has the types, and no struct. */
struct vlan {
	__be16 tag, proto;
};

/* Stops at the second tag. */
static __always_inline __u16 skip_ethernet(void *data, void *end, __u32 *off)
{
	struct ethhdr *eth = data;
	__u16 proto;

	if ((void *)(eth + 1) > end)
		return 0;
	proto = eth->h_proto;
	*off = sizeof(*eth);
#pragma unroll
	for (int i = 0; i < 2; i++) {
		struct vlan *v = data + *off;

		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(v + 1) > end)
			return 0;
		proto = v->proto;
		*off += sizeof(*v);
	}
	return proto;
}
