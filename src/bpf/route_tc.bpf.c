/*
 * Routing by tc programs, as Cilium's BPF host routing does it: a packet goes from device to
 * device without the host's IP layer, netfilter or a second look at the FIB.
 *
 * No helper here is for GPL programs only, so the object states no licence.
 */
#include "bpf/lookup.h"

#include <linux/pkt_cls.h>

const volatile __u32 wire_ifindex;
const volatile __u8 use_peer; /* enter the pod's namespace directly, not by its veth's queue */

/* The longest header that is read: Ethernet and IPv6. */
#define HEADERS (sizeof(struct ethhdr) + sizeof(struct ipv6hdr))

static __always_inline int to_pod(struct __sk_buff *skb, const struct route_to *to, __u16 type)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (route_hop(data, end, type) < 0 || route_macs(data, end, to->mac, to->host_mac) < 0)
		return TC_ACT_SHOT;
	if (use_peer)
		return (int)bpf_redirect_peer(to->ifindex, 0);
	return (int)bpf_redirect(to->ifindex, 0);
}

/* The kernel finds the next hop and its hardware address, but forwards nothing. */
static __always_inline int to_wire(struct __sk_buff *skb, __u16 type)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (route_hop(data, end, type) < 0)
		return TC_ACT_SHOT;
	return (int)bpf_redirect_neigh(wire_ifindex, 0, 0, 0);
}

static __always_inline const struct route_to *find(struct __sk_buff *skb, __u16 *type)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct route_key key = {};

	/* Headers may be in a fragment, and then are not to be seen from here. */
	if (data + HEADERS > end && skb->len >= HEADERS) {
		if (bpf_skb_pull_data(skb, HEADERS) < 0)
			return 0;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
	}
	*type = route_key_of(&key, data, end);
	return *type ? bpf_map_lookup_elem(&routes, &key) : 0;
}

SEC("tc")
int from_wire(struct __sk_buff *skb)
{
	__u16 type = 0;
	const struct route_to *to = find(skb, &type);

	if (!to || !to->ifindex)
		return TC_ACT_OK;
	return to_pod(skb, to, type);
}

SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	__u16 type = 0;
	const struct route_to *to = find(skb, &type);

	if (!type || (to && !to->ifindex))
		return TC_ACT_OK;
	return to ? to_pod(skb, to, type) : to_wire(skb, type);
}
