/* What the tc and the XDP program of the eBPF paths have in common: the table they look up. */
#pragma once

#include "bpf/packet.h"

/* The addresses of the host and its pods, and for XDP that of the peer. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ROUTE_MAX_ADDRS);
	__type(key, struct route_key);
	__type(value, struct route_to);
} routes SEC(".maps");
