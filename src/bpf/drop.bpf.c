/*
 * Packets of who has spent its budget are dropped before they cost much: in XDP, or at the ingress
 * of tc, on the device they come in by, or at the last device before their container. One function
 * decides for all hooks.
 *
 * An owner's packets are dropped at random, the likelier the fewer tokens it has left: never from
 * early_ns on, always at the floor of its budget (as RED does it by a queue's length. Ref: Floyd
 * and Jacobson, Random Early Detection Gateways, 1993). Above the floor those that can be told of
 * congestion are told, not dropped (RFC 3168 s.5).
 *
 * All that is not known to be somebody's passes, and everything does when the user side has not
 * said for a second that it lives: filters may outlast it. What passes goes on to the next program
 * of that hook, if there is one. Budgets and slices are the accounting's maps, when it runs.
 *
 * No helper here is for GPL programs only, so the object states no licence.
 */
#include "bpf/drop_packet.h"
#include "bpf/softirq_slice.h"

#include <linux/pkt_cls.h>
#include <stddef.h>

__u64 beat_ns; /* the last sign of life, CLOCK_MONOTONIC */
/* Of addrs; the user side raises it after a change. */
volatile __u32 addr_generation = 1;

/* Of addresses: owner; SOFTIRQ_HOST: one of the host's own. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DROP_MAX_ADDRS);
	__type(key, struct drop_prefix);
	__type(value, __u32);
} addrs SEC(".maps");

/* A walk through a trie costs more than all else here, and a flood is to one address. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_N_MET);
	__type(key, __u32);
	__type(value, struct drop_met);
} met SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DROP_MAX_PORTS);
	__type(key, struct drop_publish);
	__type(value, __u32);
} ports SEC(".maps");

/* The host's halves of veths, for DROP_TC_EGRESS. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DROP_MAX_DEVS);
	__type(key, __u32);
	__type(value, __u32);
} devs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOFTIRQ_MAX_OWNERS);
	__type(key, __u32);
	__type(value, struct drop_policy);
} policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SOFTIRQ_MAX_OWNERS);
	__type(key, __u32);
	__type(value, struct drop_count);
} by_owner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_HOOK_N);
	__type(key, __u32);
	__type(value, struct drop_count);
} by_hook SEC(".maps");

enum verdict {
	PASS,
	MARK,
	DROP,
};

static __always_inline int is_met(const struct drop_met *m, const struct drop_prefix *to)
{
	return m->generation == addr_generation && m->addr[3] == to->addr[3] &&
	       m->addr[2] == to->addr[2] && m->addr[1] == to->addr[1] && m->addr[0] == to->addr[0];
}

static __noinline __u32 look_up_addr(struct drop_met *m, const struct drop_prefix *to)
{
	const __u32 *owner;

	/* First: what is changed between this and the lookup is to be looked up again. */
	m->generation = addr_generation;
	__builtin_memcpy(m->addr, to->addr, sizeof(m->addr));
	barrier();
	owner = bpf_map_lookup_elem(&addrs, to);
	m->owner = owner ? *owner : DROP_UNKNOWN;
	return m->owner;
}

static __always_inline __u32 owner_of_addr(const struct drop_prefix *to)
{
	__u32 i = hash_of(to->addr[3], DROP_MET_BITS);
	struct drop_met *m = bpf_map_lookup_elem(&met, &i);

	if (!m)
		return DROP_UNKNOWN;
	return is_met(m, to) ? m->owner : look_up_addr(m, to);
}

/* Return: owner; SOFTIRQ_HOST: nobody that has a budget. */
static __always_inline __u32 owner_of(const struct drop_packet *p)
{
	const struct drop_publish at = {.port = p->dport, .proto = p->proto};
	__u32 owner = owner_of_addr(&p->to);
	const __u32 *published;

	if (owner != SOFTIRQ_HOST || !p->dport)
		return owner == DROP_UNKNOWN ? SOFTIRQ_HOST : owner;
	published = bpf_map_lookup_elem(&ports, &at);
	return published ? *published : SOFTIRQ_HOST;
}

/*
 * The share of packets that this is true for rises from 0 at @early to 1 at @floor. Both sides in
 * units of 1024 ns times 2^32; the user side keeps them below 2^42 ns apart.
 */
static __always_inline int is_unlucky(__s64 tokens, __s64 early, __s64 floor)
{
	__u64 below = (__u64)(early - tokens) >> 10, range = (__u64)(early - floor) >> 10;

	return (__u64)bpf_get_prandom_u32() * range < below << 32;
}

/*
 * A sign of life may come from another CPU, after the clock was read here. Not the slice's reading
 * of the clock, though it is at hand: when the accounting is gone it stands still.
 */
static __always_inline int is_stale(void)
{
	return (__s64)(bpf_ktime_get_ns() - *(volatile __u64 *)&beat_ns) > (__s64)DROP_BEAT_MAX_NS;
}

#define COUNT(owner, hook, what)                                                                   \
	do {                                                                                       \
		struct drop_count *o_ = bpf_map_lookup_elem(&by_owner, &(owner));                  \
		struct drop_count *h_ = bpf_map_lookup_elem(&by_hook, &(hook));                    \
                                                                                                   \
		if (o_)                                                                            \
			o_->what++;                                                                \
		if (h_)                                                                            \
			h_->what++;                                                                \
	} while (0)

/* The packet's cost so far, and that of dropping it, is its owner's. */
static __always_inline void bill(__u32 owner, __u32 hook)
{
	const struct softirq_slice *s = slice_here();
	struct softirq_account *a;

	/* The accounting has not met a packet before it has an skb. */
	if (hook == DROP_XDP_NATIVE)
		slice_enter(owner);
	else
		slice_claim(owner);
	a = s ? slice_account(s, owner) : NULL;
	if (a)
		a->drop_pkts++;
}

/* @can_mark: is marking possible at this hook? */
static __always_inline enum verdict judge(const struct drop_packet *p, __u32 owner, __u32 hook,
	int can_mark)
{
	const struct softirq_budget *b = budget_of(owner);
	const struct drop_policy *policy = bpf_map_lookup_elem(&policies, &owner);
	__s64 tokens;
	int at_floor;

	if (!b || !policy || !b->drop)
		return PASS;
	tokens = *(volatile __s64 *)&b->tokens_ns;
	at_floor = tokens <= b->floor_ns;
	if (!at_floor &&
		(tokens >= policy->early_ns || !is_unlucky(tokens, policy->early_ns, b->floor_ns)))
		return PASS;
	if (is_stale()) {
		COUNT(owner, hook, stale);
		return PASS;
	}
	if (drop_is_kept(p, policy, at_floor)) {
		COUNT(owner, hook, kept);
		return PASS;
	}
	if (!at_floor && can_mark && drop_has_ecn(p)) {
		COUNT(owner, hook, marked);
		return MARK;
	}
	COUNT(owner, hook, dropped);
	bill(owner, hook);
	return DROP;
}

static __always_inline enum verdict judge_to(const struct drop_packet *p, __u32 hook, int can_mark)
{
	__u32 owner = owner_of(p);

	return owner < SOFTIRQ_FIRST ? PASS : judge(p, owner, hook, can_mark);
}

/* Ref: RFC 1624 s.3, equation 3 */
static __always_inline void mark_xdp(const struct drop_packet *p, void *data, void *end)
{
	__u16 word = drop_ce_word(p);
	struct iphdr *ip;
	__u32 sum;

	/* The verifier has forgotten by now that this is no more than two tags. */
	if (p->l3 > DROP_HEADERS)
		return;
	ip = data + p->l3;
	if ((void *)(ip + 1) > end)
		return;
	*(__u16 *)ip = word;
	if (p->ipv6)
		return;
	sum = (__u16)~ip->check + (__u16)~p->word + word;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = (__u16)~sum;
}

static __always_inline int at_xdp(struct xdp_md *ctx, __u32 hook)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct drop_packet p = {};
	enum verdict v;

	if (drop_parse(&p, data, end) < 0)
		return XDP_PASS;
	/*
	 * In generic XDP a packet has an skb, which may have a sum by the adapter, of an IPv6
	 * header's first bytes, too. That can't be set right from here.
	 */
	v = judge_to(&p, hook, hook == DROP_XDP_NATIVE || !p.ipv6);
	if (v == MARK)
		mark_xdp(&p, data, end);
	return v == DROP ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int drop_xdp(struct xdp_md *ctx)
{
	return at_xdp(ctx, DROP_XDP_NATIVE);
}

SEC("xdp.frags")
int drop_xdp_skb(struct xdp_md *ctx)
{
	return at_xdp(ctx, DROP_XDP_GENERIC);
}

/*
 * By helpers, as writing by a pointer has every packet's head made its own before the program runs.
 * Ref: net/core/filter.c bpf_unclone_prologue
 *
 * The sum of an IPv4 header stays what it was, and so does that of all in an skb.
 */
static __always_inline void mark_tc(struct __sk_buff *skb, const struct drop_packet *p)
{
	__u16 word = drop_ce_word(p);

	if (word == p->word)
		return;
	if (!p->ipv6)
		bpf_l3_csum_replace(skb, p->l3 + offsetof(struct iphdr, check), p->word, word, 2);
	bpf_skb_store_bytes(skb, p->l3, &word, sizeof(word), p->ipv6 ? BPF_F_RECOMPUTE_CSUM : 0);
}

/* Return: 0 when @p (zeroed) was filled, else -1. */
static __always_inline int read_skb(struct __sk_buff *skb, struct drop_packet *p)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	/* Headers may be in a fragment, and then are not to be seen from here. */
	if (data + DROP_HEADERS > end && (__u32)(end - data) < skb->len) {
		__u32 n = skb->len < DROP_HEADERS ? skb->len : DROP_HEADERS;

		if (bpf_skb_pull_data(skb, n) < 0)
			return -1;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
	}
	return drop_parse(p, data, end);
}

/* Passing is left to who comes next at this hook: TC_ACT_OK would be the last word. */
static __always_inline int finish_tc(struct __sk_buff *skb, const struct drop_packet *p,
	enum verdict v)
{
	if (v == MARK)
		mark_tc(skb, p);
	return v == DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

static __always_inline int at_tc(struct __sk_buff *skb, __u32 hook)
{
	struct drop_packet p = {};

	if (read_skb(skb, &p) < 0)
		return TC_ACT_UNSPEC;
	return finish_tc(skb, &p, judge_to(&p, hook, 1));
}

SEC("tc")
int drop_tc_in(struct __sk_buff *skb)
{
	return at_tc(skb, DROP_TC_INGRESS);
}

SEC("tc")
int drop_tc_inside(struct __sk_buff *skb)
{
	return at_tc(skb, DROP_TC_INSIDE);
}

/* A bridge hands a frame to a group to all its ports, so it is nobody's alone. */
static __always_inline int is_group(struct __sk_buff *skb)
{
	const __u8 *to = (void *)(long)skb->data;

	return (void *)(to + 1) > (void *)(long)skb->data_end || (*to & 1);
}

/* All else that leaves by such a device is its container's, whatever its address. */
SEC("tc")
int drop_tc_out(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	const __u32 *owner = bpf_map_lookup_elem(&devs, &ifindex);
	struct drop_packet p = {};

	if (!owner || *owner < SOFTIRQ_FIRST || is_group(skb) || read_skb(skb, &p) < 0)
		return TC_ACT_UNSPEC;
	return finish_tc(skb, &p, judge(&p, *owner, DROP_TC_EGRESS, 1));
}
