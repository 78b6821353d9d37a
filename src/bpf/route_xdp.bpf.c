/*
 * Routing by XDP, one program for the wire and for the host's side of every pod's veth pair: a
 * packet leaves by another device's ndo_xdp_xmit before, in native mode, the host made an skb of
 * it. The next hop's hardware address is in the map, as load balancers have it (Katran), because
 * bpf_fib_lookup() is for GPL programs only.
 *
 * No helper here is, so the object states no licence.
 */
#include "bpf/lookup.h"

/* Where packets may leave: index of a device to itself. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, ROUTE_MAX_DEVS);
	__type(key, __u32);
	__type(value, __u32);
} devs SEC(".maps");

SEC("xdp")
int route(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct route_key key = {};
	__u16 type = route_key_of(&key, data, end);
	const struct route_to *to = type ? bpf_map_lookup_elem(&routes, &key) : 0;

	if (!to || !to->ifindex)
		return XDP_PASS;
	if (route_hop(data, end, type) < 0 || route_macs(data, end, to->mac, to->host_mac) < 0)
		return XDP_DROP;
	return (int)bpf_redirect_map(&devs, to->ifindex, XDP_DROP);
}
