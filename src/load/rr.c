/*
 * Request and response, as netperf's TCP_RR and UDP_RR. near asks.
 *
 * Closed loop, the default: each flow keeps --pipeline transactions in flight, one unless told
 * otherwise; the end of one is the beginning of the next, so with one the latencies of a flow add
 * up to its running time and the clock is read once per transaction.
 *
 * Open loop, with --rate: requests are due by a schedule (load/schedule.h) and are sent then,
 * whether or not earlier ones are answered. Latency counts from when a request was due, so what a
 * stalled server does to requests that should have been sent meanwhile shows. How late this end
 * itself sent is LOAD_HIST_SLIP. Ref: G. Tene, "How NOT to Measure Latency", 2015, on coordinated
 * omission.
 */
#include "base/clock.h"
#include "load/flow.h"
#include "load/openloop.h"
#include "load/table.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* How long UDP waits for an answer before the request counts as lost: closed loop, open loop. */
#define RR_UDP_TIMEOUT_NS      (200 * NSEC_PER_MSEC)
#define RR_UDP_OPEN_TIMEOUT_NS (1 * NSEC_PER_SEC)
/* UDP datagrams start with the request's number; 0 is the greeting that opened the flow. */
#define RR_SEQ_BYTES sizeof(uint64_t)
/* Largest UDP payload over IPv4. Ref: RFC 768: 65535 - 20 - 8. */
#define RR_UDP_MAX 65507
/* In flight per flow. */
#define RR_MAX_PIPELINE 1024
/* All flows' requests that may be in flight: a place is 24 bytes, 24 MiB then. */
#define RR_MAX_PLACES (1 << 20)
/* Responses of several requests in flight are read together, up to this much. */
#define RR_READ_BYTES (64 << 10)

/* A request in flight. */
struct rr_place {
	uint64_t seq;    /* 0: answered or lost */
	uint64_t due_ns; /* its latency counts from here */
	uint64_t sent_ns;
};

struct rr_flow {
	uint32_t out_bytes, in_bytes;
	uint32_t out_left; /* of the request or response that is being sent */
	uint32_t in_left;  /* of the one that is awaited */
	uint32_t depth;    /* most requests in flight */
	uint64_t seq;      /* asking: of the last request begun; answering: of the one at hand */
	uint64_t oldest;   /* first request that is neither answered nor lost; seq + 1: none */
	uint64_t now_ns;   /* as of the last look */
	uint64_t n_timed;  /* open loop: transactions that were due in the span, lost ones too */
	struct rr_place *place; /* [depth], request seq at seq % depth */
	struct schedule schedule;
};

/* 100 and 200 bytes: the request and response of IBM RC25482, s. III.B */
static const struct load_cfg rr_defaults = {
	.dir = LOAD_DIR_TX,
	.proto = LOAD_PROTO_EACH,
	.flows = 1,
	.req_bytes = 100,
	.rsp_bytes = 200,
	.under_dir = LOAD_DIR_TX,
};

static const struct opt rr_opts[] = {
	OPT_ENUM(struct load_cfg, proto, "proto", 0, load_proto_name,
		"transport; each: tcp, then udp"),
	OPT_U32(struct load_cfg, req_bytes, "req", 0, "<size>", "bytes of a request",
		.unit = NUM_BYTES, .min = 1, .max = 1 << 20),
	OPT_U32(struct load_cfg, rsp_bytes, "rsp", 0, "<size>", "bytes of a response",
		.unit = NUM_BYTES, .min = 1, .max = 1 << 20),
	OPT_U32(struct load_cfg, flows, "flows", 'F', "<n>", "connections", .min = 1,
		.max = LOAD_MAX_FLOWS),
	OPT_U32(struct load_cfg, threads, "threads", 'T', "<n>",
		"threads per end; 0: one per flow, up to the CPUs", .min = 1,
		.max = LOAD_MAX_THREADS, .zero_ok = true),
	OPT_U64(struct load_cfg, rate_tps, "rate", 'b', "<n>",
		"open loop: transactions per second of all flows together, sent when they are due "
		"and timed from then; 0: the next when one ends",
		.min = 1, .max = 10000000, .zero_ok = true),
	OPT_U32(struct load_cfg, pipeline, "pipeline", 0, "<n>",
		"most transactions in flight per flow; 0: 1, or 1024 with --rate", .min = 1,
		.max = RR_MAX_PIPELINE, .zero_ok = true),
	OPT_ENUM(struct load_cfg, under, "under", 0, load_under_name,
		"stream: twice, idle and beside bulk TCP, with the difference; idle: the first of "
		"the two alone"),
	OPT_ENUM(struct load_cfg, under_dir, "under-dir", 0, load_dir_name,
		"which way that bulk TCP goes; tx: from near"),
	OPT_END,
};

static uint32_t depth_of(const struct load_cfg *cfg)
{
	if (cfg->pipeline)
		return cfg->pipeline;
	return cfg->rate_tps ? RR_MAX_PIPELINE : 1;
}

static int rr_check(const struct load_cfg *cfg, struct err *e)
{
	uint32_t small = MIN(cfg->req_bytes, cfg->rsp_bytes);
	uint32_t large = MAX(cfg->req_bytes, cfg->rsp_bytes);

	if (cfg->threads > cfg->flows)
		return err_say(e, EINVAL, "--threads %u is more than --flows %u", cfg->threads,
			cfg->flows);
	if (cfg->proto != LOAD_PROTO_TCP && (small < RR_SEQ_BYTES || large > RR_UDP_MAX))
		return err_say(e, EINVAL, "UDP needs --req and --rsp between %zu and %d bytes",
			RR_SEQ_BYTES, RR_UDP_MAX);
	if (cfg->proto == LOAD_PROTO_EACH)
		return err_say(e, EINVAL, "--proto each is two loads, not one");
	if (cfg->under_dir == LOAD_DIR_EACH)
		return err_say(e, EINVAL, "--under-dir each is two loads, not one");
	return 0;
}

static bool rr_drives(const struct load_cfg *cfg, bool near)
{
	(void)cfg;
	return near;
}

/* One at a time is asked and awaited in turn; more, or by the clock, need both at once. */
static bool rr_blocks(const struct load_cfg *cfg)
{
	return depth_of(cfg) == 1 && !cfg->rate_tps;
}

static void rr_init(struct flow *f)
{
	const struct load_cfg *cfg = f->cfg;
	struct rr_flow *t = f->state;

	t->out_bytes = f->active ? cfg->req_bytes : cfg->rsp_bytes;
	t->in_bytes = f->active ? cfg->rsp_bytes : cfg->req_bytes;
	t->in_left = t->in_bytes;
	t->oldest = 1;
	f->buf_bytes = MAX(t->out_bytes, t->in_bytes);
	if (!f->active)
		return;
	t->depth = depth_of(cfg);
	if (t->depth > 1)
		f->buf_bytes = MAX(f->buf_bytes, (size_t)RR_READ_BYTES);
	f->ring_bytes = t->depth * sizeof(*t->place);
}

static int send_some(struct flow *f, struct rr_flow *t, int flags)
{
	ssize_t n;

	if (f->udp)
		memcpy(f->buf, &t->seq, RR_SEQ_BYTES);
	n = send(f->fd, f->buf, t->out_left, flags | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? FLOW_WANT_OUT : -errno;
	t->out_left -= (uint32_t)n;
	flow_add(&f->count.bytes_tx, (uint64_t)n);
	return 0;
}

static ssize_t receive(struct flow *f, size_t max, int flags)
{
	ssize_t n = recv(f->fd, f->buf, max, flags);

	if (n == 0 && !f->udp)
		return -EPIPE;
	return n < 0 ? -errno : n;
}

static struct rr_place *place_of(const struct rr_flow *t, uint64_t seq)
{
	return &t->place[seq % t->depth];
}

static void start(struct flow *f, struct rr_flow *t)
{
	t->place = f->ring;
	t->now_ns = clock_now_ns();
	if (openloop_wanted(f))
		openloop_start(f, &t->schedule);
}

/* Begins the next request, if there is room for it and it is due. */
static bool begin_request(struct flow *f, struct rr_flow *t)
{
	uint64_t due_ns = t->now_ns;
	struct rr_place *p;

	if (t->seq + 1 - t->oldest >= t->depth)
		return false;
	if (openloop_wanted(f)) {
		due_ns = t->schedule.due_ns;
		if (t->now_ns < due_ns)
			t->now_ns = clock_now_ns();
		if (t->now_ns < due_ns)
			return false;
		schedule_advance(&t->schedule);
	}
	p = place_of(t, ++t->seq);
	*p = (struct rr_place){.seq = t->seq, .due_ns = due_ns};
	t->out_left = t->out_bytes;
	return true;
}

/* The request at @p began to leave at @sent_ns. */
static void note_sent(struct flow *f, struct rr_flow *t, struct rr_place *p, uint64_t sent_ns)
{
	p->sent_ns = sent_ns;
	if (openloop_wanted(f))
		openloop_sent(f, &t->schedule, p->due_ns, sent_ns);
}

/* Return: 0 when all that is due has been sent, FLOW_WANT_OUT, or negative errno. */
static int send_due(struct flow *f, struct rr_flow *t, int flags)
{
	while (t->out_left || begin_request(f, t)) {
		struct rr_place *p = place_of(t, t->seq);
		/* Before the call, in which the kernel may do all the way to the other end. */
		uint64_t now_ns = openloop_wanted(f) ? clock_now_ns() : t->now_ns;
		int r = send_some(f, t, flags);

		if (r != 0)
			return r;
		if (!p->sent_ns)
			note_sent(f, t, p, now_ns);
	}
	return 0;
}

/* Frees the place of a request, and those of all before it that are settled. */
static void settle(struct rr_flow *t, struct rr_place *p)
{
	p->seq = 0;
	while (t->oldest <= t->seq && place_of(t, t->oldest)->seq != t->oldest)
		t->oldest++;
}

static void complete(struct flow *f, struct rr_flow *t, struct rr_place *p)
{
	bool counts = p->due_ns >= f->span->begin_ns && t->now_ns < f->span->end_ns;

	if (openloop_wanted(f)) {
		counts = schedule_counts(&t->schedule, p->due_ns);
		t->n_timed += counts;
	}
	if (counts)
		hist_add(f->hist[LOAD_HIST_LATENCY], t->now_ns - p->due_ns);
	flow_add(&f->count.transactions, 1);
	settle(t, p);
}

/* TCP answers in order. @n: bytes that came in. Return: 0, or -EPROTO for more than was asked. */
static int take_bytes(struct flow *f, struct rr_flow *t, size_t n)
{
	while (n >= t->in_left && t->oldest <= t->seq) {
		n -= t->in_left;
		t->in_left = t->in_bytes;
		complete(f, t, place_of(t, t->oldest));
	}
	if (n >= t->in_left)
		return -EPROTO;
	t->in_left -= (uint32_t)n;
	return 0;
}

/* A datagram that answers nothing in flight is late or a stranger's, and passed over. */
static void take_datagram(struct flow *f, struct rr_flow *t, size_t n)
{
	struct rr_place *p;
	uint64_t seq;

	if (n != t->in_bytes)
		return;
	memcpy(&seq, f->buf, RR_SEQ_BYTES);
	p = place_of(t, seq);
	if (seq == 0 || p->seq != seq)
		return;
	flow_add(&f->count.bytes_rx, n);
	complete(f, t, p);
}

static int receive_answers(struct flow *f, struct rr_flow *t, int flags)
{
	ssize_t n = receive(f, t->depth > 1 ? f->buf_bytes : t->in_left, flags);

	if (n < 0)
		return n == -EAGAIN ? FLOW_WANT_IN : (int)n;
	t->now_ns = clock_now_ns();
	if (f->udp) {
		take_datagram(f, t, (size_t)n);
		return 0;
	}
	flow_add(&f->count.bytes_rx, (uint64_t)n);
	return take_bytes(f, t, (size_t)n);
}

static uint64_t timeout_ns(const struct flow *f)
{
	return openloop_wanted(f) ? RR_UDP_OPEN_TIMEOUT_NS : RR_UDP_TIMEOUT_NS;
}

/* UDP requests whose answer is late are lost, and make room. */
static void drop_lost(struct flow *f, struct rr_flow *t)
{
	while (t->oldest <= t->seq) {
		struct rr_place *p = place_of(t, t->oldest);

		if (!p->sent_ns || t->now_ns < p->sent_ns + timeout_ns(f))
			return;
		flow_add(&f->count.lost, 1);
		if (openloop_wanted(f))
			t->n_timed += schedule_counts(&t->schedule, p->due_ns);
		settle(t, p);
	}
}

/* When to look again though nothing came in: the next request, or the loss of one. */
static void set_wake(struct flow *f, struct rr_flow *t)
{
	bool room = t->seq + 1 - t->oldest < t->depth;

	f->wake_ns = openloop_wanted(f) && room ? t->schedule.due_ns : 0;
	if (f->udp && t->oldest <= t->seq) {
		uint64_t lost_ns = place_of(t, t->oldest)->sent_ns + timeout_ns(f);

		f->wake_ns = f->wake_ns ? MIN(f->wake_ns, lost_ns) : lost_ns;
	}
}

static int ask(struct flow *f, struct rr_flow *t, int flags)
{
	if (!t->place)
		start(f, t);
	if (f->udp) {
		t->now_ns = clock_now_ns();
		drop_lost(f, t);
	}
	while (!flow_stopped(f)) {
		int out = send_due(f, t, flags), in;

		if (out < 0)
			return out;
		/* Alone in flight, a request that has not left can't be answered. */
		in = out && t->depth == 1 ? FLOW_WANT_IN : receive_answers(f, t, flags);
		if (in < 0)
			return in;
		if (in == 0)
			continue;
		set_wake(f, t);
		if (out == FLOW_WANT_OUT)
			return t->depth == 1 ? FLOW_WANT_OUT : FLOW_WANT_IN_OUT;
		return FLOW_WANT_IN;
	}
	return FLOW_DONE;
}

/* Is the datagram of @n bytes in f->buf a request? Its number goes back with the response. */
static bool is_request(const struct flow *f, struct rr_flow *t, size_t n)
{
	if (n != t->in_bytes)
		return false;
	memcpy(&t->seq, f->buf, RR_SEQ_BYTES);
	return t->seq != 0;
}

static int receive_request(struct flow *f, struct rr_flow *t, int flags)
{
	ssize_t n = receive(f, f->udp ? f->buf_bytes : t->in_left, flags);

	if (n < 0)
		return n == -EAGAIN ? FLOW_WANT_IN : (int)n;
	if (f->udp && !is_request(f, t, (size_t)n))
		return 0;
	flow_add(&f->count.bytes_rx, (uint64_t)n);
	t->in_left -= (uint32_t)n;
	if (t->in_left)
		return 0;
	flow_add(&f->count.transactions, 1);
	t->in_left = t->in_bytes;
	t->out_left = t->out_bytes;
	return 0;
}

static int answer(struct flow *f, struct rr_flow *t, int flags)
{
	while (!flow_stopped(f)) {
		int r = t->out_left ? send_some(f, t, flags) : receive_request(f, t, flags);

		if (r != 0)
			return r;
	}
	return FLOW_DONE;
}

static int rr_step(struct flow *f, int flags)
{
	return f->active ? ask(f, f->state, flags) : answer(f, f->state, flags);
}

/* Requests that were due in the span but never sent, or never answered. */
static void rr_end(struct flow *f)
{
	struct rr_flow *t = f->state;

	if (f->active && openloop_wanted(f) && t->place)
		openloop_end(f, &t->schedule, t->n_timed);
}

const struct load_ops load_rr = {
	.name = "rr",
	.summary = "request and response, TCP or UDP: latency and its CPU cost",
	.kind = LOAD_KIND_TRANSACTIONS,
	.opts = rr_opts,
	.defaults = &rr_defaults,
	.each = "proto",
	.check = rr_check,
	.drives = rr_drives,
	.state_bytes = sizeof(struct rr_flow),
	.hists = 1U << LOAD_HIST_LATENCY | 1U << LOAD_HIST_SLIP,
	.flow_init = rr_init,
	.flow_step = rr_step,
	.flow_end = rr_end,
	.blocks = rr_blocks,
};
