/*
 * The accounting of charge/softirq.h with the two ends of a path for owners. Its programs cost each
 * packet something, so this meter is armed only in trials that are for it.
 */
#include "meter/softirq.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "charge/softirq.h"
#include "meter/table.h"
#include "sys/ns.h"
#include "sys/rtpeer.h"

#include <errno.h>
#include <net/if.h>
#include <sys/stat.h>

#define OWNER_NEAR SOFTIRQ_FIRST
#define OWNER_FAR  (SOFTIRQ_FIRST + 1)

/*
 * A CPU that is not seen between two softirqs for so long is read all the same. A softirq takes
 * 2 ms at most, but a hypervisor may have taken the CPU away in one.
 */
#define READ_NS (50 * NSEC_PER_MSEC)

/* Outer halves of the ends' pairs: a path has a handful. */
#define MAX_DEVS 64

static const uint32_t owner_of[SOFTIRQ_OF_N] = {
	[SOFTIRQ_OF_NEAR] = OWNER_NEAR,
	[SOFTIRQ_OF_FAR] = OWNER_FAR,
	[SOFTIRQ_OF_HOST] = SOFTIRQ_HOST,
	[SOFTIRQ_OF_OVERHEAD] = SOFTIRQ_OVERHEAD,
};

struct softirq_state {
	struct softirq *soft;
	/* Who owns what was told of these, and what has to be taken back. */
	bool told;
	bool known[2];                   /* near, far */
	const struct softirq_ends *ends; /* only compared */
	uint32_t number;
	uint32_t netns[2]; /* 0: none */
	uint64_t cgroup[2];
	uint32_t n_devs;
	struct softirq_dev dev[MAX_DEVS];
	uint64_t begin_ns;
	struct softirq_reading begin;
};
static_assert(sizeof(struct softirq_state) <= METER_STATE_BYTES);
static_assert(sizeof(struct softirq_reading) <= METER_READING_BYTES);

#define SHARE(i, key, member, u, d)                                                                \
	{                                                                                          \
		.name = #key, .type = FIELD_T_U64,                                                 \
		.offset = offsetof(struct softirq_reading, of[i].member),                          \
		.size = sizeof(uint64_t), .unit = u, .doc = d                                      \
	}
#define SHARE_CPUS(i, key)                                                                         \
	{                                                                                          \
		.name = #key, .type = FIELD_T_U64S,                                                \
		.offset = offsetof(struct softirq_reading, of[i].cpu_ns),                          \
		.size = MEMBER_SIZE(struct softirq_reading, of[i].cpu_ns),                         \
		.count_offset = offsetof(struct softirq_reading, n_cpus), .unit = "ns",            \
		.doc = "its NET_RX and NET_TX time on each possible CPU"                           \
	}
#define OTHER_DOC "the same in HRTIMER and TASKLET softirqs, from their first packet sent"

static const struct field softirq_fields[] = {
	FIELD_U64(struct softirq_reading, span_ns, "ns", "length of the counted span"),
	FIELD_BOOL(struct softirq_reading, irq_time,
		"the kernel keeps softirqs out of processes' CPU time (IRQ_TIME_ACCOUNTING)"),
	FIELD_BOOL(struct softirq_reading, near_known,
		"near has a namespace or a tap on this machine; else what it had is in the host's"),
	FIELD_BOOL(struct softirq_reading, far_known,
		"the same of far; false also where it shares near's namespace and is in near's"),
	FIELD_BOOL(struct softirq_reading, context_known,
		"the ends' processes are told by their cgroups; else context_ns is 0"),
	FIELD_U64(struct softirq_reading, total_rx_ns, "ns",
		"time of all NET_RX softirqs on all CPUs: the sum of the owners' rx_ns"),
	FIELD_U64(struct softirq_reading, total_tx_ns, "ns", "the same of NET_TX"),
	SHARE(SOFTIRQ_OF_NEAR, near_rx_ns, rx_ns, "ns",
		"time in NET_RX for packets of near, its end of the way included"),
	SHARE(SOFTIRQ_OF_NEAR, near_tx_ns, tx_ns, "ns", "the same in NET_TX"),
	SHARE(SOFTIRQ_OF_NEAR, near_other_ns, other_ns, "ns", OTHER_DOC),
	SHARE(SOFTIRQ_OF_NEAR, near_thread_ns, thread_ns, "ns", "the same in NAPI threads"),
	SHARE(SOFTIRQ_OF_NEAR, near_rx_pkts, rx_pkts, "",
		"packets in at its devices; an aggregate is one"),
	SHARE(SOFTIRQ_OF_NEAR, near_tx_pkts, tx_pkts, "",
		"packets out at its devices; an aggregate is one"),
	SHARE(SOFTIRQ_OF_NEAR, near_context_ns, context_ns, "ns",
		"softirqs, whoever they were for, in the time of near's processes"),
	SHARE_CPUS(SOFTIRQ_OF_NEAR, near_cpu_ns),
	SHARE(SOFTIRQ_OF_FAR, far_rx_ns, rx_ns, "ns",
		"time in NET_RX for packets of far, the host's work on the way to it included"),
	SHARE(SOFTIRQ_OF_FAR, far_tx_ns, tx_ns, "ns", "the same in NET_TX"),
	SHARE(SOFTIRQ_OF_FAR, far_other_ns, other_ns, "ns", OTHER_DOC),
	SHARE(SOFTIRQ_OF_FAR, far_thread_ns, thread_ns, "ns", "the same in NAPI threads"),
	SHARE(SOFTIRQ_OF_FAR, far_rx_pkts, rx_pkts, "",
		"packets in at its devices; an aggregate is one"),
	SHARE(SOFTIRQ_OF_FAR, far_tx_pkts, tx_pkts, "",
		"packets out at its devices; an aggregate is one"),
	SHARE(SOFTIRQ_OF_FAR, far_context_ns, context_ns, "ns",
		"softirqs, whoever they were for, in the time of far's processes"),
	SHARE_CPUS(SOFTIRQ_OF_FAR, far_cpu_ns),
	SHARE(SOFTIRQ_OF_HOST, host_rx_ns, rx_ns, "ns",
		"time in NET_RX for packets of the host, and of what reached neither end"),
	SHARE(SOFTIRQ_OF_HOST, host_tx_ns, tx_ns, "ns", "the same in NET_TX"),
	SHARE(SOFTIRQ_OF_HOST, host_other_ns, other_ns, "ns", OTHER_DOC),
	SHARE(SOFTIRQ_OF_HOST, host_thread_ns, thread_ns, "ns", "the same in NAPI threads"),
	SHARE(SOFTIRQ_OF_HOST, host_rx_pkts, rx_pkts, "",
		"packets in at its devices; an aggregate is one"),
	SHARE(SOFTIRQ_OF_HOST, host_tx_pkts, tx_pkts, "",
		"packets out at its devices; an aggregate is one"),
	SHARE_CPUS(SOFTIRQ_OF_HOST, host_cpu_ns),
	SHARE(SOFTIRQ_OF_OVERHEAD, overhead_rx_ns, rx_ns, "ns",
		"time in NET_RX for packets of nobody, or several that can't be told apart"),
	SHARE(SOFTIRQ_OF_OVERHEAD, overhead_tx_ns, tx_ns, "ns", "the same in NET_TX"),
	SHARE(SOFTIRQ_OF_OVERHEAD, overhead_other_ns, other_ns, "ns", OTHER_DOC),
	SHARE(SOFTIRQ_OF_OVERHEAD, overhead_thread_ns, thread_ns, "ns", "the same in NAPI threads"),
	SHARE(SOFTIRQ_OF_OVERHEAD, overhead_rx_pkts, rx_pkts, "",
		"packets in at its devices; an aggregate is one"),
	SHARE(SOFTIRQ_OF_OVERHEAD, overhead_tx_pkts, tx_pkts, "",
		"packets out at its devices; an aggregate is one"),
	SHARE_CPUS(SOFTIRQ_OF_OVERHEAD, overhead_cpu_ns),
	FIELD_END,
};

/* 0: it has none here. */
static uint32_t netns_of(const struct softirq_end *end)
{
	struct stat st;
	uint32_t own = 0;

	if (end->netns_fd == SOFTIRQ_HERE)
		return ns_net_own(&own, NULL) == 0 ? own : 0;
	return end->netns_fd >= 0 && fstat(end->netns_fd, &st) == 0 ? (uint32_t)st.st_ino : 0;
}

/* A device that leads to an end: into its namespace, or, where it has none here, to its guest. */
static int tell_dev(struct softirq_state *s, const struct softirq_dev *dev, uint32_t owner,
	struct err *e)
{
	const bool guest = !s->netns[owner - OWNER_NEAR];
	int r;

	if (s->n_devs == MAX_DEVS)
		return 0;
	r = guest ? softirq_set_tap(s->soft, dev, owner, e)
		  : softirq_set_dev(s->soft, dev, owner, e);
	if (r == 0)
		s->dev[s->n_devs++] = *dev;
	return r;
}

static int tell_halves(struct softirq_state *s, struct rt *rt, const struct softirq_end *end,
	uint32_t here, uint32_t owner, struct err *e)
{
	_cleanup_(freep) struct rt_peer *peers = NULL;
	uint32_t n = 0;
	int32_t nsid;
	int r;

	if (!end->container || end->netns_fd < 0)
		return 0;
	r = rt_peers(rt, &peers, &n, e);
	if (r == 0) /* after: by the dump numbers are given. Ref: rtnl_fill_link_netnsid */
		r = rt_nsid(rt, end->netns_fd, &nsid, e);
	for (uint32_t i = 0; r == 0 && nsid >= 0 && i < n; i++)
		if (peers[i].nsid == nsid)
			r = tell_dev(s, &(struct softirq_dev){here, peers[i].ifindex}, owner, e);
	return r;
}

/* Devices in the calling thread's namespace, unless that is an end's and so told as a whole. */
static int tell_here(struct softirq_state *s, const struct softirq_ends *ends, struct err *e)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	uint32_t here = 0;
	int r = ns_net_own(&here, e);

	if (r < 0 || here == netns_of(&ends->near) || here == netns_of(&ends->far))
		return r;
	r = rt_open_here(&rt, e);
	if (r == 0)
		r = tell_halves(s, rt, &ends->near, here, OWNER_NEAR, e);
	return r < 0 ? r : tell_halves(s, rt, &ends->far, here, OWNER_FAR, e);
}

/* In the calling thread's namespace. */
static int tell_outer(struct softirq_state *s, const struct softirq_end *end, uint32_t owner,
	struct err *e)
{
	struct softirq_dev dev = {.ifindex = end->outer ? if_nametoindex(end->outer) : 0};
	int r = dev.ifindex ? ns_net_own(&dev.netns, e) : 0;

	if (r < 0 || !dev.ifindex)
		return r;
	s->known[owner - OWNER_NEAR] = true;
	return tell_dev(s, &dev, owner, e);
}

static int tell_hop(struct softirq_state *s, const struct softirq_ends *ends, uint32_t i,
	struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, ends->hop_fd[i], e);

	if (r == 0)
		r = tell_here(s, ends, e);
	if (r == 0 && i == 0)
		r = tell_outer(s, &ends->near, OWNER_NEAR, e);
	return r < 0 || i > 0 ? r : tell_outer(s, &ends->far, OWNER_FAR, e);
}

static int tell_end(struct softirq_state *s, const struct softirq_end *end, uint32_t owner,
	struct err *e)
{
	uint32_t netns = netns_of(end), i = owner - OWNER_NEAR;
	int r = netns ? softirq_set_netns(s->soft, netns, owner, e) : 0;

	s->netns[i] = netns;
	s->known[i] = netns != 0;
	if (r == 0 && end->cgroup_id)
		r = softirq_set_cgroup(s->soft, end->cgroup_id, owner, e);
	s->cgroup[i] = end->cgroup_id;
	return r;
}

/* An agent knows of no other end: all here is far's. What both share is near's, told last. */
static int tell_all(struct softirq_state *s, const struct softirq_ends *ends, struct err *e)
{
	static const struct softirq_end here = {.netns_fd = SOFTIRQ_HERE};
	int r = tell_end(s, ends ? &ends->far : &here, OWNER_FAR, e);

	if (r < 0 || !ends)
		return r;
	r = tell_end(s, &ends->near, OWNER_NEAR, e);
	if (s->netns[1] == s->netns[0])
		s->known[1] = false;
	for (uint32_t i = 0; r == 0 && i < ends->n_hops; i++)
		r = tell_hop(s, ends, i, e);
	return r < 0 ? r : tell_here(s, ends, e);
}

static void take_back(struct softirq_state *s)
{
	for (uint32_t i = 0; i < 2; i++) {
		softirq_unset_netns(s->soft, s->netns[i]);
		softirq_unset_cgroup(s->soft, s->cgroup[i]);
		s->netns[i] = 0;
		s->cgroup[i] = 0;
	}
	for (uint32_t i = 0; i < s->n_devs; i++)
		softirq_unset_dev(s->soft, &s->dev[i]);
	s->n_devs = 0;
}

/* Trials of several paths share the programs, which are dear to load. */
static int tell(struct softirq_state *s, const struct softirq_ends *ends, struct err *e)
{
	uint32_t number = ends ? ends->number : 0;
	int r;

	if (s->told && s->ends == ends && s->number == number)
		return 0;
	take_back(s);
	r = tell_all(s, ends, e);
	softirq_changed(s->soft);
	s->told = r == 0;
	s->ends = ends;
	s->number = number;
	return r;
}

static void add_account(struct softirq_share *x, uint32_t cpu, const struct softirq_account *a)
{
	x->rx_ns += a->rx_ns;
	x->tx_ns += a->tx_ns;
	x->other_ns += a->other_ns;
	x->thread_ns += a->thread_ns;
	x->rx_pkts += a->rx_pkts;
	x->tx_pkts += a->tx_pkts;
	x->context_ns += a->own_ns + a->gained_ns;
	x->cpu_ns[cpu] = a->rx_ns + a->tx_ns;
}

/* Between two softirqs of that CPU, so that its owners add up. */
static void read_cpu(const struct softirq *soft, uint32_t cpu, struct softirq_reading *x)
{
	struct softirq_account of[SOFTIRQ_OF_N];
	struct softirq_cpu all;
	uint64_t until_ns = clock_now_ns() + READ_NS;
	uint32_t seq;

	do {
		seq = softirq_seq(soft, cpu);
		for (uint32_t i = 0; i < SOFTIRQ_OF_N; i++)
			softirq_read(soft, cpu, owner_of[i], &of[i]);
		softirq_read_cpu(soft, cpu, &all);
	} while ((seq % 2 || seq != softirq_seq(soft, cpu)) && clock_now_ns() < until_ns);
	for (uint32_t i = 0; i < SOFTIRQ_OF_N; i++)
		add_account(&x->of[i], cpu, &of[i]);
	x->total_rx_ns += all.rx_ns;
	x->total_tx_ns += all.tx_ns;
}

static void sample(const struct softirq_state *s, struct softirq_reading *x)
{
	*x = (struct softirq_reading){.n_cpus = softirq_n_cpus(s->soft)};
	for (uint32_t cpu = 0; cpu < x->n_cpus; cpu++)
		read_cpu(s->soft, cpu, x);
}

static int softirq_meter_probe(struct err *e)
{
	int r = softirq_probe(e);

	return r == 0 ? 0 : METER_UNAVAILABLE;
}

static int softirq_meter_open(void *state, struct err *e)
{
	const struct softirq_cfg cfg = {.n_owners = OWNER_FAR + 1, .sockets = true};
	struct softirq_state *s = state;
	int r = softirq_open(&s->soft, &cfg, e);

	/* It was there when it was asked for. */
	if (r == SOFTIRQ_UNAVAILABLE)
		return -EOPNOTSUPP;
	if (r == 0 && softirq_n_cpus(s->soft) > CPUSTAT_MAX_CPUS)
		r = err_say(e, E2BIG, "more than %d CPUs", CPUSTAT_MAX_CPUS);
	return r;
}

static int softirq_meter_begin(void *state, const struct meter_scope *scope, struct err *e)
{
	struct softirq_state *s = state;
	int r = tell(s, scope ? scope->ends : NULL, e);

	if (r < 0)
		return r;
	sample(s, &s->begin);
	s->begin_ns = clock_now_ns();
	return 0;
}

static int softirq_meter_end(void *state, const struct meter_scope *scope, void *reading,
	struct err *e)
{
	struct softirq_state *s = state;
	struct softirq_reading *x = reading;

	(void)scope;
	(void)e;
	sample(s, x);
	for (const struct field *f = softirq_fields; f->name; f++) {
		const char *then = (const char *)&s->begin + f->offset;
		char *now = (char *)x + f->offset;

		if (f->type == FIELD_T_U64 || f->type == FIELD_T_U64S)
			meter_since((uint64_t *)now, (const uint64_t *)then,
				f->type == FIELD_T_U64 ? 1 : x->n_cpus);
	}
	x->span_ns = clock_now_ns() - s->begin_ns;
	x->irq_time = softirq_kernel(s->soft)->irq_time;
	x->near_known = s->known[0];
	x->far_known = s->known[1];
	x->context_known = s->cgroup[0] && s->cgroup[1];
	return 0;
}

static void softirq_meter_close(void *state)
{
	struct softirq_state *s = state;

	softirq_close(take_ptr(s->soft));
}

const struct meter_ops meter_softirq = {
	.name = "softirq",
	.summary =
		"for which end the network's softirqs worked, exact; armed on demand: it costs CPU",
	.fields = softirq_fields,
	.reading_bytes = sizeof(struct softirq_reading),
	.state_bytes = sizeof(struct softirq_state),
	.per_machine = true,
	.on_demand = true,
	.probe = softirq_meter_probe,
	.open = softirq_meter_open,
	.begin = softirq_meter_begin,
	.end = softirq_meter_end,
	.close = softirq_meter_close,
};
