/*
 * A forwarding function in tc, at the ingress of both devices of it. No helper here is for GPL
 * programs only, so the object states no licence.
 */
#include "bpf/hop_step.h"

#include <linux/pkt_cls.h>

/* The longest header that is read: Ethernet and IPv6. */
#define HEADERS (sizeof(struct ethhdr) + sizeof(struct ipv6hdr))

SEC("tc")
int hop(struct __sk_buff *skb)
{
	int out;

	/* Headers may be in a fragment, and then are not to be seen from here. */
	if (skb->data + HEADERS > skb->data_end && skb->len >= HEADERS &&
		bpf_skb_pull_data(skb, HEADERS) < 0)
		return TC_ACT_OK;
	out = hop_step((void *)(long)skb->data, (void *)(long)skb->data_end, skb->ifindex);
	return out < 0 ? TC_ACT_OK : (int)bpf_redirect(hop_side[out & 1].ifindex, 0);
}
