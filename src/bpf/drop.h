/*
 * What the programs that drop packets of owners over their budget (bpf/drop.bpf.c) share with their
 * user. Owners and budgets are those of bpf/softirq.h.
 */
#pragma once

#include "bpf/softirq.h"

#include <linux/types.h>

#define DROP_MAX_ADDRS 16384u
#define DROP_MAX_PORTS 4096u
#define DROP_MAX_DEVS  4096u

/* Where a packet is dropped; the earlier, the less it has cost. */
enum drop_hook {
	DROP_XDP_NATIVE,  /* in the driver of the device that it comes in by */
	DROP_XDP_GENERIC, /* there, on an skb */
	DROP_TC_INGRESS,  /* there, behind XDP */
	DROP_TC_EGRESS,   /* on the host's half of a container's veth */
	DROP_TC_INSIDE,   /* on the container's own device */
	DROP_HOOK_N,
};

/* Addresses, longest prefix first; IPv4 as ::ffff:a.b.c.d. Ref: RFC 4291 s.2.5.5.2 */
struct drop_prefix {
	__u32 len;
	__u32 addr[4];
};
_Static_assert(sizeof(struct drop_prefix) == 20, "struct bpf_lpm_trie_key and an address");
#define DROP_V4_BITS 96 /* of a prefix, before those of an IPv4 address */

/* What a CPU remembers of an address: whose it is. */
struct drop_met {
	__u32 addr[4];
	__u32 generation; /* of the table it was looked up in; 0: never */
	__u32 owner;      /* DROP_UNKNOWN: the table has no such address */
	__u32 reserved[2];
};
_Static_assert(sizeof(struct drop_met) == 32, "half a line of a cache");
#define DROP_MET_BITS 6
#define DROP_N_MET    (1u << DROP_MET_BITS)
#define DROP_UNKNOWN  0xffffffffu

/* A port of the host's own addresses that leads to an owner. */
struct drop_publish {
	__be16 port;
	__u8 proto;
	__u8 zero;
};
_Static_assert(sizeof(struct drop_publish) == 4, "no padding: the map compares all bytes");

/* Whose port a protected one is: the owner's, which is a server, or that of who talks to it. */
enum drop_side {
	DROP_PORT_OWN,
	DROP_PORT_PEER, /* TCP: not of a connection that only begins (SYN without ACK) */
};

struct drop_port {
	__be16 port;
	__u8 proto;
	__u8 side; /* enum drop_side */
};

/* Classes that may be protected above the floor; ARP and neighbour discovery always are. */
#define DROP_KEEP_ICMP 1u
#define DROP_KEEP_TCP  2u /* segments with SYN, FIN or RST */

#define DROP_PORTS_PER_OWNER 12

/* How an owner's packets are dropped. */
struct drop_policy {
	__s64 early_ns; /* with fewer tokens than these, some are; with floor_ns of them, all */
	__u32 keep;     /* DROP_KEEP_... */
	__u32 n_ports;
	struct drop_port port[DROP_PORTS_PER_OWNER];
};
_Static_assert(sizeof(struct drop_policy) == 64, "a line of a cache");

/* Of an owner, or at a hook, in skbs: what was joined or is to be segmented counts once. */
struct drop_count {
	__u64 dropped;
	__u64 marked; /* told of congestion instead (ECN), or had been told before */
	__u64 kept;   /* would have been dropped, but are protected */
	__u64 stale;  /* would have been dropped, but nobody has looked after it lately */
};

/* Without a sign of life for so long, everything passes. */
#define DROP_BEAT_MAX_NS 1000000000ULL
