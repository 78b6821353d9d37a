/*
 * Connect, request, response, close: a TCP connection for each transaction, as netperf's TCP_CRR.
 * near asks. far closes first and near waits for that, so the whole of it is timed:
 *
 *	near  socket, connect ----- send ----- recv, response complete ----- recv, end of file
 *	      |------ connect ------|------------ response -----------|------- close --------|
 *	      |--------------------------------- latency ------------------------------------|
 *
 * Who closes first keeps the port pair in TIME_WAIT. That is far, whose port is always the same,
 * so near's ports are free at once, and a SYN that comes back to a pair in TIME_WAIT opens it anew
 * as its timestamp is a later one. Ref: net/ipv4/tcp_minisocks.c tcp_timewait_state_process().
 *
 * --rate is open loop as in load/rr.c, but for a flow having one connection at a time.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/flow.h"
#include "load/openloop.h"
#include "load/table.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* How long to wait when there is no free port or no memory for a socket just now. */
#define CRR_RETRY_NS (1 * NSEC_PER_MSEC)
/* What fits one segment of any path is never held back by Nagle. Ref: RFC 9293 s. 3.7.1 */
#define CRR_ONE_SEGMENT 536

enum crr_phase {
	CRR_IDLE,
	CRR_CONNECTING,
	CRR_SENDING,
	CRR_RECEIVING,
	CRR_CLOSING, /* response complete, the other end's close not yet seen */
};

struct crr_flow {
	enum crr_phase phase;
	uint32_t out_left, in_left;
	uint64_t due_ns; /* when the transaction at hand began, in open loop: should have begun */
	uint64_t begun_ns, connected_ns, complete_ns;
	uint64_t n_timed; /* open loop: transactions done that were due in the span */
	bool started;
	struct schedule schedule;
};

static const struct load_cfg crr_defaults = {
	.dir = LOAD_DIR_TX,
	.proto = LOAD_PROTO_TCP,
	.flows = 1,
	.req_bytes = 100,
	.rsp_bytes = 200,
	.under_dir = LOAD_DIR_TX,
};

static const struct opt crr_opts[] = {
	OPT_U32(struct load_cfg, req_bytes, "req", 0, "<size>", "bytes of a request",
		.unit = NUM_BYTES, .min = 1, .max = 1 << 20),
	OPT_U32(struct load_cfg, rsp_bytes, "rsp", 0, "<size>", "bytes of a response",
		.unit = NUM_BYTES, .min = 1, .max = 1 << 20),
	OPT_U32(struct load_cfg, flows, "flows", 'F', "<n>", "connections at a time", .min = 1,
		.max = LOAD_MAX_FLOWS),
	OPT_U32(struct load_cfg, threads, "threads", 'T', "<n>",
		"threads per end; 0: one per flow, up to the CPUs", .min = 1,
		.max = LOAD_MAX_THREADS, .zero_ok = true),
	OPT_U64(struct load_cfg, rate_tps, "rate", 'b', "<n>",
		"open loop: transactions per second of all flows together, begun when they are due "
		"and timed from then; 0: the next when one ends",
		.min = 1, .max = 10000000, .zero_ok = true),
	OPT_ENUM(struct load_cfg, under, "under", 0, load_under_name,
		"stream: twice, idle and beside bulk TCP, with the difference; idle: the first of "
		"the two alone"),
	OPT_ENUM(struct load_cfg, under_dir, "under-dir", 0, load_dir_name,
		"which way that bulk TCP goes; tx: from near"),
	OPT_END,
};

static int crr_check(const struct load_cfg *cfg, struct err *e)
{
	if (cfg->threads > cfg->flows)
		return err_say(e, EINVAL, "--threads %u is more than --flows %u", cfg->threads,
			cfg->flows);
	if (cfg->under_dir == LOAD_DIR_EACH)
		return err_say(e, EINVAL, "--under-dir each is two loads, not one");
	return 0;
}

static bool crr_drives(const struct load_cfg *cfg, bool near)
{
	(void)cfg;
	return near;
}

static void crr_init(struct flow *f)
{
	f->buf_bytes = MAX(f->cfg->req_bytes, f->cfg->rsp_bytes);
}

static void hang_up(struct flow *f, struct crr_flow *t)
{
	int fd = f->fd;

	flow_set_fd(f, -1);
	closep(&fd);
	t->phase = CRR_IDLE;
}

static int send_some(struct flow *f, struct crr_flow *t, int flags)
{
	ssize_t n = send(f->fd, f->buf, t->out_left, flags | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN ? FLOW_WANT_OUT : -errno;
	t->out_left -= (uint32_t)n;
	flow_add(&f->count.bytes_tx, (uint64_t)n);
	return 0;
}

static int receive_some(struct flow *f, struct crr_flow *t, int flags)
{
	ssize_t n = recv(f->fd, f->buf, t->in_left, flags);

	if (n < 0)
		return errno == EAGAIN ? FLOW_WANT_IN : -errno;
	if (n == 0)
		return -EPIPE;
	t->in_left -= (uint32_t)n;
	flow_add(&f->count.bytes_rx, (uint64_t)n);
	return 0;
}

static void start(struct flow *f, struct crr_flow *t)
{
	t->started = true;
	if (openloop_wanted(f))
		openloop_start(f, &t->schedule);
}

/* Now, or when the next one is due. Return: 0, or FLOW_WANT_TIME. */
static int begin(struct flow *f, struct crr_flow *t)
{
	t->begun_ns = clock_now_ns();
	t->due_ns = openloop_wanted(f) ? t->schedule.due_ns : t->begun_ns;
	if (t->begun_ns < t->due_ns) {
		f->wake_ns = t->due_ns;
		return FLOW_WANT_TIME;
	}
	f->wake_ns = 0;
	if (!openloop_wanted(f))
		return 0;
	schedule_advance(&t->schedule);
	openloop_sent(f, &t->schedule, t->due_ns, t->begun_ns);
	return 0;
}

static bool passes(int error)
{
	return error == EADDRNOTAVAIL || error == ENOBUFS || error == ENOMEM;
}

/* Shall the kernel's answer to socket() or connect() be tried again? Then when. */
static int fail(struct flow *f, struct crr_flow *t, int error)
{
	hang_up(f, t);
	if (!passes(error))
		return -error;
	flow_add(&f->count.retries, 1);
	t->phase = CRR_CONNECTING;
	f->wake_ns = clock_now_ns() + CRR_RETRY_NS;
	return FLOW_WANT_TIME;
}

/* Return: 0, or as fail(). */
static int new_socket(struct flow *f, struct crr_flow *t, int flags)
{
	int type = SOCK_STREAM | SOCK_CLOEXEC | (flags & MSG_DONTWAIT ? SOCK_NONBLOCK : 0);
	int fd = socket(f->peer.ss_family, type, 0);
	int one = 1;

	if (fd < 0)
		return fail(f, t, errno);
	flow_set_fd(f, fd);
	if (f->cfg->req_bytes <= CRR_ONE_SEGMENT)
		return 0;
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ? -errno : 0;
}

/* A second connect() says what became of the first. Ref: connect(2) on EINPROGRESS, EALREADY */
static int connect_some(struct flow *f, struct crr_flow *t, int flags)
{
	int r = 0;

	if (flow_must_wait(f))
		return FLOW_WANT_TIME;
	if (f->fd < 0)
		r = new_socket(f, t, flags);
	if (r != 0)
		return r;
	if (connect(f->fd, (const struct sockaddr *)&f->peer, f->peer_len) < 0 && errno != EISCONN)
		return errno == EINPROGRESS || errno == EALREADY ? FLOW_WANT_OUT
								 : fail(f, t, errno);
	t->connected_ns = clock_now_ns();
	t->out_left = f->cfg->req_bytes;
	t->in_left = f->cfg->rsp_bytes;
	t->phase = CRR_SENDING;
	return 0;
}

static void complete(struct flow *f, struct crr_flow *t, uint64_t now_ns)
{
	bool counts = t->due_ns >= f->span->begin_ns && now_ns < f->span->end_ns;

	if (openloop_wanted(f)) {
		counts = schedule_counts(&t->schedule, t->due_ns);
		t->n_timed += counts;
	}
	if (counts) {
		hist_add(f->hist[LOAD_HIST_LATENCY], now_ns - t->due_ns);
		hist_add(f->hist[LOAD_HIST_CONNECT], t->connected_ns - t->begun_ns);
		hist_add(f->hist[LOAD_HIST_RESPONSE], t->complete_ns - t->connected_ns);
		hist_add(f->hist[LOAD_HIST_CLOSE], now_ns - t->complete_ns);
	}
	flow_add(&f->count.transactions, 1);
}

/* Waits for the end of file; anything else was not asked for. */
static int await_close(struct flow *f, struct crr_flow *t, int flags)
{
	ssize_t n = recv(f->fd, f->buf, 1, flags);

	if (n < 0)
		return errno == EAGAIN ? FLOW_WANT_IN : -errno;
	if (n > 0)
		return -EPROTO;
	complete(f, t, clock_now_ns());
	hang_up(f, t);
	return 0;
}

static int ask_some(struct flow *f, struct crr_flow *t, int flags)
{
	int r;

	switch (t->phase) {
	case CRR_IDLE:
		r = begin(f, t);
		if (r == 0)
			t->phase = CRR_CONNECTING;
		return r;
	case CRR_CONNECTING:
		return connect_some(f, t, flags);
	case CRR_SENDING:
		r = send_some(f, t, flags);
		if (r == 0 && !t->out_left)
			t->phase = CRR_RECEIVING;
		return r;
	case CRR_RECEIVING:
		r = receive_some(f, t, flags);
		if (r == 0 && !t->in_left) {
			t->complete_ns = clock_now_ns();
			t->phase = CRR_CLOSING;
		}
		return r;
	case CRR_CLOSING:
		return await_close(f, t, flags);
	}
	return -EINVAL;
}

static int accept_one(struct flow *f, struct crr_flow *t)
{
	int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	/* ECONNABORTED and the network's own errors are one connection's. Ref: accept(2) */
	if (fd < 0 && (errno == EAGAIN || errno == EMFILE || errno == ENFILE || errno == EINVAL))
		return errno == EAGAIN ? FLOW_WANT_IN : -errno;
	if (fd < 0)
		return 0;
	flow_set_fd(f, fd);
	t->in_left = f->cfg->req_bytes;
	t->phase = CRR_RECEIVING;
	return 0;
}

static int answer_some(struct flow *f, struct crr_flow *t, int flags)
{
	int r;

	if (t->phase == CRR_IDLE)
		return accept_one(f, t);
	r = t->phase == CRR_RECEIVING ? receive_some(f, t, flags) : send_some(f, t, flags);
	if (r < 0) {
		/* Whoever that was: the next one may do better. */
		flow_add(&f->count.retries, 1);
		hang_up(f, t);
		return 0;
	}
	if (r == 0 && t->phase == CRR_RECEIVING && !t->in_left) {
		t->out_left = f->cfg->rsp_bytes;
		t->phase = CRR_SENDING;
	} else if (r == 0 && t->phase == CRR_SENDING && !t->out_left) {
		flow_add(&f->count.transactions, 1);
		hang_up(f, t);
	}
	return r;
}

static int crr_step(struct flow *f, int flags)
{
	struct crr_flow *t = f->state;

	if (!t->started)
		start(f, t);
	while (!flow_stopped(f)) {
		int r = f->active ? ask_some(f, t, flags) : answer_some(f, t, flags);

		if (r != 0)
			return r;
	}
	return FLOW_DONE;
}

static void crr_end(struct flow *f)
{
	struct crr_flow *t = f->state;

	if (f->active && openloop_wanted(f) && t->started)
		openloop_end(f, &t->schedule, t->n_timed);
}

const struct load_ops load_crr = {
	.name = "crr",
	.summary = "connect, request, response, close: connections per second and their phases",
	.kind = LOAD_KIND_TRANSACTIONS,
	.opts = crr_opts,
	.defaults = &crr_defaults,
	.connects = true,
	.check = crr_check,
	.drives = crr_drives,
	.state_bytes = sizeof(struct crr_flow),
	.hists = 1U << LOAD_HIST_LATENCY | 1U << LOAD_HIST_SLIP | 1U << LOAD_HIST_CONNECT |
		 1U << LOAD_HIST_RESPONSE | 1U << LOAD_HIST_CLOSE,
	.flow_init = crr_init,
	.flow_step = crr_step,
	.flow_end = crr_end,
};
