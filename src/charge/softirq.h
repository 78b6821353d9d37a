/*
 * The accounting of softirq time, loaded and attached: bpf/softirq.bpf.c on plain tracepoints. It
 * is told who owns namespaces, devices and cgroups, and read without system calls. All of it goes
 * with the process.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "bpf/softirq.h"

#include <stdbool.h>
#include <stdint.h>

struct softirq;

struct softirq_cfg {
	uint32_t n_owners; /* room for so many, the two that are no container included */
	bool precise;      /* read the clock at each packet, in runs of one owner, too */
	bool enforce;      /* keep budgets: see softirq_budget() */
	/*
	 * See sockets everywhere, for packets that none of their owner's devices receives (macvlan,
	 * ipvlan): one event more a packet. Without it only where cgroups tell sockets.
	 */
	bool sockets;
};

/* How the kernel at hand is, found by asking it. */
struct softirq_kernel {
	bool irq_time;  /* softirq time is left out of processes' CPU time */
	bool sk_traces; /* packets can be told by the socket that they come to. Linux 6.3 */
	bool sk_events; /* packets of sockets in the host's own namespace are seen by cgroup */
	bool tunnels;   /* packets out of tunnels are told; not under lockdown (confidentiality) */
	bool queues;    /* packets that a qdisc held are told by who put them in. Linux 5.14 */
	bool ebpf_cgroup2; /* cgroups are told apart by those of v2, not by the v1 cpu hierarchy */
};

#define SOFTIRQ_UNAVAILABLE 1

/* Return: 0, SOFTIRQ_UNAVAILABLE with what is missing, or negative errno. Loads, and lets go. */
int softirq_probe(struct err *e) must_check_;

/*
 * softirq_open() - load and attach; counting begins.
 *
 * Return: 0, SOFTIRQ_UNAVAILABLE (no BTF, no CAP_BPF and CAP_PERFMON, no tracepoint), or negative
 * errno. Lockdown takes tunnels away only: else pointers are followed by their types, not by
 * helpers. Ref: security/security.c LOCKDOWN_BPF_READ_KERNEL; kernel/trace/bpf_trace.c, v6.1
 */
int softirq_open(struct softirq **ret, const struct softirq_cfg *cfg, struct err *e) must_check_;
void softirq_close(struct softirq *s);
DEFINE_CLEANUP(struct softirq *, softirq_close, softirq_closep)

const struct softirq_kernel *softirq_kernel(const struct softirq *s);
uint32_t softirq_n_cpus(const struct softirq *s); /* possible CPUs */

/*
 * Who owns what. An owner of a namespace owns the packets of all devices in it; a device of the
 * host is told by itself: a container's other half of a veth, whose packets are counted inside
 * only, or a guest's tap, where they are counted as the guest has them; a cgroup is one directory,
 * not what is below it. Setting again replaces. -ENOSPC: the table is full; the packet is the
 * host's then.
 */
int softirq_set_netns(struct softirq *s, uint32_t netns, uint32_t owner, struct err *e) must_check_;
int softirq_set_dev(struct softirq *s, const struct softirq_dev *dev, uint32_t owner, struct err *e)
	must_check_;
int softirq_set_tap(struct softirq *s, const struct softirq_dev *dev, uint32_t owner, struct err *e)
	must_check_;
int softirq_set_cgroup(struct softirq *s, uint64_t cgroup_id, uint32_t owner, struct err *e)
	must_check_;
/* Forgets it; fine if it is not there. A tap is a device. */
void softirq_unset_netns(struct softirq *s, uint32_t netns);
void softirq_unset_dev(struct softirq *s, const struct softirq_dev *dev);
void softirq_unset_cgroup(struct softirq *s, uint64_t cgroup_id);
/* After a change: CPUs forget what they remember of devices. */
void softirq_changed(struct softirq *s);

/*
 * softirq_seq() - for what must add up exactly: odd while a softirq is open on @cpu, and one more
 * at each entry and exit. Between two equal even values nothing of that CPU has changed.
 */
uint32_t softirq_seq(const struct softirq *s, uint32_t cpu);

/* What @owner has had since open, on one CPU, or on all added up. */
void softirq_read(const struct softirq *s, uint32_t cpu, uint32_t owner,
	struct softirq_account *ret);
void softirq_read_sum(const struct softirq *s, uint32_t owner, struct softirq_account *ret);
void softirq_read_cpu(const struct softirq *s, uint32_t cpu, struct softirq_cpu *ret);
/* The number of an owner that is gone may be given out again after this. */
void softirq_clear(struct softirq *s, uint32_t owner);

/*
 * The bucket of @owner, in memory that the programs share; with cfg.enforce only, else NULL. Set
 * keep last. tokens_ns changes under the reader, and is as old as filled_ns.
 */
struct softirq_budget *softirq_budget(const struct softirq *s, uint32_t owner);

/*
 * What an interrupt costs beside the softirq that it raises: budgets pay it, too, from now on.
 * 0, as at first: they do not.
 */
void softirq_set_irq_cost(struct softirq *s, uint64_t ns);

/* For another object that includes bpf/softirq_slice.h: maps to reuse, and constants to set. */
struct softirq_shared {
	int slices_fd, accounts_fd, budgets_fd; /* of @s, borrowed */
	uint32_t n_cpus, n_owners;              /* sizes: CPUs, CPUs x owners, owners */
	bool enforce, irq_time, precise;
};
void softirq_share(const struct softirq *s, struct softirq_shared *ret);
