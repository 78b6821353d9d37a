/*
 * A forwarding function in XDP, on both devices of it. No helper here is for GPL programs only, so
 * the object states no licence.
 */
#include "bpf/hop_step.h"

/* Where packets leave, by side. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, HOP_N_SIDES);
	__type(key, __u32);
	__type(value, __u32);
} hop_devs SEC(".maps");

SEC("xdp")
int hop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	int out = hop_step(data, end, ctx->ingress_ifindex);

	return out < 0 ? XDP_PASS : (int)bpf_redirect_map(&hop_devs, (__u32)out, XDP_DROP);
}
