/* For whose packets the network's softirqs worked over the span, and on which CPU. */
#pragma once

#include "meter/meter.h"
#include "sys/cpustat.h"

/* Who a softirq's time may be billed to. */
enum softirq_of {
	SOFTIRQ_OF_NEAR,
	SOFTIRQ_OF_FAR,
	SOFTIRQ_OF_HOST,     /* devices of neither, and packets that reached neither */
	SOFTIRQ_OF_OVERHEAD, /* without a packet, or before the first one of several */
	SOFTIRQ_OF_N,
};

/* See struct softirq_account. */
struct softirq_share {
	uint64_t rx_ns, tx_ns; /* in NET_RX and NET_TX */
	uint64_t other_ns;     /* in HRTIMER and TASKLET softirqs that sent */
	uint64_t thread_ns;    /* in NAPI threads */
	uint64_t rx_pkts,
		tx_pkts;     /* at its namespace's devices, or a guest's tap; an aggregate is one */
	uint64_t context_ns; /* anybody's softirqs in a context of its processes */
	uint64_t cpu_ns[CPUSTAT_MAX_CPUS]; /* [n_cpus], rx_ns and tx_ns of each */
};

struct softirq_reading {
	uint64_t span_ns;
	bool irq_time; /* the kernel keeps softirqs out of processes' CPU time by itself */
	bool near_known, far_known; /* something here is the end's alone: a namespace, a tap */
	bool context_known;         /* context_ns is that of both ends */
	uint64_t total_rx_ns, total_tx_ns; /* of all CPUs, whoever they were for */
	uint32_t n_cpus;                   /* possible ones */
	struct softirq_share of[SOFTIRQ_OF_N];
};

#define SOFTIRQ_HERE (-2)

/* An end of the path, as this machine sees it. */
struct softirq_end {
	int netns_fd;       /* SOFTIRQ_HERE: the caller's own; -1: no namespace of this kernel */
	bool container;     /* the other halves of its pairs, outside, are its as well */
	const char *outer;  /* so is this device in hop_fd[0], a tap; NULL or "": there is none */
	uint64_t cgroup_id; /* of its processes, in the CPU controller's hierarchy; 0: unknown */
};

struct softirq_ends {
	struct softirq_end near, far;
	uint32_t number;   /* another one when anything of it has changed */
	const int *hop_fd; /* [n_hops] namespaces where other halves may be, besides the caller's */
	uint32_t n_hops;
};
