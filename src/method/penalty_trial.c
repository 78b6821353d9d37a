/* What trials need, and one trial: who runs, what is read at the span's begin and end. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "method/penalty_priv.h"
#include "sys/cpuquota.h"
#include "sys/cpuused.h"
#include "sys/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Of all containers: quotas shall decide, not weights. Ref: cgroups(7), cgroup-v2.rst cpu.weight */
#define SHARES_V1 "1024"
#define WEIGHT_V2 "100"
/* How long datagrams to the bystander may be under way after the span. */
#define DRAIN_NS (300 * NSEC_PER_MSEC)

/* ---- stage */

static int write_in(const char *dir, const char *file, const char *text, struct err *e)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return file_write(path, text, e);
}

static int quota_set(const char *dir, uint32_t pct, uint64_t period_ns, struct err *e)
{
	const uint64_t period_us = period_ns / NSEC_PER_USEC;
	const struct cpuquota q = {.quota_us = (int64_t)(period_us * pct / 100),
		.period_us = period_us};

	return cpuquota_write(dir, &q, e);
}

static int cgroups_make(struct stage *s, struct err *e)
{
	for (uint32_t i = 0; i < TENANT_N; i++) {
		struct cgroup *cg = &s->cgroup[i];
		const char *v1, *v2;
		char name[32];
		int r;

		snprintf(name, sizeof(name), "penalty-%s", tenant_name[i]);
		r = cgroup_make(cg, name, s->janitor, e);
		if (r != 0)
			return r < 0 ? r : -EOPNOTSUPP;
		v1 = cgroup_with(cg, "cpu.cfs_quota_us");
		v2 = cgroup_with(cg, "cpu.max");
		s->quota_dir[i] = v1 ? v1 : v2;
		s->usage_dir[i] = v1 ? cgroup_with(cg, "cpuacct.usage") : NULL;
		if (!s->quota_dir[i])
			return err_say(e, EOPNOTSUPP,
				"no CPU quota can be set: the cpu controller is not there for "
				"tare's own cgroup");
		r = v1 ? write_in(v1, "cpu.shares", SHARES_V1, e)
		       : write_in(v2, "cpu.weight", WEIGHT_V2, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int nets_make(struct stage *s, struct err *e)
{
	const struct penalty *p = s->penalty;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < p->n_kinds; i++) {
		const struct tenants_args args = {.mtu = p->cfg.mtu,
			.cpu = p->cpu,
			.peer_cpu = p->peer_cpu,
			.tso = p->cfg.tso,
			.live = penalty_kind_ops[p->kind[i]].live,
			.polls = penalty_moderates(p)};

		r = tenants_open(&s->net[p->kind[i]], &args, e);
	}
	return r;
}

void stage_close(struct stage *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < PENALTY_KIND_N; i++)
		tenants_close(s->net[i]);
	janitor_finishp(&s->janitor);
	free(s);
}

int stage_open(struct stage **ret, const struct penalty *p, struct err *e)
{
	_cleanup_(stage_closep) struct stage *s = xcalloc(1, sizeof(*s));
	int r = janitor_start(&s->janitor, e);

	s->penalty = p;
	s->ksoftirqd = cpuused_ksoftirqd(p->cpu);
	if (r == 0)
		r = cgroups_make(s, e);
	if (r == 0)
		r = nets_make(s, e);
	if (r == 0)
		*ret = take_ptr(s);
	return r;
}

/* ---- one trial */

struct trial {
	struct stage *stage;
	struct penalty_trial *out;
	const struct tenants *net;
	const struct kind_ops *ops;
	bool bystander;
	struct crew crew;
	struct kind_sockets sockets;
	int bystander_rx, bystander_tx;
};

/* What is read at both ends of the span, of the containers' CPU. */
struct reading {
	uint64_t at_ns, used_ns, ksoftirqd_ns;
	bool exact;
	uint64_t task_ns[TENANT_N];              /* processes of containers */
	uint64_t sent, received, received_bytes; /* that loops of our own counted */
	struct rt_stats device;
};

static int read_all(const struct trial *t, struct reading *ret, struct err *e)
{
	static const enum crew_role of[] = {CREW_VICTIM, CREW_NEIGHBOUR, CREW_BYSTANDER};
	const struct crew_said *said = t->crew.shared->said;
	const struct tenants_end *end = &t->net->tenant[TENANT_NEIGHBOUR];
	int r;

	static_assert(ARRAY_SIZE(of) == TENANT_N);
	*ret = (struct reading){.at_ns = clock_now_ns(),
		.ksoftirqd_ns = cpuused_of_ns(t->stage->ksoftirqd),
		.sent = atomic_load(&said[CREW_PEER].packets),
		.received = atomic_load(&said[CREW_NEIGHBOUR].packets),
		.received_bytes = atomic_load(&said[CREW_NEIGHBOUR].bytes)};
	for (uint32_t i = 0; i < TENANT_N; i++)
		ret->task_ns[i] = cpuused_of_ns(t->crew.pid[of[i]]);
	r = cpuused_ns(t->stage->penalty->cpu, &ret->used_ns, &ret->exact, e);
	return r < 0 ? r : rt_stats(end->rt, end->dev, &ret->device, e);
}

static int start(struct trial *t, enum crew_role role, crew_fn *fn, int tenant, const int *fd,
	uint32_t n_fds, struct err *e)
{
	const struct penalty *p = t->stage->penalty;
	const struct crew_task task = {.penalty = p,
		.net = t->net,
		.kind = t->out->kind,
		.cpu = tenant >= 0 ? p->cpu : p->peer_cpu,
		.cgroup = tenant >= 0 ? &t->stage->cgroup[tenant] : NULL,
		.fd = fd,
		.n_fds = n_fds};

	return crew_start(&t->crew, role, fn, &task, e);
}

static int bystander_start(struct trial *t, struct err *e)
{
	int r = task_bystander_sockets(t->net, &t->bystander_rx, &t->bystander_tx, e);

	if (r == 0)
		r = start(t, CREW_BYSTANDER, task_sink, TENANT_BYSTANDER, &t->bystander_rx, 1, e);
	return r < 0 ? r
		     : start(t, CREW_BYSTANDER_PEER, task_bystander_peer, -1, &t->bystander_tx, 1,
			       e);
}

/*
 * A guard finds it when it starts, so it is found for each trial: on a machine that others share it
 * changes within minutes. Where it can't be had now, it is what it was.
 */
static uint64_t irq_ns_now(const struct penalty *p)
{
	struct irq_cost irq;

	return p->irq.n && irq_cost_measure(&irq, p->cpu, p->peer_cpu, NULL) == 0 ? irq.ns
										  : p->irq.ns;
}

static int guard_start(struct trial *t, struct err *e)
{
	const struct penalty *p = t->stage->penalty;
	const struct penalty_shares *shares = &p->shares[t->out->shares];
	struct penalty_guard_args args = {.policy = t->out->guard,
		.bucket_ns = p->cfg.bucket_ns,
		.irq_ns = t->out->irq_ns,
		.moderate_ns = p->cfg.moderate_ns,
		.host_fd = t->net->host_fd,
		.wire = "wire",
		.n = shares->n};
	struct crew_task task = {.penalty = p, .net = t->net, .cpu = p->peer_cpu, .guard = &args};

	for (uint32_t i = 0; i < shares->n; i++) {
		args.container[i].name = tenant_name[i];
		args.container[i].cgroup_dir = t->stage->quota_dir[i];
		args.container[i].usage_dir = t->stage->usage_dir[i];
		args.container[i].netns_fd = t->net->tenant[i].netns_fd;
	}
	return crew_start(&t->crew, CREW_GUARD, task_guard, &task, e);
}

static int prepare(struct trial *t, struct err *e)
{
	const struct penalty *p = t->stage->penalty;
	const struct penalty_shares *shares = &p->shares[t->out->shares];
	struct kind_sockets *s = &t->sockets;
	int r = 0;

	if (t->out->guard != PENALTY_GUARD_OFF)
		t->out->irq_ns = irq_ns_now(p); /* while nobody else has the CPU */
	for (uint32_t i = 0; r == 0 && i < shares->n; i++)
		r = quota_set(t->stage->quota_dir[i], shares->pct[i], p->cfg.period_ns, e);
	if (r == 0)
		r = crew_open(&t->crew, e);
	if (r == 0)
		r = t->ops->open(s, p, t->out->kind, t->net, e);
	if (r == 0)
		r = start(t, CREW_VICTIM, task_victim, TENANT_VICTIM, NULL, 0, e);
	if (r == 0)
		r = start(t, CREW_NEIGHBOUR, t->ops->neighbour, TENANT_NEIGHBOUR, s->neighbour,
			s->n_neighbour, e);
	if (r == 0 && t->ops->peer)
		r = start(t, CREW_PEER, t->ops->peer, -1, s->peer, s->n_peer, e);
	if (r == 0 && t->bystander)
		r = bystander_start(t, e);
	return r == 0 && t->out->guard != PENALTY_GUARD_OFF ? guard_start(t, e) : r;
}

/* Datagrams to the bystander that are still under way. */
static int drain(const struct trial *t, int cancel_fd)
{
	const struct crew_said *said = t->crew.shared->said;
	const uint64_t deadline_ns = clock_now_ns() + DRAIN_NS;

	while (t->bystander && clock_now_ns() < deadline_ns &&
		atomic_load(&said[CREW_BYSTANDER].packets) <
			atomic_load(&said[CREW_BYSTANDER_PEER].packets))
		if (crew_wait_until(clock_now_ns() + NSEC_PER_MSEC, cancel_fd) < 0)
			return -ECANCELED;
	return 0;
}

static int run(struct trial *t, struct reading *a, struct reading *b, int cancel_fd, struct err *e)
{
	const struct penalty_cfg *cfg = &t->stage->penalty->cfg;
	struct crew_shared *shared = t->crew.shared;
	uint64_t begin_ns;
	int r = crew_wait_ready(&t->crew, cancel_fd, e);

	if (r < 0)
		return r;
	begin_ns = clock_now_ns() + cfg->warmup_ns +
		   (t->out->guard == PENALTY_GUARD_OFF ? 0 : cfg->settle_ns);
	atomic_store(&shared->end_ns, begin_ns + cfg->time_ns);
	atomic_store(&shared->begin_ns, begin_ns);
	r = crew_wait_until(begin_ns, cancel_fd);
	if (r == 0)
		r = read_all(t, a, e);
	if (r == 0)
		r = crew_wait_until(begin_ns + cfg->time_ns, cancel_fd);
	if (r == 0)
		r = read_all(t, b, e);
	if (r == 0)
		r = crew_check(&t->crew, e);
	if (r == 0)
		r = drain(t, cancel_fd);
	if (r == -ECANCELED)
		return err_say(e, ECANCELED, "interrupted");
	return r < 0 ? r : crew_stop(&t->crew, e);
}

static double share(uint64_t from, uint64_t to, double span_ns)
{
	return to > from ? (double)(to - from) / span_ns : 0;
}

static void fill_cpu(const struct trial *t, const struct reading *a, const struct reading *b)
{
	struct penalty_trial *out = t->out;
	const double ns = (double)(b->at_ns - a->at_ns);
	double task[TENANT_N], own = 0;

	for (uint32_t i = 0; i < TENANT_N; i++) {
		task[i] = share(a->task_ns[i], b->task_ns[i], ns);
		own += task[i];
	}
	out->victim_cpu_share = task[TENANT_VICTIM];
	out->neighbour_cpu_share = task[TENANT_NEIGHBOUR];
	out->bystander_cpu_share = t->bystander ? task[TENANT_BYSTANDER] : NAN;
	if (!t->stage->ksoftirqd)
		return; /* where the kernel's threads do not show, what is foreign can't be told */
	out->ksoftirqd_share = share(a->ksoftirqd_ns, b->ksoftirqd_ns, ns);
	out->foreign_share =
		fmax(0, share(a->used_ns, b->used_ns, ns) - own - out->ksoftirqd_share);
}

static void fill_guard(const struct trial *t)
{
	const struct crew_said *said = &t->crew.shared->said[CREW_GUARD];
	const struct penalty_guard_count *a = &said->begin, *b = &said->end;
	struct penalty_trial *out = t->out;

	if (out->guard == PENALTY_GUARD_OFF || b->at_ns <= a->at_ns)
		return;
	out->neighbour_used_share = share(a->used_ns[TENANT_NEIGHBOUR],
		b->used_ns[TENANT_NEIGHBOUR], (double)(b->at_ns - a->at_ns));
	out->victim_gained_share = share(a->gained_ns[TENANT_VICTIM], b->gained_ns[TENANT_VICTIM],
		(double)(b->at_ns - a->at_ns));
	out->victim_irqs = b->irqs_gained[TENANT_VICTIM] - a->irqs_gained[TENANT_VICTIM];
	out->neighbour_dropped =
		b->dropped_pkts[TENANT_NEIGHBOUR] - a->dropped_pkts[TENANT_NEIGHBOUR];
	out->bystander_dropped =
		b->dropped_pkts[TENANT_BYSTANDER] - a->dropped_pkts[TENANT_BYSTANDER];
}

/* Of the end that sends and the one that receives; the sender of live frames says packets only. */
static void fill_traffic(const struct trial *t, const struct reading *a, const struct reading *b)
{
	const struct crew_said *said = t->crew.shared->said;
	const struct crew_said *tx = &said[t->ops->sends ? CREW_NEIGHBOUR : CREW_PEER];
	const struct crew_said *rx = &said[t->ops->sends ? CREW_PEER : CREW_NEIGHBOUR];
	const double s = (double)(b->at_ns - a->at_ns) / 1e9;
	struct penalty_trial *out = t->out;

	out->device_pps = (double)(b->device.rx_packets - a->device.rx_packets +
				   b->device.tx_packets - a->device.tx_packets) /
			  s;
	if (!t->ops->peer)
		return;
	if (t->ops->sink) {
		out->sent_pps = t->ops->live ? tx->pps : (double)(b->sent - a->sent) / s;
		out->received_pps = (double)(b->received - a->received) / s;
		out->received_bps = (double)(b->received_bytes - a->received_bytes) * 8 / s;
	} else {
		out->sent_pps = tx->pps;
		out->received_pps = rx->pps;
		out->received_bps = rx->bps;
	}
}

static int fill(const struct trial *t, const struct reading *a, const struct reading *b,
	struct err *e)
{
	const struct crew_said *said = t->crew.shared->said, *v = &said[CREW_VICTIM];
	struct penalty_trial *out = t->out;

	out->span_ns = t->stage->penalty->cfg.time_ns;
	out->victim_ns = v->gaps.own_ns;
	out->victim_share = (double)out->victim_ns / (double)out->span_ns;
	out->step_ns = v->step_ns;
	out->least_gap_ns = v->gaps.least_ns;
	out->n_gaps = v->gaps.n_gaps;
	out->longest_gap_ns = v->gaps.longest_ns;
	fill_cpu(t, a, b);
	fill_traffic(t, a, b);
	fill_guard(t);
	if (t->bystander) {
		out->bystander_sent = atomic_load(&said[CREW_BYSTANDER_PEER].packets);
		out->bystander_received = atomic_load(&said[CREW_BYSTANDER].packets);
		if (out->bystander_sent)
			out->bystander_delivery =
				(double)out->bystander_received / (double)out->bystander_sent;
	}
	/* No ratio can be made of it. */
	return out->victim_ns ? 0 : err_say(e, ENODATA, "the victim got no time at all");
}

static void trial_clear(struct trial *t)
{
	crew_close(&t->crew);
	kind_sockets_close(&t->sockets);
	closep(&t->bystander_rx);
	closep(&t->bystander_tx);
}

static void forget(struct penalty_trial *out)
{
	double *const none[] = {&out->victim_share, &out->victim_cpu_share,
		&out->neighbour_cpu_share, &out->bystander_cpu_share, &out->ksoftirqd_share,
		&out->foreign_share, &out->sent_pps, &out->received_pps, &out->received_bps,
		&out->device_pps, &out->bystander_delivery, &out->neighbour_used_share,
		&out->victim_gained_share};

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		*none[i] = NAN;
}

int stage_trial(struct stage *s, struct penalty_trial *out, bool *ret_exact, int cancel_fd,
	struct err *e)
{
	/* A neighbour that computes needs no network of its own. */
	const struct tenants *net =
		s->net[out->kind] ? s->net[out->kind] : s->net[s->penalty->kind[0]];
	struct trial t = {.stage = s,
		.out = out,
		.net = net,
		.ops = &penalty_kind_ops[out->kind],
		.bystander = s->penalty->shares[out->shares].n > TENANT_BYSTANDER,
		.bystander_rx = -1,
		.bystander_tx = -1};
	struct reading a, b;
	int r;

	forget(out);
	r = prepare(&t, e);
	if (r == 0)
		r = run(&t, &a, &b, cancel_fd, e);
	if (r == 0) {
		*ret_exact = b.exact;
		r = fill(&t, &a, &b, e);
	}
	trial_clear(&t);
	return r;
}
