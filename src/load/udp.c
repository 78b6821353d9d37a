/*
 * Datagrams one way: the active end of each leg numbers and sends them, the other counts what
 * comes in. At full speed whole batches go by one system call and the clock is read once for each.
 * With a rate, every datagram has its own time on an absolute schedule. It is never sent before;
 * a sender that was held up goes on at twice the rate, and what is late by more than UDP_SLACK_NS
 * is not sent at all, but counted.
 */
#include "base/clock.h"
#include "load/flow.h"
#include "load/table.h"
#include "load/udp_seq.h"
#include "sys/rtnl.h"
#include "sys/sock.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Largest payload over IPv4. Ref: RFC 768: 65535 - 20 - 8. */
#define UDP_MAX_BYTES 65507U
/* All flows' buffers of one end and direction; each is touched before the trial. */
#define UDP_MAX_BUFFERS (1ULL << 30)
/* Segments of one sendmsg(). Ref: include/linux/udp.h UDP_MAX_SEGMENTS, v4.18; 128 since v6.7. */
#define UDP_GSO_SEGMENTS 64U
/* A receive buffer for an aggregate, and how many of them a call fills; more only costs cache. */
#define UDP_GRO_BYTES 65536U
#define UDP_GRO_SLOTS 8U
/* What a sender that was held up catches up with, at twice the rate; the rest is packets_unsent. */
#define UDP_SLACK_NS (100 * NSEC_PER_MSEC)
/*
 * How much of a wait is spun. A thread that sleeps wakes 17 us (median) to 50 us (99 of 100) late
 * on our test machine, a virtual one; on bare metal a few us.
 */
#define UDP_SPIN_NS (50 * NSEC_PER_USEC)
/* How far ahead of their times packets are given to a qdisc that keeps them. */
#define UDP_LEAD_NS (1 * NSEC_PER_MSEC)
/* No more of one flow at a time: sch_fq drops from 100 on. Ref: net/sched/sch_fq.c flow_plimit. */
#define UDP_LEAD_PACKETS 64U
/* Until a full device queue is tried again. */
#define UDP_RETRY_NS (100 * NSEC_PER_USEC)

/* Room for every control message that may come with a datagram, or go with it. */
#define UDP_CONTROL_BYTES (CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int)))

struct udp_flow {
	uint32_t n_slots, slot_bytes; /* of a system call: datagrams, and each one's room */
	struct mmsghdr *msg;          /* [n_slots] */
	struct iovec *iov;            /* [n_slots] */
	char *control;                /* [n_slots][UDP_CONTROL_BYTES]; NULL: none is used */
	/* Sender. */
	uint64_t sent; /* datagrams: the last number used */
	uint64_t left; /* bytes taken of the budget and not sent yet */
	bool gso;
	enum load_pace pace;
	uint64_t origin_ns; /* begin of the schedule; 0: not begun */
	uint64_t n_due;     /* datagrams of the schedule sent or given up */
	uint64_t floor_ns;  /* none is sent before, however late it is */
	uint64_t last_ns;   /* when the last one was sent, or came in */
	/* Receiver. */
	struct udp_seq seq;
	bool timestamps, ended;
};

static const struct load_cfg udp_defaults = {
	.dir = LOAD_DIR_EACH,
	.proto = LOAD_PROTO_UDP,
	.flows = 1,
	.batch = 64,
	/*
	 * Or net.core.rmem_max, if less. A reader that gets no CPU for a while then loses less:
	 * 3 to 12 % instead of 33 to 54 % at 64 bytes and full speed on our test machine.
	 */
	.rcvbuf_bytes = 4 << 20,
	.gso = LOAD_SWITCH_AUTO,
	.gro = LOAD_SWITCH_AUTO,
	.pace = LOAD_PACE_AUTO,
	.udp_end_marker = true,
};

static const struct opt udp_opts[] = {
	OPT_ENUM(struct load_cfg, dir, "dir", 0, load_dir_name,
		"tx: near sends, rx: far sends, both: at once; each: tx, then rx"),
	OPT_U32(struct load_cfg, flows, "flows", 'F', "<n>", "flows in each direction", .min = 1,
		.max = LOAD_MAX_FLOWS),
	OPT_U32(struct load_cfg, threads, "threads", 'T', "<n>",
		"threads per direction and end; 0: one per flow, up to the CPUs", .min = 1,
		.max = LOAD_MAX_THREADS, .zero_ok = true),
	OPT_U32(struct load_cfg, packet_bytes, "packet", 0, "<size>",
		"payload of a datagram; 0: the most that all paths carry whole", .unit = NUM_BYTES,
		.min = UDP_SEQ_MIN_BYTES, .max = UDP_MAX_BYTES, .zero_ok = true),
	OPT_U64(struct load_cfg, rate_bps, "rate", 'b', "<rate>",
		"payload of each flow; 0: as fast as it goes", .unit = NUM_RATE, .min = 1,
		.max = 1000000000000ULL, .zero_ok = true),
	OPT_U64(struct load_cfg, bytes, "bytes", 'n', "<size>",
		"send exactly this much in each direction; 0: no end", .unit = NUM_BYTES, .min = 1,
		.zero_ok = true),
	OPT_U32(struct load_cfg, batch, "batch", 0, "<n>", "most datagrams per system call",
		.min = 1, .max = 1024),
	OPT_ENUM(struct load_cfg, gso, "gso", 0, load_switch_name,
		"hand the kernel many datagrams as one (UDP_SEGMENT); auto: without --rate"),
	OPT_ENUM(struct load_cfg, gro, "gro", 0, load_switch_name,
		"take many datagrams as one (UDP_GRO); auto: without --rate"),
	OPT_ENUM(struct load_cfg, pace, "pace", 0, load_pace_name,
		"who keeps the schedule of --rate: own, the sender; fq, sch_fq by its rate; "
		"txtime, sch_fq by each packet's time; auto: txtime where there is sch_fq, or own"),
	OPT_U32(struct load_cfg, sndbuf_bytes, "sndbuf", 0, "<size>",
		"SO_SNDBUF; 0: the host's default", .unit = NUM_BYTES, .min = 2048, .max = 1 << 30,
		.zero_ok = true),
	OPT_U32(struct load_cfg, rcvbuf_bytes, "rcvbuf", 0, "<size>",
		"SO_RCVBUF; 0: the host's default", .unit = NUM_BYTES, .min = 2048, .max = 1 << 30,
		.zero_ok = true),
	OPT_END,
};

static bool switched_on(uint32_t value, const struct load_cfg *cfg)
{
	return value == LOAD_SWITCH_ON || (value == LOAD_SWITCH_AUTO && !cfg->rate_bps);
}

static uint64_t round_up_64(uint64_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

/* Datagrams per call and room for each. */
static void set_slots(struct udp_flow *t, const struct load_cfg *cfg, bool active)
{
	bool gro = !active && switched_on(cfg->gro, cfg);

	t->n_slots = gro ? MIN(cfg->batch, UDP_GRO_SLOTS) : cfg->batch;
	t->slot_bytes = gro ? UDP_GRO_BYTES : MAX(cfg->packet_bytes, UDP_SEQ_END_BYTES);
	if (active)
		t->slot_bytes = cfg->packet_bytes; /* one after the other, as GSO wants them */
}

static uint64_t payload_room(const struct udp_flow *t)
{
	return round_up_64((uint64_t)t->n_slots * t->slot_bytes);
}

static uint64_t room(const struct udp_flow *t)
{
	return payload_room(t) +
	       t->n_slots * (sizeof(*t->msg) + sizeof(*t->iov) + UDP_CONTROL_BYTES);
}

static int udp_check(const struct load_cfg *cfg, struct err *e)
{
	uint32_t packet_bytes = cfg->packet_bytes ?: LOAD_PACKET_BYTES;
	uint64_t last_bytes = cfg->bytes % packet_bytes, tx_bytes;
	struct udp_flow t;

	if (cfg->dir == LOAD_DIR_EACH)
		return err_say(e, EINVAL, "--dir each is two loads, not one");
	if (cfg->threads > cfg->flows)
		return err_say(e, EINVAL, "--threads %u is more than --flows %u", cfg->threads,
			cfg->flows);
	if (last_bytes && last_bytes < UDP_SEQ_MIN_BYTES)
		return err_say(e, EINVAL,
			"--bytes leaves %llu bytes for the last datagram, which needs %u",
			(unsigned long long)last_bytes, UDP_SEQ_MIN_BYTES);
	set_slots(&t, cfg, true);
	tx_bytes = room(&t);
	set_slots(&t, cfg, false);
	if (cfg->flows * MAX(tx_bytes, room(&t)) > UDP_MAX_BUFFERS)
		return err_say(e, EINVAL,
			"--flows %u with --packet %u and --batch %u need more than 1G of buffers",
			cfg->flows, packet_bytes, cfg->batch);
	return 0;
}

static bool udp_drives(const struct load_cfg *cfg, bool near)
{
	return cfg->dir == LOAD_DIR_BOTH || cfg->dir == (near ? LOAD_DIR_TX : LOAD_DIR_RX);
}

static void udp_init(struct flow *f)
{
	struct udp_flow *t = f->state;

	set_slots(t, f->cfg, f->active);
	f->buf_bytes = room(t);
	udp_seq_init(&t->seq, !f->cfg->udp_counters_32bit);
}

/* Carves the headers out of the end of the buffer. */
static void set_messages(struct flow *f, struct udp_flow *t, bool control)
{
	t->msg = (struct mmsghdr *)(f->buf + payload_room(t));
	t->iov = (struct iovec *)(t->msg + t->n_slots);
	t->control = control ? (char *)(t->iov + t->n_slots) : NULL;
	for (uint32_t i = 0; i < t->n_slots; i++) {
		char *c = t->control ? t->control + i * UDP_CONTROL_BYTES : NULL;

		t->iov[i] = (struct iovec){.iov_base = f->buf + (size_t)i * t->slot_bytes,
			.iov_len = t->slot_bytes};
		t->msg[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &t->iov[i],
						     .msg_iovlen = 1,
						     .msg_control = c,
						     .msg_controllen = c ? UDP_CONTROL_BYTES : 0}};
	}
}

/* Is there a qdisc on the way out that keeps a packet until its time? */
static bool leaves_by_fq(int fd)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	char kind[32];

	return rt_open_here(&rt, NULL) == 0 && rt_qdisc_of(rt, fd, kind, sizeof(kind), NULL) == 0 &&
	       strcmp(kind, "fq") == 0;
}

/*
 * sch_fq's rate is that of frames: the payload and its headers.
 * Ref: net/sched/sch_fq.c fq_dequeue: qdisc_pkt_len() / rate.
 */
static int set_fq_rate(const struct flow *f, struct err *e)
{
	uint64_t frame_bytes = f->cfg->packet_bytes + 14 + 20 + 8;
	uint64_t rate_Bps = f->cfg->rate_bps / 8 * frame_bytes / f->cfg->packet_bytes;

	return sock_set_pacing(f->fd, rate_Bps * 8, e);
}

static int set_txtime(const struct flow *f, struct err *e)
{
	const struct sock_txtime t = {.clockid = CLOCK_MONOTONIC};

	if (setsockopt(f->fd, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)) < 0)
		return err_set(e, errno, "cannot set SO_TXTIME");
	return 0;
}

static int open_sender(struct flow *f, struct udp_flow *t, struct err *e)
{
	const struct load_cfg *cfg = f->cfg;
	const struct timeval tv = {.tv_usec = FLOW_UDP_TIMEOUT_NS / NSEC_PER_USEC};
	int size = (int)cfg->packet_bytes, r = 0;

	t->pace = cfg->pace;
	if (cfg->rate_bps && t->pace == LOAD_PACE_AUTO)
		t->pace = leaves_by_fq(f->fd) ? LOAD_PACE_TXTIME : LOAD_PACE_OWN;
	set_messages(f, t, cfg->rate_bps && t->pace == LOAD_PACE_TXTIME);
	t->gso = cfg->batch > 1 && cfg->packet_bytes <= UDP_MAX_BYTES / 2 && !t->control &&
		 switched_on(cfg->gso, cfg);
	/* A kernel without it sends them one by one; packets_gso says so. */
	if (t->gso && setsockopt(f->fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
		t->gso = false;
	if (cfg->rate_bps && t->pace == LOAD_PACE_FQ)
		r = set_fq_rate(f, e);
	if (cfg->rate_bps && t->pace == LOAD_PACE_TXTIME)
		r = set_txtime(f, e);
	if (r == 0 && setsockopt(f->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return err_set(e, errno, "cannot set SO_SNDTIMEO");
	return r;
}

/* Times of single datagrams are worth their cost where there is a schedule to hold them against. */
static int open_receiver(struct flow *f, struct udp_flow *t, struct err *e)
{
	bool gro = switched_on(f->cfg->gro, f->cfg);
	const int on = 1;
	int r = 0;

	t->timestamps = f->cfg->rate_bps > 0;
	set_messages(f, t, gro || t->timestamps);
	if (t->timestamps)
		r = sock_set_int(f->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS", e);
	/* A kernel without it gives them one by one; packets_gro says so. */
	if (gro)
		(void)setsockopt(f->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	return r;
}

static int udp_ready(struct flow *f, bool blocks, struct err *e)
{
	(void)blocks;
	return f->active ? open_sender(f, f->state, e) : open_receiver(f, f->state, e);
}

static uint64_t packets_of(const struct flow *f, uint64_t bytes)
{
	return (bytes + f->cfg->packet_bytes - 1) / f->cfg->packet_bytes;
}

/* When datagram @k of the schedule is due. */
static uint64_t due_ns(const struct flow *f, const struct udp_flow *t, uint64_t k)
{
	unsigned __int128 bits = (unsigned __int128)k * f->cfg->packet_bytes * 8;

	return t->origin_ns + (uint64_t)(bits * NSEC_PER_SEC / f->cfg->rate_bps);
}

/* Whole datagrams' worth of schedule in @ns. */
static uint64_t packets_in(const struct flow *f, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * f->cfg->rate_bps /
			  ((unsigned __int128)f->cfg->packet_bytes * 8 * NSEC_PER_SEC));
}

/* Gives up what of the schedule is older than the slack. */
static void give_up_old(struct flow *f, struct udp_flow *t, uint64_t now_ns)
{
	uint64_t next_ns = due_ns(f, t, t->n_due);
	uint64_t n;

	if (now_ns <= next_ns + UDP_SLACK_NS)
		return;
	n = packets_in(f, now_ns - UDP_SLACK_NS - next_ns);
	t->n_due += n;
	flow_add(&f->count.packets_unsent, n);
}

/* Of a system call; of a rate that is shared no more than others can wait for. */
static uint64_t most_packets(const struct flow *f, const struct udp_flow *t)
{
	uint64_t n = t->n_slots;

	if (f->shared_gate)
		n = MIN(n, MAX(gate_piece(f->shared_gate) / f->cfg->packet_bytes, 1ULL));
	return n;
}

/*
 * How many datagrams may be sent now; 0: wake_ns is when. Two times hold one back: its own in the
 * schedule, and, for a sender that was held up, half an interval after the one before.
 */
static uint64_t take_due(struct flow *f, struct udp_flow *t, uint64_t now_ns)
{
	uint64_t ahead_ns = t->pace == LOAD_PACE_OWN ? 0 : UDP_LEAD_NS;
	uint64_t batch = most_packets(f, t);
	uint64_t most = ahead_ns ? MIN(batch, UDP_LEAD_PACKETS) : batch;
	uint64_t until_ns = now_ns + ahead_ns;
	uint64_t next_ns, n;
	bool late;

	if (!t->origin_ns)
		t->origin_ns = until_ns;
	give_up_old(f, t, now_ns);
	t->floor_ns = MAX(t->floor_ns, until_ns - UDP_SPIN_NS);
	next_ns = due_ns(f, t, t->n_due);
	late = next_ns < t->floor_ns;
	next_ns = late ? t->floor_ns : next_ns;
	if (next_ns > until_ns) {
		/* A qdisc's lead is refilled when half of it is used up. */
		f->wake_ns = next_ns - ahead_ns / 2;
		/* Who is late anyway has no time to meet, and leaves the CPU to those who have. */
		f->spin_ns = ahead_ns || late ? 0 : UDP_SPIN_NS;
		return 0;
	}
	n = packets_in(f, until_ns - due_ns(f, t, t->n_due)) + 1;
	n = MIN(n, 2 * packets_in(f, until_ns - t->floor_ns) + 1);
	n = MIN(n, most);
	t->n_due += n;
	t->floor_ns += (due_ns(f, t, n) - t->origin_ns) / 2;
	return n;
}

/* Of one send call. */
static uint64_t gso_segments(const struct load_cfg *cfg)
{
	return MIN(UDP_MAX_BYTES / cfg->packet_bytes, UDP_GSO_SEGMENTS);
}

/* Takes what is to be sent next, or sets wake_ns. Return: false when all has been sent. */
static bool take_some(struct flow *f, struct udp_flow *t, uint64_t now_ns)
{
	uint64_t n = f->cfg->rate_bps ? take_due(f, t, now_ns) : most_packets(f, t);

	if (t->gso)
		n = MIN(n, gso_segments(f->cfg));
	if (n == 0)
		return true;
	t->left = flow_take(f, n * f->cfg->packet_bytes);
	if (t->left && f->shared_gate) {
		uint64_t at_ns = gate_take(f->shared_gate, t->left, now_ns);

		f->wake_ns = at_ns > now_ns ? at_ns : 0;
	}
	return t->left > 0;
}

static void put_txtime(struct msghdr *h, uint64_t at_ns)
{
	struct cmsghdr *c;

	h->msg_controllen = CMSG_SPACE(sizeof(at_ns));
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_TXTIME;
	c->cmsg_len = CMSG_LEN(sizeof(at_ns));
	memcpy(CMSG_DATA(c), &at_ns, sizeof(at_ns));
}

/* Numbers and stamps the next @n; who leaves later by a qdisc's clock bears that time. */
static void fill(struct flow *f, struct udp_flow *t, uint64_t n, uint64_t now_ns)
{
	for (uint64_t i = 0; i < n; i++) {
		uint8_t *p = (uint8_t *)f->buf + i * t->slot_bytes;
		uint64_t at_ns = now_ns;

		if (t->control) {
			at_ns = due_ns(f, t, t->n_due - n + i);
			put_txtime(&t->msg[i].msg_hdr, at_ns);
		}
		udp_seq_put(p, t->sent + 1 + i, at_ns, t->seq.wide);
	}
}

/* One system call. Return: bytes sent, or negative errno. */
static int64_t send_messages(struct flow *f, struct udp_flow *t, uint64_t n, int flags)
{
	uint64_t last_bytes = t->left - (n - 1) * t->slot_bytes;
	int r;

	if (t->gso || (n == 1 && !t->control)) {
		ssize_t bytes = send(f->fd, f->buf, t->left, flags | MSG_NOSIGNAL);

		return bytes < 0 ? -errno : bytes;
	}
	t->iov[n - 1].iov_len = last_bytes;
	r = sendmmsg(f->fd, t->msg, (unsigned int)n, flags | MSG_NOSIGNAL);
	t->iov[n - 1].iov_len = t->slot_bytes;
	if (r < 0)
		return -errno;
	return r == (int)n ? (int64_t)t->left : (int64_t)r * t->slot_bytes;
}

/* Gaps are those between calls of the clock before each send; within a batch there are none. */
static void note_gaps(struct flow *f, struct udp_flow *t, uint64_t n, uint64_t now_ns)
{
	struct hist *h = f->hist[LOAD_HIST_GAP_TX];
	bool counted = t->last_ns >= f->span->begin_ns && now_ns < f->span->end_ns;

	if (counted && t->pace == LOAD_PACE_OWN) {
		hist_add(h, now_ns - t->last_ns);
		for (uint64_t i = 1; i < n; i++)
			hist_add(h, 0);
	}
	t->last_ns = now_ns;
}

/*
 * What a send call that failed means.
 * Ref: net/ipv4/udp.c udp_send_skb: EINVAL, EMSGSIZE where a segment exceeds the MTU, EIO where
 * the device can't checksum; then they are sent one by one.
 */
static int send_failed(struct flow *f, struct udp_flow *t, int error, uint64_t now_ns)
{
	const int off = 0;

	switch (error) {
	case EAGAIN:
		return FLOW_WANT_OUT;
	case ENOBUFS:
	case ENOMEM:
		flow_add(&f->count.sends_refused, 1);
		f->wake_ns = now_ns + UDP_RETRY_NS;
		return FLOW_WANT_TIME;
	case ECONNREFUSED: /* of one sent before; this one has not been sent, but can be */
		flow_add(&f->count.sends_refused, 1);
		return 0;
	case EINVAL:
	case EMSGSIZE:
	case EIO:
		if (!t->gso)
			return -error;
		t->gso = false;
		return setsockopt(f->fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof(off)) < 0 ? -errno
											  : 0;
	default:
		return -error;
	}
}

static int send_some(struct flow *f, struct udp_flow *t, uint64_t now_ns, int flags)
{
	uint64_t n = packets_of(f, t->left);
	int64_t bytes;

	fill(f, t, n, now_ns);
	bytes = send_messages(f, t, n, flags);
	if (bytes < 0)
		return send_failed(f, t, (int)-bytes, now_ns);
	t->left -= (uint64_t)bytes;
	n = packets_of(f, (uint64_t)bytes);
	t->sent += n;
	flow_add(&f->count.bytes_tx, (uint64_t)bytes);
	flow_add(&f->count.packets_tx, n);
	if (t->gso && n > 1)
		flow_add(&f->count.packets_gso, n);
	if (f->cfg->rate_bps)
		note_gaps(f, t, n, now_ns);
	return 0;
}

static int send_packets(struct flow *f, struct udp_flow *t, int flags)
{
	while (!flow_stopped(f)) {
		uint64_t now_ns = clock_now_ns();
		int r;

		if (now_ns < f->wake_ns)
			return FLOW_WANT_TIME;
		f->wake_ns = 0;
		if (!t->left && !take_some(f, t, now_ns))
			return FLOW_DONE;
		if (f->wake_ns)
			return FLOW_WANT_TIME;
		r = send_some(f, t, now_ns, flags);
		if (r != 0)
			return r;
	}
	return FLOW_DONE;
}

/* What came with a message besides its bytes. */
struct arrival {
	uint64_t at_ns;
	size_t segment_bytes;
	bool counted;
};

static void read_control(struct msghdr *h, struct arrival *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(c), sizeof(size));
			ret->segment_bytes = size > 0 ? (size_t)size : ret->segment_bytes;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec ts;

			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			ret->at_ns = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
		}
	}
}

static void note_times(struct flow *f, struct udp_flow *t, const struct arrival *a,
	uint64_t sent_ns)
{
	uint64_t pdv_ns = udp_seq_time(&t->seq, a->at_ns, sent_ns);

	if (!t->timestamps)
		return;
	if (a->counted && t->last_ns && a->at_ns >= t->last_ns) {
		hist_add(f->hist[LOAD_HIST_GAP_RX], a->at_ns - t->last_ns);
		hist_add(f->hist[LOAD_HIST_PDV], pdv_ns);
	}
	t->last_ns = a->at_ns;
}

/* Counts one datagram into @c. */
static void take_packet(struct flow *f, struct udp_flow *t, const char *p, size_t len,
	const struct arrival *a, struct load_count *c)
{
	const struct udp_seq_packet q = udp_seq_get((const uint8_t *)p, len, t->seq.wide);
	enum udp_seq_verdict v;

	if (q.kind == UDP_SEQ_END && udp_seq_end(&t->seq, q.seq)) {
		c->flows_ended += !t->ended;
		t->ended = true;
		return;
	}
	v = q.kind == UDP_SEQ_DATA ? udp_seq_add(&t->seq, q.seq) : UDP_SEQ_FOREIGN;
	if (v == UDP_SEQ_FOREIGN) {
		c->packets_alien++;
		return;
	}
	c->packets_rx++;
	c->bytes_rx += len;
	c->reordered += v == UDP_SEQ_LATE;
	c->duplicated += v == UDP_SEQ_DOUBLE;
	note_times(f, t, a, q.sent_ns);
}

/* One message: a datagram, or an aggregate of them, all as long as the first but for the last. */
static void take_message(struct flow *f, struct udp_flow *t, uint32_t i, struct arrival a,
	struct load_count *c)
{
	struct mmsghdr *m = &t->msg[i];
	const char *p = t->iov[i].iov_base;
	size_t left = m->msg_len;

	a.segment_bytes = MAX(left, (size_t)1);
	if (t->control) {
		read_control(&m->msg_hdr, &a);
		m->msg_hdr.msg_controllen = UDP_CONTROL_BYTES;
	}
	if (m->msg_hdr.msg_flags & MSG_TRUNC || left == 0) {
		c->packets_alien++;
		return;
	}
	if (left > a.segment_bytes) {
		c->packets_gro += (left + a.segment_bytes - 1) / a.segment_bytes;
		c->aggregates_gro++;
	}
	while (left > 0) {
		size_t len = MIN(left, a.segment_bytes);

		take_packet(f, t, p, len, &a, c);
		p += len;
		left -= len;
	}
}

static void add_counts(struct flow *f, const struct udp_flow *t, const struct load_count *c)
{
	flow_add(&f->count.packets_rx, c->packets_rx);
	flow_add(&f->count.bytes_rx, c->bytes_rx);
	flow_add(&f->count.packets_gro, c->packets_gro);
	flow_add(&f->count.aggregates_gro, c->aggregates_gro);
	flow_add(&f->count.reordered, c->reordered);
	flow_add(&f->count.duplicated, c->duplicated);
	flow_add(&f->count.packets_alien, c->packets_alien);
	__atomic_store_n(&f->count.packets_expected, t->seq.highest, __ATOMIC_RELAXED);
	flow_add(&f->count.flows_ended, c->flows_ended);
	__atomic_store_n(&f->jitter_ns, udp_seq_jitter_ns(&t->seq), __ATOMIC_RELAXED);
}

static int receive_packets(struct flow *f, struct udp_flow *t, int flags)
{
	while (!flow_stopped(f)) {
		int n = recvmmsg(f->fd, t->msg, t->n_slots, flags | MSG_WAITFORONE, NULL);
		struct load_count c = {0};
		struct arrival a = {0};

		if (n < 0 && errno == ECONNREFUSED)
			continue; /* of what this end said while the flow was opened */
		if (n < 0)
			return errno == EAGAIN ? FLOW_WANT_IN : -errno;
		if (flow_stopped(f) && t->msg[0].msg_len == 0)
			return FLOW_DONE; /* our own shutdown */
		a.at_ns = clock_now_ns();
		a.counted = a.at_ns >= f->span->begin_ns && a.at_ns < f->span->end_ns;
		for (int i = 0; i < n; i++)
			take_message(f, t, (uint32_t)i, a, &c);
		add_counts(f, t, &c);
	}
	return FLOW_DONE;
}

static int udp_step(struct flow *f, int flags)
{
	return f->active ? send_packets(f, f->state, flags) : receive_packets(f, f->state, flags);
}

static bool udp_finish(struct flow *f)
{
	const struct udp_flow *t = f->state;
	uint8_t end[UDP_SEQ_END_BYTES];

	if (!f->active || !f->cfg->udp_end_marker || !t->seq.wide)
		return false;
	udp_seq_put_end(end, t->sent, clock_now_ns());
	/* May fail: there are several, and a receiver that hears none knows the highest number. */
	(void)send(f->fd, end, sizeof(end), MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

const struct load_ops load_udp = {
	.name = "udp",
	.summary = "datagrams one way: how many arrive, and what each costs",
	.kind = LOAD_KIND_PACKETS,
	.opts = udp_opts,
	.defaults = &udp_defaults,
	.each = "dir",
	.check = udp_check,
	.drives = udp_drives,
	.state_bytes = sizeof(struct udp_flow),
	.hists = 1U << LOAD_HIST_GAP_TX | 1U << LOAD_HIST_GAP_RX | 1U << LOAD_HIST_PDV,
	.flow_init = udp_init,
	.flow_ready = udp_ready,
	.flow_step = udp_step,
	.flow_finish = udp_finish,
};
