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
	__u64 rx_pkts;   /* packets that devices of its namespace, or its guest's, received */
	__u64 tx_pkts;   /* packets handed to these devices */
	__u64 drop_pkts; /* by its budget */
	__u64 irqs;      /* softirqs raised from an interrupt whose first packet was its */
	__u64 irqs_own;  /* of these: in a context of its own processes */
	__u64 irqs_gained; /* others' of these in a context of its processes */
	__u64 reserved[3];
};
_Static_assert(sizeof(struct softirq_account) == 128, "two lines of a cache, and no other CPU's");

/*
 * One CPU, whoever owned it: the truth that accounts must add up to. What waits to be told whose it
 * is (struct softirq_held) is in neither yet.
 */
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

/* Beside an owner of a device of the host: no other half of it counts its packets. */
#define SOFTIRQ_TAP 0x20000000u

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

/* What a CPU remembers of a device: whose it is. */
struct softirq_cached {
	__u32 netns, ifindex;
	__u32 generation; /* of the tables it was looked up in; 0: never */
	__u32 owner;      /* SLICE_FLAGS may be set */
};

/* Two for each of 64 busy containers; a power of two, and slices are whole lines of a cache. */
#define SOFTIRQ_N_CACHED 128u

/* What a packet took that left no device of a container: it may come out of a tunnel yet. */
struct softirq_held {
	__u64 head; /* skb->head; 0: nothing is held */
	__u32 ns : 30;
	__u32 inner : 1; /* it has come out of a tunnel */
	__u32 irq : 1;   /* its softirq was raised from an interrupt, and it was the first */
	__u32 turn;      /* softirq_slice.turn then */
};

/* By hash, a line of a cache each. Under load a poll's 64 packets are in a tunnel's queue. */
#define SOFTIRQ_SET_BITS 8
#define SOFTIRQ_N_SETS   (1u << SOFTIRQ_SET_BITS)
#define SOFTIRQ_N_WAYS   4u
/*
 * It is held for as many NET_RX softirqs: a tunnel's queue is polled in the same one as a rule, in
 * the next one after a poll that left packets behind, or before Linux 6.4. A power of two.
 */
#define SOFTIRQ_N_TURNS 4u

/*
 * A CPU: its sums, and the slice of time that is running. Its programs are the only writers; the
 * user side reads sum and seq, and writes first_account before anything is attached.
 */
struct softirq_slice {
	struct softirq_cpu sum;
	__u64 t_ns, begin_ns;   /* when the slice began, and the softirq */
	__u64 head, skb, dev;   /* the packet at hand and the first host's device it was seen at */
	__u64 fixed_ns, own_ns; /* of this softirq: before a packet, and in its owner's context */
	__u32 seq;              /* odd while a softirq is open, so half of it is their number */
	__u32 mode;             /* enum slice_mode */
	__u32 owner;            /* of the slice, or one of SLICE_* */
	__u32 only;          /* owner of this softirq's slices, SLICE_FIXED: none, or SLICE_MANY */
	__u32 context;       /* owner of the interrupted process, or one of CONTEXT_* */
	__u32 irq, from_irq; /* an interrupt came; one came before this softirq, or SLICE_LATE */
	__u32 first_account; /* of this CPU */
	__u64 cgroups;       /* the last task's, its owner, and when that was set */
	__u32 cgroup_owner, cgroup_generation;
	__u64 switches; /* of a NAPI thread, when its slice began */
	__u32 thread;   /* its pid */
	__u32 first;    /* owner of this softirq's first slice */
	__u64 plain;    /* an address passes here to become a number */
	__u32 before; /* of a pending packet: whose the slice was, if its clock was not read then */
	__u32 last;   /* whose the last packet was, in this softirq or before */
	__u32 run;    /* how many in turn were its */
	__u16 tunnels; /* packets come out of tunnels here; until then nothing is held */
	__u16 polls;   /* polls without packets are an owner's here; then each poll is timed */
	__u64 late_ns; /* all of held_ns: in no account, nor in a sum once the softirq is over */
	__u64 held_ns[SOFTIRQ_N_TURNS]; /* by turn */
	__u32 turn;                     /* counts NET_RX softirqs once there are tunnels */
	__u32 inner; /* half of the head of the last packet that came out of a tunnel */
	struct softirq_cached cache[SOFTIRQ_N_CACHED];
	struct softirq_held held[SOFTIRQ_N_SETS][SOFTIRQ_N_WAYS];
};
_Static_assert(sizeof(struct softirq_slice) == 292 * 64, "lines of a cache, and no other CPU's");

/* Who queued a packet that a qdisc holds. */
struct softirq_queued {
	__u64 head; /* skb->head; 0: the place is free */
	__u32 owner;
	__u32 reserved;
};
/* Places, one by hash: of 1000 packets 0.8 % lose theirs. */
#define SOFTIRQ_QUEUED_BITS 16
#define SOFTIRQ_N_QUEUED    (1u << SOFTIRQ_QUEUED_BITS)
