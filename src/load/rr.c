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

/* UDP datagrams start with the request's number; 0 is the greeting that opened the flow. */
#define RR_SEQ_BYTES sizeof(uint64_t)
/* Largest UDP payload over IPv4. Ref: RFC 768: 65535 - 20 - 8. */
#define RR_UDP_MAX 65507

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

static void rr_init(struct flow *f, const struct load_cfg *cfg)
{
	f->out_bytes = f->active ? cfg->req_bytes : cfg->rsp_bytes;
	f->in_bytes = f->active ? cfg->rsp_bytes : cfg->req_bytes;
	f->out_left = f->active ? f->out_bytes : 0;
	f->in_left = f->in_bytes;
	f->buf_bytes = MAX(f->out_bytes, f->in_bytes);
	f->seq = 1;
}

static int send_some(struct flow *f, int flags)
{
	ssize_t n;

	if (f->udp)
		memcpy(f->buf, &f->seq, RR_SEQ_BYTES);
	n = send(f->fd, f->buf, f->out_left, flags | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? FLOW_WANT_OUT : -errno;
	f->out_left -= (uint32_t)n;
	flow_add(&f->bytes_tx, (uint64_t)n);
	return 0;
}

/* Is the datagram of @n bytes in f->buf the one this flow waits for? */
static bool expected(struct flow *f, ssize_t n)
{
	uint64_t seq;

	if (n != (ssize_t)f->in_bytes)
		return false;
	memcpy(&seq, f->buf, RR_SEQ_BYTES);
	if (f->active)
		return seq == f->seq;
	f->seq = seq; /* the response carries the request's number back */
	return seq != 0;
}

static int receive_some(struct flow *f, int flags)
{
	ssize_t n = recv(f->fd, f->buf, f->udp ? f->buf_bytes : f->in_left, flags);

	if (n < 0)
		return errno == EAGAIN ? FLOW_WANT_IN : -errno;
	if (n == 0)
		return -EPIPE;
	if (f->udp && !expected(f, n))
		return 0;
	f->in_left -= (uint32_t)n;
	flow_add(&f->bytes_rx, (uint64_t)n);
	return 0;
}

static void complete(struct flow *f)
{
	f->in_left = f->in_bytes;
	f->out_left = f->out_bytes;
	flow_add(&f->transactions, 1);
	if (f->active) {
		uint64_t now_ns = clock_now_ns();

		if (f->asked_ns >= f->span->begin_ns && now_ns < f->span->end_ns)
			hist_add(f->hist, now_ns - f->asked_ns);
		f->asked_ns = now_ns;
		f->seq++;
	}
}

static int rr_step(struct flow *f, int flags)
{
	if (!f->asked_ns)
		f->asked_ns = clock_now_ns();
	while (!flow_stopped(f)) {
		int r = 0;

		while (f->out_left && r == 0)
			r = send_some(f, flags);
		if (r == 0)
			r = receive_some(f, flags);
		if (r != 0)
			return r;
		if (!f->in_left)
			complete(f);
	}
	return FLOW_DONE;
}

void flow_give_up(struct flow *f)
{
	flow_add(&f->lost, 1);
	f->in_left = f->in_bytes;
	f->out_left = f->out_bytes;
	f->asked_ns = clock_now_ns();
	f->seq++;
}

const struct load_ops load_rr = {
	.name = "rr",
	.summary = "request and response, TCP or UDP: latency and its CPU cost",
	.opts = rr_opts,
	.defaults = &rr_defaults,
	.each = "proto",
	.check = rr_check,
	.drives = rr_drives,
	.flow_init = rr_init,
	.flow_step = rr_step,
};
