/*
 * Who pays for softirqs: between softirq_entry and softirq_exit every nanosecond is billed to the
 * owner of the packet at hand, as softirq_slice.h says. Whose a packet is:
 *
 *	received inside a namespace that has an owner        that owner's, and what it answers
 *	received at the host's half of a container's veth    the container's, which sent it, until
 *	                                                     it is handed to another one's half
 *	received at another device of the host               not known: pending, until it leaves by
 *	                                                     a container's half, else the host's
 *	received out of a tunnel, at a device of the host    as before, and so is what it took while
 *	                                                     it was in the tunnel
 *	taken out of a qdisc                                 its that put it in
 *	come to a socket, and still pending                  the socket's: by its cgroup, where that
 *	                                                     is told, else by its namespace
 *	none in a poll: XDP had them, or what was sent       the device's, if it is a container's
 *	is done
 *
 * A packet at hand is known by its skb, or by its bytes, skb->head: a clone on a bridge has the
 * same bytes, and one that was made writable has others, but the same skb.
 *
 * Nothing but tracepoints with BTF: fentry and kprobes are often not to be had in a VM. One object
 * for all kernels from 6.1 on: what is read of the kernel's structs is declared here by name, and
 * libbpf finds where it is.
 *
 * The licence: bpf_get_current_task_btf(), and following pointers to the kernel's structs, are for
 * programs only that say they are compatible with the GPL. Ref: kernel/trace/bpf_trace.c,
 * gpl_only; kernel/bpf/verifier.c check_ptr_to_btf_access.
 */
#include "bpf/softirq_slice.h"

#include <bpf/bpf_core_read.h>

char licence[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

struct rtnl_link_ops {
	const char *kind;
};

struct net_device {
	int ifindex;
	struct {
		struct net *net;
	} nd_net;
	const struct rtnl_link_ops *rtnl_link_ops;
};

struct napi_struct {
	struct net_device *dev;
};

struct sk_buff {
	struct net_device *dev;
	unsigned char *head;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	unsigned int flags;
	int pid;
	unsigned long nvcsw, nivcsw;
	struct css_set *cgroups;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock_common {
	struct {
		struct net *net;
	} skc_net;
};

struct sock {
	struct sock_common __sk_common;
	struct sock_cgroup_data sk_cgrp_data;
};

/* The number is this kernel's. */
enum cgroup_subsys_id {
	cpu_cgrp_id = 1,
};

#pragma clang attribute pop

/* Ref: include/linux/interrupt.h, an enum without a name, so libbpf can't find it. */
#define NET_TX_SOFTIRQ  2
#define NET_RX_SOFTIRQ  3
#define TASKLET_SOFTIRQ 6
#define HRTIMER_SOFTIRQ 8

#define PF_KTHREAD 0x00200000 /* Ref: include/linux/sched.h */

/* Owners' cgroups are v2's, which are the ones that sockets know. */
const volatile bool socket_cgroups;

/* What an interrupt costs beside the softirq that it raises, for budgets; 0: not known. */
volatile __u64 irq_ns;
/* Of owners' tables; the user side raises it after a change. */
volatile __u32 generation = 1;
/* Some qdisc held a packet; until then no table is looked at. */
__u32 queues;

/* Entries come from the user side only, so none is set aside for this side's. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * SOFTIRQ_MAX_OWNERS);
	__type(key, __u32);
	__type(value, __u32);
} netns_owner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16 * SOFTIRQ_MAX_OWNERS);
	__type(key, struct softirq_dev);
	__type(value, __u32);
} dev_owner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16 * SOFTIRQ_MAX_OWNERS);
	__type(key, __u64);
	__type(value, __u32);
} cgroup_owner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOFTIRQ_N_QUEUED);
	__type(key, __u32);
	__type(value, struct softirq_queued);
} queued SEC(".maps");

/* The verifier calculates with no pointer, but what comes out of a map is a number. */
static __always_inline __u64 plain(struct softirq_slice *s, __u64 address)
{
	*(volatile __u64 *)&s->plain = address;
	return *(volatile __u64 *)&s->plain;
}

static __always_inline __u64 head_of(struct softirq_slice *s, const struct sk_buff *skb)
{
	return plain(s, (__u64)skb->head);
}

/* Text of eight characters or more, as the machine has the first eight in a word. */
static __always_inline __u64 word_of(const char *text)
{
	__u64 w;

	__builtin_memcpy(&w, text, sizeof(w));
	return w;
}

/* The first seven characters of kinds whose packets come out of others and are queued again. */
static const char tunnel[][8] = {"bareudp", "erspan", "geneve", "gre", "gretap", "ip6ersp",
	"ip6gre", "ip6gret", "ip6tnl", "ipip", "macsec", "sit", "vxlan"};

/* The kernel lets kinds of devices be read, which are text. */
const volatile bool kinds;

/* Ref: callers of gro_cells_receive(). A device of hardware has no kind. */
static __always_inline __u32 tunnel_of(const struct net_device *dev)
{
	char kind[8] = {};
	__u32 flag = 0;

	if (!kinds)
		return 0;
	bpf_probe_read_kernel_str(kind, sizeof(kind), dev->rtnl_link_ops->kind);
	for (__u32 i = 0; i < sizeof(tunnel) / sizeof(tunnel[0]); i++)
		if (word_of(kind) == word_of(tunnel[i]))
			flag = SLICE_TUNNEL;
	return flag;
}

static __noinline __u32 look_up_dev(struct softirq_cached *c, const struct net_device *dev)
{
	struct softirq_dev key = {dev->nd_net.net->ns.inum, (__u32)dev->ifindex};
	__u32 *owner;

	/* First: what is changed between this and the lookup is to be looked up again. */
	c->generation = generation;
	barrier();
	owner = bpf_map_lookup_elem(&dev_owner, &key);
	c->netns = key.netns;
	c->ifindex = key.ifindex;
	if (owner) {
		c->owner = *owner;
	} else {
		owner = bpf_map_lookup_elem(&netns_owner, &key.netns);
		c->owner = owner ? *owner | SLICE_INSIDE : SOFTIRQ_HOST | tunnel_of(dev);
	}
	return c->owner;
}

/* SOFTIRQ_HOST if it is nobody's; SLICE_FLAGS may be set, of the host's SLICE_TUNNEL only. */
static __always_inline __u32 owner_of_dev(struct softirq_slice *s, const struct net_device *dev)
{
	__u32 ifindex = (__u32)dev->ifindex, netns = dev->nd_net.net->ns.inum;
	struct softirq_cached *c = &s->cache[(netns + ifindex) % SOFTIRQ_N_CACHED];

	if (c->netns == netns && c->ifindex == ifindex && c->generation == generation)
		return c->owner;
	return look_up_dev(c, dev);
}

/* By one directory of the hierarchy that the cpu controller is in, of v1 or v2. */
static __always_inline __u64 cgroup_of(struct task_struct *task)
{
	struct css_set *set = task->cgroups;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, cpu_cgrp_id))
		return set->dfl_cgrp->kn->id;
	return set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id)]->cgroup->kn->id;
}

static __always_inline __u32 owner_of_cgroup(__u64 id)
{
	__u32 *owner = bpf_map_lookup_elem(&cgroup_owner, &id);

	return owner ? *owner : CONTEXT_NONE;
}

static __noinline __u32 look_up_task(struct softirq_slice *s, __u64 set)
{
	s->cgroups = set;
	s->cgroup_generation = generation;
	s->cgroup_owner = owner_of_cgroup(cgroup_of(bpf_get_current_task_btf()));
	return s->cgroup_owner;
}

/* Of the current one. By the set of its cgroups, from which it are four pointers to the id. */
static __always_inline __u32 owner_of_task(struct softirq_slice *s, const struct task_struct *task)
{
	__u64 set = plain(s, (__u64)task->cgroups);

	if (s->cgroups == set && s->cgroup_generation == generation)
		return s->cgroup_owner;
	return look_up_task(s, set);
}

/* The task's name as such a word. */
static __always_inline __u64 name_word(void)
{
	__u64 name[2] = {};

	bpf_get_current_comm(name, sizeof(name));
	return name[0];
}

/* What the softirq interrupted, or what has it done. */
static __noinline __u32 context_of(struct softirq_slice *s)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->pid == 0)
		return CONTEXT_IDLE;
	if (task->flags & PF_KTHREAD && name_word() == word_of("ksoftirqd/"))
		return CONTEXT_KSOFT;
	return owner_of_task(s, task);
}

static __always_inline void open_slice(struct softirq_slice *s, __u32 mode, __u64 now_ns)
{
	s->mode = mode;
	s->owner = SLICE_FIXED;
	s->only = SLICE_FIXED;
	s->t_ns = now_ns;
	s->begin_ns = now_ns - s->late_ns; /* what is billed late is billed in this one */
	s->fixed_ns = 0;
	s->own_ns = 0;
	s->head = 0;
	s->skb = 0;
	s->from_irq = 0;
}

/* A fetch that is used is a full barrier on all machines; an addition alone is none on some. */
static __always_inline void turn(struct softirq_slice *s)
{
	__u32 seq = __sync_fetch_and_add(&s->seq, 1);

	asm volatile("" ::"r"(seq));
}

SEC("tp_btf/softirq_entry")
int softirq_begin(__u64 *ctx)
{
	__u32 vec = (__u32)ctx[0];
	struct softirq_slice *s;

	if (vec != NET_RX_SOFTIRQ && vec != NET_TX_SOFTIRQ && vec != HRTIMER_SOFTIRQ &&
		vec != TASKLET_SOFTIRQ)
		return 0;
	s = slice_here();
	if (!s)
		return 0;
	if (vec == HRTIMER_SOFTIRQ || vec == TASKLET_SOFTIRQ) {
		/* Most of them send nothing, so the clock is read when one does. */
		open_slice(s, SLICE_OTHER, 0);
		return 0;
	}
	open_slice(s, vec == NET_RX_SOFTIRQ ? SLICE_RX : SLICE_TX, bpf_ktime_get_ns());
	turn(s);
	s->from_irq = s->irq;
	s->irq = 0;
	s->context = context_of(s);
	return 0;
}

/*
 * What came before the first packet is its owner's, if there was one only. Where all that there
 * were are held, it has gone with them, and the rest is the host's.
 */
static __always_inline void bill_fixed(struct softirq_slice *s, __u64 now_ns)
{
	__u32 owner = s->only < n_owners ? s->only : SOFTIRQ_OVERHEAD;

	if (s->only == SLICE_FIXED && s->held_ns[s->turn % SOFTIRQ_N_TURNS])
		owner = SOFTIRQ_HOST;
	if (s->fixed_ns)
		slice_bill(s, owner, s->fixed_ns, now_ns);
}

/* What nobody has claimed for so long is the host's; it is no packet of this softirq. */
static __always_inline void bill_late(struct softirq_slice *s, __u64 now_ns)
{
	__u64 *oldest;

	if (!s->tunnels || s->mode != SLICE_RX)
		return;
	s->turn++;
	oldest = &s->held_ns[s->turn % SOFTIRQ_N_TURNS];
	if (!*oldest)
		return;
	(void)slice_pay(s, SOFTIRQ_HOST, *oldest, now_ns);
	s->late_ns -= *oldest;
	*oldest = 0;
}

/*
 * What is held of a packet goes to the slice at hand, as if that had begun earlier. Entries of
 * others that had the same memory are gone: the first device of this one has held it again since.
 * @inner: only if it has come out of a tunnel already
 */
static __noinline int take_held(struct softirq_slice *s, __u64 head, bool inner)
{
	struct softirq_held *h = slice_held(s, head);

	if (s->mode != SLICE_RX || h->head != head || held_age(s, h) >= SOFTIRQ_N_TURNS ||
		(inner && !h->inner))
		return 0;
	if (h->irq && s->only == SLICE_FIXED && !s->from_irq)
		s->from_irq = SLICE_LATE;
	s->held_ns[h->turn % SOFTIRQ_N_TURNS] -= h->ns;
	s->late_ns -= h->ns;
	s->t_ns -= h->ns;
	h->head = 0;
	h->turn = s->turn - SOFTIRQ_N_TURNS;
	return 0;
}

static __always_inline void add_sum(struct softirq_slice *s, __u64 ns)
{
	if (s->mode == SLICE_RX) {
		s->sum.rx_ns += ns;
		s->sum.rx_n++;
	} else {
		s->sum.tx_ns += ns;
		s->sum.tx_n++;
	}
	if (s->context == CONTEXT_KSOFT)
		s->sum.ksoft_ns += ns;
	else if (s->context == CONTEXT_IDLE)
		s->sum.idle_ns += ns;
}

/*
 * The interrupt's own time, of which a softirq's entry and exit know nothing: its the first packet
 * was pays it to whose time it was.
 */
static __always_inline void bill_irq(struct softirq_slice *s, __u64 now_ns)
{
	__u64 ns = enforce ? irq_ns : 0;
	struct softirq_account *a;

	if (!s->from_irq || s->only == SLICE_FIXED)
		return;
	/* The host was the first then, and whom it interrupted has been credited. */
	if (s->from_irq == SLICE_LATE) {
		if (ns)
			budget_change(s->first, -(__s64)ns, now_ns);
		return;
	}
	if (s->context == s->first) {
		a = slice_account(s, s->first);
		if (a)
			a->irqs_own++;
		if (ns && irq_time)
			budget_change(s->first, -(__s64)ns, now_ns);
		return;
	}
	if (ns)
		budget_change(s->first, -(__s64)ns, now_ns);
	if (s->context >= n_owners)
		return;
	a = slice_account(s, s->context);
	if (a)
		a->irqs_gained++;
	if (ns && !irq_time)
		budget_change(s->context, (__s64)ns, now_ns);
}

SEC("tp_btf/softirq_exit")
int softirq_end(__u64 *ctx)
{
	struct softirq_slice *s;
	__u32 vec = (__u32)ctx[0];
	__u64 now_ns, ns;

	if (vec != NET_RX_SOFTIRQ && vec != NET_TX_SOFTIRQ && vec != HRTIMER_SOFTIRQ &&
		vec != TASKLET_SOFTIRQ)
		return 0;
	s = slice_here();
	if (!s || s->mode == SLICE_CLOSED) /* it was open when we came */
		return 0;
	if (s->mode == SLICE_OTHER) {
		if (s->owner != SLICE_FIXED)
			slice_end(s, bpf_ktime_get_ns());
		s->mode = SLICE_CLOSED;
		return 0;
	}
	now_ns = bpf_ktime_get_ns();
	slice_end(s, now_ns);
	bill_fixed(s, now_ns);
	bill_late(s, now_ns);
	ns = now_ns - s->begin_ns - s->late_ns;
	add_sum(s, ns);
	slice_gain(s, ns - s->own_ns, now_ns);
	bill_irq(s, now_ns);
	s->mode = SLICE_CLOSED;
	turn(s);
	return 0;
}

/*
 * NAPI threads run no softirq: their slices begin with a packet, and end with the poll. Ref:
 * net/core/dev.c napi_threaded_poll "napi/<dev>-<id>", run_backlog_napi "backlog_napi/<cpu>"; no
 * other thread of the kernel is billed, vhost's least of all, which is in the VM's own cgroup.
 */
static __noinline int open_thread(struct softirq_slice *s)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 name, napi = word_of("napi/\0\0\0"), mask = word_of("\xff\xff\xff\xff\xff\0\0\0");

	if (!(task->flags & PF_KTHREAD))
		return 0;
	name = name_word();
	if ((name & mask) != napi && name != word_of("backlog_napi/"))
		return 0;
	open_slice(s, SLICE_THREAD, bpf_ktime_get_ns());
	s->context = CONTEXT_NONE;
	s->thread = (__u32)task->pid;
	s->switches = task->nvcsw + task->nivcsw;
	return 1;
}

/* Is it still the thread's? Between polls it may sleep, or something else may run. */
static __noinline int same_thread(struct softirq_slice *s)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (s->thread == (__u32)task->pid && s->switches == task->nvcsw + task->nivcsw)
		return 1;
	s->mode = SLICE_CLOSED;
	return open_thread(s);
}

static __always_inline bool is_open(struct softirq_slice *s)
{
	if (s->mode == SLICE_CLOSED)
		return open_thread(s);
	if (s->mode == SLICE_THREAD)
		return same_thread(s);
	return true;
}

static __always_inline bool is_at_hand(const struct softirq_slice *s, __u64 skb, __u64 head)
{
	return s->head == head || s->skb == skb;
}

/* At a device of the host: another packet, or the same one at another device of it? */
static __always_inline void packet_of_nobody(struct softirq_slice *s, __u64 skb, __u64 head,
	__u64 dev)
{
	/* At the same device it is another one, in the memory of one that is gone. */
	if (is_at_hand(s, skb, head) && s->dev != dev)
		return;
	slice_pend(s);
	s->skb = skb;
	s->head = head;
	s->dev = dev;
}

static __always_inline void packet_is(struct softirq_slice *s, __u32 who, __u64 skb, __u64 head)
{
	if (s->owner == SLICE_PENDING && is_at_hand(s, skb, head))
		slice_settle(s, who);
	else
		slice_take(s, who);
}

static __always_inline void packet_of(struct softirq_slice *s, __u32 owner, __u64 skb, __u64 head)
{
	__u32 who = owner & ~SLICE_INSIDE;

	packet_is(s, who, skb, head);
	/* Inside it is at its end, and its memory soon another one's. */
	s->skb = owner & SLICE_INSIDE ? 0 : skb;
	s->head = owner & SLICE_INSIDE ? 0 : head;
	s->dev = 0;
}

/*
 * A packet that came in at a device of @found, or went out there. At the host's half of a pair it
 * is the one that the other half counts. What goes out at a tap comes in at its guest.
 */
static __always_inline void count_packet(const struct softirq_slice *s, __u32 found, bool in)
{
	__u32 owner = found & ~SLICE_FLAGS;
	struct softirq_account *a = slice_account(s, owner);

	if (!a || (owner >= SOFTIRQ_FIRST && !(found & (SLICE_INSIDE | SOFTIRQ_TAP))))
		return;
	if (in == !(found & SOFTIRQ_TAP))
		a->rx_pkts++;
	else
		a->tx_pkts++;
}

SEC("tp_btf/netif_receive_skb")
int packet_in(__u64 *ctx)
{
	const struct sk_buff *skb = (const void *)ctx[0];
	const struct net_device *dev = skb->dev;
	struct softirq_slice *s = slice_here();
	__u32 found, owner;

	if (!s)
		return 0;
	found = owner_of_dev(s, dev);
	owner = found & (~SLICE_FLAGS | SLICE_INSIDE);
	count_packet(s, found, true);
	if (s->mode == SLICE_OTHER || !is_open(s))
		return 0;
	if (owner == SOFTIRQ_HOST)
		packet_of_nobody(s, (__u64)skb, head_of(s, skb), (__u64)dev);
	else
		packet_of(s, owner, (__u64)skb, head_of(s, skb));
	if (found & SLICE_TUNNEL) {
		s->tunnels = 1;
		s->inner = (__u32)head_of(s, skb);
		take_held(s, head_of(s, skb), false);
	}
	return 0;
}

static __always_inline struct softirq_queued *place_of(__u64 head)
{
	__u32 i = hash_of(head, SOFTIRQ_QUEUED_BITS);

	return bpf_map_lookup_elem(&queued, &i);
}

/* Who put it into a qdisc; it is out now. */
static __always_inline __u32 dequeue(__u64 head)
{
	struct softirq_queued *q;

	if (!queues)
		return SOFTIRQ_HOST;
	q = place_of(head);
	if (!q || q->head != head)
		return SOFTIRQ_HOST;
	q->head = 0;
	return q->owner;
}

static __always_inline void packet_leaves(struct softirq_slice *s, __u32 who, __u64 skb, __u64 head)
{
	if (s->owner != who)
		packet_is(s, who, skb, head);
}

/* HRTIMER and TASKLET: from the first one on. */
static __always_inline void other_leaves(struct softirq_slice *s, __u32 who)
{
	if (s->owner == who)
		return;
	if (s->owner == SLICE_FIXED) {
		s->context = context_of(s);
		s->t_ns = bpf_ktime_get_ns();
		s->owner = who;
	} else {
		slice_change(s, who);
	}
}

SEC("tp_btf/net_dev_start_xmit")
int packet_out(__u64 *ctx)
{
	const struct sk_buff *skb = (const void *)ctx[0];
	const struct net_device *dev = (const void *)ctx[1];
	struct softirq_slice *s = slice_here();
	__u32 found, who, queued_by;
	__u64 head;

	if (!s)
		return 0;
	head = head_of(s, skb);
	found = owner_of_dev(s, dev);
	who = found & ~SLICE_FLAGS;
	count_packet(s, found, false);
	queued_by = dequeue(head); /* at whatever device: its memory is soon another packet's */
	if (who == SOFTIRQ_HOST)
		who = queued_by;
	if (s->mode == SLICE_CLOSED || (s->mode == SLICE_THREAD && !same_thread(s)))
		return 0;
	/* Forwarded, or sent by the host as an answer: it does not change whose time it is. */
	if (who == SOFTIRQ_HOST && s->mode != SLICE_TX)
		return 0;
	if (s->mode == SLICE_OTHER)
		other_leaves(s, who);
	else
		packet_leaves(s, who, (__u64)skb, head);
	/* Lists of packets are met one by one, and then forwarded. Ref: ip_input.c ip_list_rcv */
	if (s->tunnels && who != SOFTIRQ_HOST && !(found & SLICE_INSIDE))
		take_held(s, head, true);
	return 0;
}

/* Only where a qdisc holds packets; a device without a queue has none. Linux 5.14. */
SEC("?tp_btf/qdisc_enqueue")
int packet_queued(__u64 *ctx)
{
	const struct sk_buff *skb = (const void *)ctx[2];
	struct softirq_slice *s = slice_here();
	struct softirq_queued *q;
	__u64 head;
	__u32 owner;

	if (!s)
		return 0;
	head = head_of(s, skb);
	q = place_of(head);
	if (!q)
		return 0;
	/* Of a NAPI thread that sleeps the slice is still there. */
	owner = s->mode == SLICE_CLOSED || (s->mode == SLICE_THREAD && !same_thread(s))
			? owner_of_task(s, bpf_get_current_task_btf())
			: s->owner;
	if (owner < n_owners && owner >= SOFTIRQ_FIRST) {
		queues = 1;
		q->owner = owner;
		q->head = head;
	} else if (q->head == head) {
		q->head = 0; /* one that was dropped had this memory */
	}
	return 0;
}

/*
 * A poll that has handed no packet to the stack: what was sent is done and freed, or an XDP program
 * had them all. Its device, in a container's namespace or its half, tells whose it was. The backlog
 * has none, which reads as nobody's.
 */
static __always_inline __u32 owner_of_poll(struct softirq_slice *s, const struct napi_struct *napi)
{
	__u32 owner = owner_of_dev(s, napi->dev) & ~SLICE_FLAGS;

	return owner == SOFTIRQ_HOST ? SLICE_FIXED : owner;
}

SEC("tp_btf/napi_poll")
int poll_done(__u64 *ctx)
{
	struct softirq_slice *s = slice_here();
	int work = (int)ctx[1], budget = (int)ctx[2];

	if (!s)
		return 0;
	if (s->mode == SLICE_RX) {
		if (s->owner == SLICE_FIXED) {
			s->owner = owner_of_poll(s, (const void *)ctx[0]);
			s->polls |= s->owner != SLICE_FIXED;
		}
		/* What follows is another device's. */
		if (s->polls || s->owner != s->last || !slice_in_run(s))
			slice_change(s, SLICE_FIXED);
		s->head = 0;
		s->skb = 0;
		return 0;
	}
	if (s->mode == SLICE_THREAD && same_thread(s)) {
		__u64 now_ns = bpf_ktime_get_ns();

		slice_end(s, now_ns);
		bill_fixed(s, now_ns);
		s->mode = SLICE_CLOSED;
	}
	/* It goes on at once when it had not enough. Ref: net/core/dev.c __napi_poll, repoll. */
	if (s->mode == SLICE_CLOSED && work >= budget)
		open_thread(s);
	return 0;
}

static __always_inline __u32 owner_of_socket(const struct sock *sk)
{
	__u32 netns = sk->__sk_common.skc_net.net->ns.inum, *owner;

	if (socket_cgroups) {
		__u32 by_cgroup = owner_of_cgroup(sk->sk_cgrp_data.cgroup->kn->id);

		if (by_cgroup < n_owners)
			return by_cgroup;
	}
	owner = bpf_map_lookup_elem(&netns_owner, &netns);
	return owner ? *owner : CONTEXT_NONE;
}

/*
 * What no device of the owner's has shown is told by the socket that it comes to: packets of
 * processes in the host's own namespace, and those that went on in a container's without being
 * received anew: by macvlan, ipvlan, bpf_redirect_peer().
 * Ref: net/core/dev.c __netif_receive_skb_core, another_round.
 */
static __always_inline int socket_has(const struct sock *sk)
{
	struct softirq_slice *s = slice_here();
	__u32 owner;

	if (!s || s->owner != SLICE_PENDING || (s->mode != SLICE_RX && s->mode != SLICE_THREAD))
		return 0;
	owner = owner_of_socket(sk);
	if (owner < n_owners)
		slice_settle(s, owner);
	return 0;
}

SEC("?tp_btf/sk_data_ready")
int socket_ready(__u64 *ctx)
{
	return socket_has((const void *)ctx[0]);
}

SEC("?tp_btf/tcp_probe")
int socket_tcp(__u64 *ctx)
{
	return socket_has((const void *)ctx[0]);
}

SEC("?tp_btf/udp_fail_queue_rcv_skb")
int socket_full(__u64 *ctx)
{
	return socket_has((const void *)ctx[1]);
}

static __always_inline int interrupt(void)
{
	struct softirq_slice *s = slice_here();

	/* One that comes within a softirq is in that one's time. */
	if (s && s->mode != SLICE_RX && s->mode != SLICE_TX)
		s->irq = 1;
	return 0;
}

SEC("?tp_btf/irq_handler_entry")
int irq_device(__u64 *ctx)
{
	(void)ctx;
	return interrupt();
}

/* How RPS wakes another CPU. Of x86 only. */
SEC("?tp_btf/call_function_single_entry")
int irq_call(__u64 *ctx)
{
	(void)ctx;
	return interrupt();
}

/* Run time of processes, as the scheduler bills it, for budgets. */
SEC("?tp_btf/sched_stat_runtime")
int process_ran(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	__u64 ns = ctx[1];
	__u32 owner = owner_of_cgroup(cgroup_of(task));

	if (owner < n_owners)
		budget_change(owner, -(__s64)ns, bpf_ktime_get_ns());
	return 0;
}
