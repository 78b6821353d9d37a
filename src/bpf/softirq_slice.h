/*
 * Whose time it is: each CPU has a slice that began at t and has an owner; when another owner
 * comes, the time since t is billed to the one before. The maps that hold slices and accounts, and
 * the functions that move the slice on. A program that drops packets is an accounting event like
 * any other, so it includes this, reuses these maps, and calls slice_claim() or slice_enter().
 *
 * Programs of one CPU don't interrupt each other where these functions are called: softirqs don't
 * nest, and what sends packets has them disabled. So nothing here is atomic but budgets.
 * Ref: NSDI'18 "Iron", s.3.1; kernel/softirq.c handle_softirqs.
 */
#pragma once

#include "bpf/softirq.h"

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

/* The same in each object that shares the maps: softirq_share() has them. */
const volatile __u32 n_owners = SOFTIRQ_FIRST;
const volatile bool enforce;  /* keep budgets */
const volatile bool irq_time; /* the kernel leaves softirqs out of processes' run time */
const volatile bool precise;  /* read the clock at each packet */

/* The user side sets how many entries: CPUs, CPUs x owners, owners. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct softirq_slice);
} slices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct softirq_account);
} accounts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct softirq_budget);
} budgets SEC(".maps");

enum slice_mode {
	SLICE_CLOSED, /* no softirq; 0, as maps begin with */
	SLICE_RX,
	SLICE_TX,
	SLICE_OTHER,  /* HRTIMER or TASKLET */
	SLICE_THREAD, /* no softirq, but a NAPI thread */
};

/* For an owner: none of them is one. */
#define SLICE_FIXED   0xffffffffu /* no packet yet */
#define SLICE_PENDING 0xfffffffeu /* a packet at a device of the host, whose is not known yet */
#define SLICE_MANY    0xfffffffdu
/* In softirq_slice.before: the slice is the pending packet's alone. */
#define SLICE_NONE 0xfffffffcu
/* In softirq_cached.owner: the device is in a namespace of the owner's, not the host's half. */
#define SLICE_INSIDE 0x80000000u
#define SLICE_TUNNEL 0x40000000u /* the same: its packets come out of others */
#define SLICE_FLAGS  (SLICE_INSIDE | SLICE_TUNNEL | SOFTIRQ_TAP)

/* In softirq_slice.from_irq: before another one, in which the first packet was held. */
#define SLICE_LATE 2u

#define CONTEXT_NONE  0xffffffffu /* processes of nobody who is charged */
#define CONTEXT_KSOFT 0xfffffffeu
#define CONTEXT_IDLE  0xfffffffdu

/* @bits: of the hash. Ref: Knuth, TAOCP 3, s.6.4, multiplicative; 2^64 by the golden ratio. */
static __always_inline __u32 hash_of(__u64 x, __u32 bits)
{
	return (__u32)((x * 0x9e3779b97f4a7c15ull) >> (64 - bits));
}

static __always_inline struct softirq_slice *slice_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&slices, &cpu);
}

static __always_inline struct softirq_account *slice_account(const struct softirq_slice *s,
	__u32 owner)
{
	__u32 i = s->first_account + owner;

	return bpf_map_lookup_elem(&accounts, &i);
}

static __always_inline struct softirq_budget *budget_of(__u32 owner)
{
	struct softirq_budget *b = bpf_map_lookup_elem(&budgets, &owner);

	return b && b->keep ? b : NULL;
}

/* Other CPUs add at the same time; what goes beyond an end is taken back. */
static __always_inline void budget_add(struct softirq_budget *b, __s64 ns)
{
	__s64 left = __sync_fetch_and_add(&b->tokens_ns, ns) + ns;

	if (left > b->cap_ns)
		__sync_fetch_and_add(&b->tokens_ns, b->cap_ns - left);
	else if (left < b->floor_ns)
		__sync_fetch_and_add(&b->tokens_ns, b->floor_ns - left);
}

/* Not more often than that: it takes a division. */
#define BUDGET_FILL_NS 100000ull
/* Nor for longer, so that the product of microseconds and 10^12 (1000 CPUs) fits. */
#define BUDGET_MOST_NS 10000000000ull

/* By the time that has gone by. Whoever is first fills it, others find it filled. */
static __always_inline void budget_fill(struct softirq_budget *b, __u64 now_ns)
{
	__u64 from = b->filled_ns, gone = now_ns - from;

	if ((__s64)gone < (__s64)BUDGET_FILL_NS ||
		__sync_val_compare_and_swap(&b->filled_ns, from, now_ns) != from)
		return;
	if (gone > BUDGET_MOST_NS)
		gone = BUDGET_MOST_NS;
	budget_add(b, (__s64)(gone / 1000 * b->rate_ppb / 1000000));
}

static __always_inline void budget_change(__u32 owner, __s64 ns, __u64 now_ns)
{
	struct softirq_budget *b = budget_of(owner);

	if (!b)
		return;
	budget_fill(b, now_ns);
	budget_add(b, ns);
}

/* Adds to one of the owner's times. Return: its account. */
static __always_inline struct softirq_account *slice_add(const struct softirq_slice *s, __u32 owner,
	__u64 ns)
{
	struct softirq_account *a = slice_account(s, owner);

	if (!a)
		return NULL;
	if (s->mode == SLICE_RX)
		a->rx_ns += ns;
	else if (s->mode == SLICE_TX)
		a->tx_ns += ns;
	else if (s->mode == SLICE_OTHER)
		a->other_ns += ns;
	else
		a->thread_ns += ns;
	return a;
}

/* Time of a context's process that another one's HRTIMER or TASKLET took. Of RX and TX: at exit. */
static __always_inline void slice_gain(const struct softirq_slice *s, __u64 ns, __u64 now_ns)
{
	struct softirq_account *a;

	if (s->context >= n_owners)
		return;
	a = slice_account(s, s->context);
	if (a)
		a->gained_ns += ns;
	if (enforce && !irq_time)
		budget_change(s->context, (__s64)ns, now_ns);
}

/* Return: its account. */
static __always_inline struct softirq_account *slice_pay(struct softirq_slice *s, __u32 owner,
	__u64 ns, __u64 now_ns)
{
	struct softirq_account *a = slice_add(s, owner, ns);

	if (!a)
		return NULL;
	if (s->context == owner) {
		a->own_ns += ns;
		s->own_ns += ns;
	} else if (s->mode == SLICE_OTHER) {
		slice_gain(s, ns, now_ns);
	} else if (s->context == CONTEXT_KSOFT && s->mode != SLICE_THREAD) {
		a->ksoft_ns += ns;
	}
	/* In its own context the scheduler has it in the process's run time, unless irq_time. */
	if (enforce && (s->context != owner || irq_time))
		budget_change(owner, -(__s64)ns, now_ns);
	return a;
}

static __always_inline void slice_bill(struct softirq_slice *s, __u32 owner, __u64 ns, __u64 now_ns)
{
	struct softirq_account *a = slice_pay(s, owner, ns, now_ns);

	if (!a)
		return;
	if (s->only == SLICE_FIXED) {
		s->only = owner;
		s->first = owner;
		a->irqs += s->from_irq != 0;
	} else if (s->only != owner) {
		s->only = SLICE_MANY;
	}
}

static __always_inline __u32 held_age(const struct softirq_slice *s, const struct softirq_held *h)
{
	return s->turn - h->turn;
}

/* The place of a packet that is held, or else the oldest of those that it may be held in. */
static __always_inline struct softirq_held *slice_held(struct softirq_slice *s, __u64 head)
{
	struct softirq_held *set = s->held[hash_of(head, SOFTIRQ_SET_BITS)];
	struct softirq_held *oldest = set;

	for (__u32 i = 0; i < SOFTIRQ_N_WAYS; i++) {
		if (set[i].head == head)
			return &set[i];
		if (held_age(s, &set[i]) > held_age(s, oldest))
			oldest = &set[i];
	}
	return oldest;
}

/* May the packet at hand, which nobody has claimed, come out of a tunnel later? */
static __always_inline bool slice_holds(const struct softirq_slice *s)
{
	return s->tunnels && s->owner == SLICE_PENDING && s->before == SLICE_NONE;
}

/*
 * A packet that goes into a tunnel waits in a queue of the tunnel's device and is met again in the
 * poll of that, with the same bytes (Ref: net/core/gro_cells.c), so its time waits for it.
 * Return: 0 if it is not held.
 */
static __always_inline int slice_hold(struct softirq_slice *s, __u64 ns)
{
	struct softirq_held *h;

	if (!slice_holds(s) || s->mode != SLICE_RX || (ns + s->fixed_ns) >> 30)
		return 0;
	/* What came before a packet: where nobody's is known yet, it is that packet's. */
	if (s->only == SLICE_FIXED) {
		ns += s->fixed_ns;
		s->fixed_ns = 0;
	}
	h = slice_held(s, s->head);
	h->head = s->head;
	h->ns = (__u32)ns;
	h->inner = (__u32)s->head == s->inner;
	h->irq = s->from_irq && s->only == SLICE_FIXED && !s->held_ns[s->turn % SOFTIRQ_N_TURNS];
	h->turn = s->turn;
	s->held_ns[s->turn % SOFTIRQ_N_TURNS] += ns;
	s->late_ns += ns;
	return 1;
}

/*
 * Whose time a slice is that ends. A packet that nobody claimed was the host's; when the clock was
 * not read as it came, its part is not known, and remains with who was before it.
 */
static __always_inline __u32 slice_owner(const struct softirq_slice *s)
{
	if (s->owner != SLICE_PENDING)
		return s->owner;
	return s->before >= SLICE_NONE ? SOFTIRQ_HOST : s->before;
}

static __noinline int slice_end(struct softirq_slice *s, __u64 now_ns)
{
	__u32 owner = slice_owner(s);
	__u64 ns = now_ns - s->t_ns;

	if (owner == SLICE_FIXED)
		s->fixed_ns += s->mode == SLICE_OTHER ? 0 : ns;
	else if (!slice_hold(s, ns))
		slice_bill(s, owner, ns, now_ns);
	s->t_ns = now_ns;
	return 0;
}

static __always_inline void slice_change(struct softirq_slice *s, __u32 owner)
{
	slice_end(s, bpf_ktime_get_ns());
	s->owner = owner;
}

/*
 * Packets come in runs of one owner. Within a run the clock is not read: when the next packet is
 * its, too, nothing changes, and when it is not, what came between is billed to the run's owner,
 * which is a part of one packet. Owners that take turns are no runs, so where that would add up
 * every packet is timed. Of RUN_MAX packets the first RUN_MIN are, so a budget is never behind by
 * more than the others.
 */
#define RUN_MIN 8u
#define RUN_MAX 64u /* a power of two: a poll's most. Ref: netdevice.h NAPI_POLL_WEIGHT */

static __always_inline bool slice_in_run(const struct softirq_slice *s)
{
	return !precise && s->run % RUN_MAX >= RUN_MIN;
}

static __always_inline void slice_count(struct softirq_slice *s, __u32 owner)
{
	s->run = s->last == owner ? s->run + 1 : 0;
	s->last = owner;
}

static __always_inline void slice_switch(struct softirq_slice *s, __u32 owner)
{
	if (s->owner == SLICE_FIXED && slice_in_run(s) && s->last == owner)
		s->owner = owner;
	else if (s->owner != owner || precise)
		slice_change(s, owner);
	slice_count(s, owner);
}

/* The pending packet is the owner's. */
static __always_inline void slice_settle(struct softirq_slice *s, __u32 owner)
{
	if (s->before == SLICE_NONE) {
		s->owner = owner;
		slice_count(s, owner);
	} else {
		s->owner = s->before;
		slice_switch(s, owner);
	}
}

/* The pending packet, if there is one, is nobody's whom we know. */
static __always_inline void slice_unclaimed(struct softirq_slice *s)
{
	if (s->owner == SLICE_PENDING && !slice_holds(s))
		slice_settle(s, SOFTIRQ_HOST);
}

/* The next packet is the owner's. */
static __always_inline void slice_take(struct softirq_slice *s, __u32 owner)
{
	slice_unclaimed(s);
	slice_switch(s, owner);
}

/* The next packet's owner is not known yet. */
static __always_inline void slice_pend(struct softirq_slice *s)
{
	slice_unclaimed(s);
	if (slice_in_run(s) && !s->tunnels) {
		s->before = s->owner;
		s->owner = SLICE_PENDING;
	} else {
		slice_change(s, SLICE_PENDING);
		s->before = SLICE_NONE;
	}
}

/*
 * Of HRTIMER and TASKLET softirqs, and of a NAPI thread between two polls, nobody has read the
 * clock, or looked whom they interrupt, before the accounting itself meets a packet.
 */
static __always_inline bool slice_has_begun(const struct softirq_slice *s)
{
	return s->mode == SLICE_RX || s->mode == SLICE_TX ||
	       (s->mode != SLICE_CLOSED && s->owner != SLICE_FIXED);
}

/* slice_claim() - the packet at hand, which a device of the host has met, is the owner's. */
static __always_inline void slice_claim(__u32 owner)
{
	struct softirq_slice *s = slice_here();

	if (!s || !slice_has_begun(s))
		return;
	if (s->owner == SLICE_PENDING)
		slice_settle(s, owner);
	else if (s->owner != owner)
		slice_take(s, owner);
}

/* slice_enter() - the same of a packet at a hook before that: in native XDP. */
static __always_inline void slice_enter(__u32 owner)
{
	struct softirq_slice *s = slice_here();

	if (s && s->mode != SLICE_CLOSED)
		slice_take(s, owner);
}
