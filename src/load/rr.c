/*
 * Request and response, one transaction in flight per flow, as netperf's TCP_RR and UDP_RR. near
 * asks. The clock is read once per transaction: the end of one is the beginning of the next, so
 * the latencies of a flow add up to its running time.
 */
#include "base/clock.h"
#include "load/flow.h"
#include "load/table.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* How long UDP waits for an answer before the request counts as lost. */
#define RR_UDP_TIMEOUT_NS (200 * NSEC_PER_MSEC)
/* UDP datagrams start with the request's number; 0 is the greeting that opened the flow. */
#define RR_SEQ_BYTES sizeof(uint64_t)
/* Largest UDP payload over IPv4. Ref: RFC 768: 65535 - 20 - 8. */
#define RR_UDP_MAX 65507

/* Bytes still to be sent and received before the current half of a transaction is over. */
struct rr_flow {
	uint32_t out_bytes, in_bytes;
	uint32_t out_left, in_left;
	uint64_t seq;      /* of the request in flight; UDP carries it in the first 8 bytes */
	uint64_t asked_ns; /* when it was sent */
};

/* 100 and 200 bytes: the request and response of IBM RC25482, s. III.B */
static const struct load_cfg rr_defaults = {
	.dir = LOAD_DIR_TX,
	.proto = LOAD_PROTO_EACH,
	.flows = 1,
	.req_bytes = 100,
	.rsp_bytes = 200,
};

static const struct opt rr_opts[] = {
	OPT_ENUM(struct load_cfg, proto, "proto", 0, load_proto_name,
		"transport; each: tcp, then udp"),
	OPT_U32(struct load_cfg, req_bytes, "req", 0, "<size>", "bytes of a request",
		.unit = NUM_BYTES, .min = 1, .max = 1 << 20),
	OPT_U32(struct load_cfg, rsp_bytes, "rsp", 0, "<size>", "bytes of a response",
		.unit = NUM_BYTES, .min = 1, .max = 1 << 20),
	OPT_U32(struct load_cfg, flows, "flows", 'F', "<n>",
		"connections, each with one transaction in flight", .min = 1,
		.max = LOAD_MAX_FLOWS),
	OPT_U32(struct load_cfg, threads, "threads", 'T', "<n>",
		"threads per end; 0: one per flow, up to the CPUs", .min = 1,
		.max = LOAD_MAX_THREADS, .zero_ok = true),
	OPT_END,
};

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
	return 0;
}

static bool rr_drives(const struct load_cfg *cfg, bool near)
{
	(void)cfg;
	return near;
}

static void rr_init(struct flow *f)
{
	const struct load_cfg *cfg = f->cfg;
	struct rr_flow *t = f->state;

	t->out_bytes = f->active ? cfg->req_bytes : cfg->rsp_bytes;
	t->in_bytes = f->active ? cfg->rsp_bytes : cfg->req_bytes;
	t->out_left = f->active ? t->out_bytes : 0;
	t->in_left = t->in_bytes;
	t->seq = 1;
	f->buf_bytes = MAX(t->out_bytes, t->in_bytes);
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

/* Is the datagram of @n bytes in f->buf the one this flow waits for? */
static bool expected(const struct flow *f, struct rr_flow *t, ssize_t n)
{
	uint64_t seq;

	if (n != (ssize_t)t->in_bytes)
		return false;
	memcpy(&seq, f->buf, RR_SEQ_BYTES);
	if (f->active)
		return seq == t->seq;
	t->seq = seq; /* the response carries the request's number back */
	return seq != 0;
}

static int receive_some(struct flow *f, struct rr_flow *t, int flags)
{
	ssize_t n = recv(f->fd, f->buf, f->udp ? f->buf_bytes : t->in_left, flags);

	if (n < 0)
		return errno == EAGAIN ? FLOW_WANT_IN : -errno;
	if (n == 0)
		return -EPIPE;
	if (f->udp && !expected(f, t, n))
		return 0;
	t->in_left -= (uint32_t)n;
	flow_add(&f->count.bytes_rx, (uint64_t)n);
	return 0;
}

/* The next request begins now. */
static void begin(struct flow *f, struct rr_flow *t, uint64_t now_ns)
{
	t->in_left = t->in_bytes;
	t->out_left = t->out_bytes;
	t->asked_ns = now_ns;
	t->seq++;
	if (f->udp)
		f->wake_ns = now_ns + RR_UDP_TIMEOUT_NS;
}

static void complete(struct flow *f, struct rr_flow *t)
{
	uint64_t now_ns;

	flow_add(&f->count.transactions, 1);
	if (!f->active) {
		t->in_left = t->in_bytes;
		t->out_left = t->out_bytes;
		return;
	}
	now_ns = clock_now_ns();
	if (t->asked_ns >= f->span->begin_ns && now_ns < f->span->end_ns)
		hist_add(f->hist[LOAD_HIST_LATENCY], now_ns - t->asked_ns);
	begin(f, t, now_ns);
}

/* A UDP request whose answer is late is lost, and the next one is sent. */
static void look_at_time(struct flow *f, struct rr_flow *t)
{
	uint64_t now_ns;

	if (f->active && t->asked_ns == 0)
		begin(f, t, clock_now_ns());
	if (!f->wake_ns || (now_ns = clock_now_ns()) < f->wake_ns)
		return;
	flow_add(&f->count.lost, 1);
	begin(f, t, now_ns);
}

static int rr_step(struct flow *f, int flags)
{
	struct rr_flow *t = f->state;

	look_at_time(f, t);
	while (!flow_stopped(f)) {
		int r = 0;

		while (t->out_left && r == 0)
			r = send_some(f, t, flags);
		if (r == 0)
			r = receive_some(f, t, flags);
		if (r != 0)
			return r;
		if (!t->in_left)
			complete(f, t);
	}
	return FLOW_DONE;
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
	.hists = 1U << LOAD_HIST_LATENCY,
	.flow_init = rr_init,
	.flow_step = rr_step,
};
