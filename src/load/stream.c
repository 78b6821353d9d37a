/* Bulk TCP: the active end of each leg sends blocks as fast as it can, the other reads them. */
#include "base/clock.h"
#include "load/flow.h"
#include "load/table.h"
#include "load/zerocopy.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

/* All flows' buffers of one end and direction; each is touched before the trial. */
#define STREAM_MAX_BUFFERS (1ULL << 30)

/*
 * Congestion control belongs to the ends, not to the path: the stock one is asked for by name, so
 * that a host set to another one (bbr paces by its own estimate, which on a path without a fixed
 * rate makes goodput wander by tens of per cent) still weighs paths, and the same way as the next.
 */
static const struct load_cfg stream_defaults = {
	.dir = LOAD_DIR_EACH,
	.proto = LOAD_PROTO_TCP,
	.flows = 1,
	/* More wins nothing; 128 KiB, iperf3's -l, would cost a fifth of the goodput. */
	.block_bytes = 512 << 10,
	.congestion = "cubic",
};

static const struct opt stream_opts[] = {
	OPT_ENUM(struct load_cfg, dir, "dir", 0, load_dir_name,
		"tx: near sends, rx: far sends, both: at once; each: tx, then rx"),
	OPT_U32(struct load_cfg, flows, "flows", 'F', "<n>", "connections in each direction",
		.min = 1, .max = LOAD_MAX_FLOWS),
	OPT_U32(struct load_cfg, threads, "threads", 'T', "<n>",
		"threads per direction and end; 0: one per flow, up to the CPUs", .min = 1,
		.max = LOAD_MAX_THREADS, .zero_ok = true),
	OPT_U32(struct load_cfg, block_bytes, "block", 'l', "<size>",
		"bytes per send and receive call", .unit = NUM_BYTES, .min = 1, .max = 16 << 20),
	OPT_U32(struct load_cfg, sndbuf_bytes, "sndbuf", 0, "<size>", "SO_SNDBUF; 0: auto-tuned",
		.unit = NUM_BYTES, .min = 2048, .max = 1 << 30, .zero_ok = true),
	OPT_U32(struct load_cfg, rcvbuf_bytes, "rcvbuf", 0, "<size>", "SO_RCVBUF; 0: auto-tuned",
		.unit = NUM_BYTES, .min = 2048, .max = 1 << 30, .zero_ok = true),
	OPT_U64(struct load_cfg, bytes, "bytes", 'n', "<size>",
		"send exactly this much in each direction; 0: no end", .unit = NUM_BYTES, .min = 1,
		.zero_ok = true),
	OPT_U64(struct load_cfg, blocks, "blocks", 'k', "<n>",
		"send exactly so many blocks in each direction; 0: no end", .min = 1,
		.max = 1ULL << 40, .zero_ok = true),
	OPT_U64(struct load_cfg, rate_bps, "rate", 'b', "<rate>",
		"payload of each flow; 0: as fast as it goes", .unit = NUM_RATE, .min = 1,
		.max = 1000000000000ULL, .zero_ok = true),
	OPT_U64(struct load_cfg, pacing_bps, "pacing", 0, "<rate>",
		"SO_MAX_PACING_RATE of each flow: the kernel paces its packets; 0: none",
		.unit = NUM_RATE, .min = 8, .max = 1000000000000ULL, .zero_ok = true),
	OPT_ENUM(struct load_cfg, send, "send", 0, load_send_name,
		"copy: send(); zerocopy: MSG_ZEROCOPY; sendfile: from a memory file"),
	OPT_ENUM(struct load_cfg, recv, "recv", 0, load_recv_name,
		"copy: recv(); trunc: MSG_TRUNC, dropped in the kernel without a copy"),
	OPT_U32(struct load_cfg, mss_bytes, "mss", 'M', "<n>",
		"largest TCP segment (TCP_MAXSEG); 0: the path's", .min = 88, .max = 32767,
		.zero_ok = true),
	OPT_U32(struct load_cfg, dscp, "dscp", 0, "<n>", "DiffServ code point of all packets",
		.max = 63, .zero_ok = true),
	OPT_FLAG(struct load_cfg, mptcp, "mptcp", 'm', "Multipath TCP"),
	OPT_STR(struct load_cfg, congestion, "congestion", 'C', "<name>",
		"TCP congestion control; an empty word: the host's default"),
	OPT_END,
};

static int stream_check(const struct load_cfg *cfg, struct err *e)
{
	if (cfg->dir == LOAD_DIR_EACH)
		return err_say(e, EINVAL, "--dir each is two loads, not one");
	if ((uint64_t)cfg->flows * cfg->block_bytes > STREAM_MAX_BUFFERS)
		return err_say(e, EINVAL, "--flows %u with --block %u need more than 1G of buffers",
			cfg->flows, cfg->block_bytes);
	if (cfg->bytes && cfg->blocks)
		return err_say(e, EINVAL, "--bytes and --blocks exclude each other");
	if (cfg->blocks > (uint64_t)INT64_MAX / cfg->block_bytes)
		return err_say(e, EINVAL, "--blocks %llu of %u bytes are too many",
			(unsigned long long)cfg->blocks, cfg->block_bytes);
	if (cfg->threads > cfg->flows)
		return err_say(e, EINVAL, "--threads %u is more than --flows %u", cfg->threads,
			cfg->flows);
	return 0;
}

static bool stream_drives(const struct load_cfg *cfg, bool near)
{
	return cfg->dir == LOAD_DIR_BOTH || cfg->dir == (near ? LOAD_DIR_TX : LOAD_DIR_RX);
}

/* Reports of MSG_ZEROCOPY are taken in after this many calls. */
#define ZEROCOPY_REAP_CALLS 32

struct stream_flow {
	uint64_t left;    /* of the block under way */
	uint64_t granted; /* of them: in the schedule already */
	uint32_t calls;   /* since reports were last taken in */
};

static void stream_init(struct flow *f)
{
	f->buf_bytes = f->cfg->block_bytes;
	f->wants_file = f->active && f->cfg->send == LOAD_SEND_SENDFILE;
}

static ssize_t send_copy(struct flow *f, struct stream_flow *t, int flags)
{
	return send(f->fd, f->buf, t->granted, flags | MSG_NOSIGNAL);
}

/* Too many reports outstanding is a reason to wait, as a full buffer is. */
static ssize_t send_zerocopy(struct flow *f, struct stream_flow *t, int flags)
{
	ssize_t n;
	int r;

	if (++t->calls >= ZEROCOPY_REAP_CALLS) {
		r = zerocopy_reap(f);
		t->calls = 0;
		if (r < 0) {
			errno = -r;
			return -1;
		}
	}
	n = send(f->fd, f->buf, t->granted, flags | MSG_NOSIGNAL | MSG_ZEROCOPY);
	if (n < 0 && errno == ENOBUFS) {
		t->calls = ZEROCOPY_REAP_CALLS;
		return send(f->fd, f->buf, t->granted, flags | MSG_NOSIGNAL);
	}
	return n;
}

/* sendfile() has no flags: whether it blocks is the socket's, which the worker sees to. */
static ssize_t send_file(struct flow *f, struct stream_flow *t, int flags)
{
	off_t at = (off_t)(f->buf_bytes - t->left);

	(void)flags;
	return sendfile(f->fd, f->file_fd, &at, t->granted);
}

static ssize_t (*const send_how[])(struct flow *f, struct stream_flow *t, int flags) = {
	[LOAD_SEND_COPY] = send_copy,
	[LOAD_SEND_ZEROCOPY] = send_zerocopy,
	[LOAD_SEND_SENDFILE] = send_file,
};
static_assert(ARRAY_SIZE(send_how) == LOAD_SEND_N);

/* Of a rate that is shared no flow takes more at a time than others can wait for. */
static uint64_t piece_of(const struct flow *f, uint64_t bytes)
{
	return f->shared_gate ? MIN(bytes, gate_piece(f->shared_gate)) : bytes;
}

/*
 * Takes what is to be sent next and its place in the schedule: a block of what is left to send, or
 * of a shared rate a piece of it.
 */
static bool next_piece(struct flow *f, struct stream_flow *t)
{
	if (!t->left)
		t->left = flow_take(f, f->buf_bytes);
	t->granted = piece_of(f, t->left);
	if (t->granted)
		f->wake_ns = flow_schedule(f, t->granted);
	return t->granted > 0;
}

static int send_blocks(struct flow *f, struct stream_flow *t, int flags)
{
	while (!flow_stopped(f)) {
		ssize_t n;

		if (!t->granted && !next_piece(f, t))
			return FLOW_DONE;
		if (flow_must_wait(f))
			return FLOW_WANT_TIME;
		n = send_how[f->cfg->send](f, t, flags);
		if (n < 0)
			return errno == EAGAIN ? FLOW_WANT_OUT : -errno;
		t->left -= (uint64_t)n;
		t->granted -= (uint64_t)n;
		flow_add(&f->count.bytes_tx, (uint64_t)n);
	}
	return FLOW_DONE;
}

/* What came in counts against a shared rate too: the window closes, and the sender slows down. */
static int receive_blocks(struct flow *f, int flags)
{
	flags |= f->cfg->recv == LOAD_RECV_TRUNC ? MSG_TRUNC : 0;
	while (!flow_stopped(f)) {
		ssize_t n;

		if (flow_must_wait(f))
			return FLOW_WANT_TIME;
		n = recv(f->fd, f->buf, piece_of(f, f->buf_bytes), flags);
		if (n < 0)
			return errno == EAGAIN ? FLOW_WANT_IN : -errno;
		if (n == 0)
			return flow_ending(f) ? FLOW_DONE : -EPIPE;
		flow_add(&f->count.bytes_rx, (uint64_t)n);
		f->wake_ns = flow_schedule(f, (uint64_t)n);
	}
	return FLOW_DONE;
}

static int stream_step(struct flow *f, int flags)
{
	return f->active ? send_blocks(f, f->state, flags) : receive_blocks(f, flags);
}

const struct load_ops load_stream = {
	.name = "stream",
	.summary = "bulk TCP: goodput and its CPU cost",
	.kind = LOAD_KIND_BULK,
	/* Less of the cache is used up, which eight flows feel by some per cent. */
	.one_buffer = true,
	.opts = stream_opts,
	.defaults = &stream_defaults,
	.each = "dir",
	.check = stream_check,
	.drives = stream_drives,
	.state_bytes = sizeof(struct stream_flow),
	.flow_init = stream_init,
	.flow_step = stream_step,
};
