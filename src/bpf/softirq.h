/*
 * What the accounting of softirq time (bpf/softirq.bpf.c) shares with its user: who owns what, and
 * what each owner has on each CPU. Owners are small numbers that the user side gives out.
 */
#pragma once

#include <linux/types.h>

#define SOFTIRQ_MAX_OWNERS 4096u /* rodata says how many of them a program has */

/*
 * Owners that are no container: the host has its own packets, and what of its devices nobody
 * claimed; overhead is softirqs without a packet, and what of one is nobody's. Neither is spread.
 */
#define SOFTIRQ_HOST     0u
#define SOFTIRQ_OVERHEAD 1u
#define SOFTIRQ_FIRST    2u /* the first container */

/*
 * One owner on one CPU. The CPU itself is the only writer. Time is that of softirqs NET_RX and
 * NET_TX; rx_ns + tx_ns over all owners is softirq_cpu.rx_ns + .tx_ns of that CPU.
 */
struct softirq_account {
	__u64 rx_ns;     /* NET_RX time billed to it */
	__u64 tx_ns;     /* NET_TX time billed to it */
	__u64 other_ns;  /* of HRTIMER and TASKLET softirqs (pacing, TSQ) from a transmit on */
	__u64 thread_ns; /* in NAPI threads, which are no softirqs */
	__u64 ksoft_ns;  /* of rx_ns + tx_ns: in ksoftirqd */
	__u64 own_ns;    /* of rx_ns + tx_ns + other_ns: in a context of its own processes */
	__u64 gained_ns; /* others' time of these in a context of its processes: what they owe it */
	__u64 rx_pkts;   /* packets that a device handed to a stack, at each of its devices */
	__u64 tx_pkts;   /* packets handed to a device, at each of its devices */
	__u64 drop_pkts; /* by its budget */
	__u64 irqs;      /* softirqs raised from an interrupt whose first packet was its */
	__u64 reserved[5];
};
_Static_assert(sizeof(struct softirq_account) == 128, "two lines of a cache, and no other CPU's");

/* One CPU, whoever owned it: the truth that accounts must add up to. */
struct softirq_cpu {
	__u64 rx_ns, tx_ns; /* from softirq_entry to softirq_exit */
	__u64 rx_n, tx_n;   /* how many of them */
	__u64 ksoft_ns;     /* of rx_ns + tx_ns: in ksoftirqd */
	__u64 idle_ns;      /* of rx_ns + tx_ns: while the CPU idled */
	__u64 reserved[2];
};
_Static_assert(sizeof(struct softirq_cpu) == 64, "a line of a cache");

/* A device, in the network namespace of this inode. */
struct softirq_dev {
	__u32 netns;
	__u32 ifindex;
};

/*
 * What an owner may spend: a bucket of CPU time. Softirqs' time billed to it in others' contexts
 * and its processes' run time empty it, what others took in its context and time passing fill it.
 */
struct softirq_budget {
	__s64 tokens_ns;        /* left; below 0: it is over its budget */
	__s64 cap_ns, floor_ns; /* tokens_ns stays between them */
	__u64 rate_ppb;         /* CPU time per time, of 10^9: 200 000 000 is 0.2 CPU */
	__u64 filled_ns;        /* when it was filled up last */
	__u32 keep;             /* 0: no such bucket */
	__u32 drop;             /* packets may be dropped when it is empty */
	__u64 reserved[2];
};
_Static_assert(sizeof(struct softirq_budget) == 64, "a line of a cache");
