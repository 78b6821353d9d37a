/*
 * The neighbour's traffic. Streams and the datagrams it sends are the loads that tare measures by;
 * frames of udp-rx are made inside the kernel and come in bursts, as a NIC that moderates its
 * interrupts hands them over, which no sender of sockets does at such rates; GSO packets are all
 * full, which those of a load that keeps its schedule by the datagram are not.
 */
#include "base/clock.h"
#include "base/str.h"
#include "frame/io.h"
#include "frame/pace.h"
#include "load/load.h"
#include "method/penalty_priv.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#define PORT        7001
#define TCP_FLOWS   16
#define UDP_PPS     300000
#define GSO_PPS     30000
#define GSO_PACKETS 64 /* the most. Ref: include/linux/udp.h UDP_MAX_SEGMENTS, v6.1 */
#define GSO_BYTES   16
#define UDP_BYTES   18 /* of the smallest frame */
#define CONNECT_NS  (5 * NSEC_PER_SEC)

static uint32_t flows_of(const struct penalty *p, uint32_t kind)
{
	const uint32_t usual = kind == PENALTY_TCP_RX || kind == PENALTY_TCP_TX ? TCP_FLOWS : 1;

	if (kind == PENALTY_GSO_RX)
		return 1;
	return p->cfg.flows ? p->cfg.flows : usual;
}

void kind_sockets_close(struct kind_sockets *s)
{
	for (uint32_t i = 0; i < s->n_neighbour; i++)
		closep(&s->neighbour[i]);
	for (uint32_t i = 0; i < s->n_peer; i++)
		closep(&s->peer[i]);
	s->n_neighbour = s->n_peer = 0;
}

/* ---- sockets */

static int no_sockets(struct kind_sockets *ret, const struct penalty *p, uint32_t kind,
	const struct tenants *net, struct err *e)
{
	(void)ret;
	(void)p;
	(void)kind;
	(void)net;
	(void)e;
	return 0;
}

static int sink_open(struct kind_sockets *ret, const struct penalty *p, uint32_t kind,
	const struct tenants *net, struct err *e)
{
	int fd = task_bind(&net->tenant[TENANT_NEIGHBOUR], SOCK_DGRAM, PORT, e);

	(void)p;
	(void)kind;
	if (fd < 0)
		return fd;
	ret->neighbour[ret->n_neighbour++] = fd;
	return 0;
}

static int datagrams_open(struct kind_sockets *ret, const struct penalty *p, uint32_t kind,
	const struct tenants *net, struct err *e)
{
	const struct tenants_end *a = &net->tenant[TENANT_NEIGHBOUR], *b = &net->peer;
	const uint64_t deadline_ns = clock_now_ns() + CONNECT_NS;

	for (uint32_t i = 0; i < flows_of(p, kind); i++) {
		const uint16_t port = (uint16_t)(PORT + 10 + i);
		int fd = task_bind(a, SOCK_DGRAM, port, e), r;

		if (fd < 0)
			return fd;
		ret->neighbour[ret->n_neighbour++] = fd;
		r = sock_connect(fd, b->ip, port, deadline_ns, e);
		fd = r < 0 ? r : task_bind(b, SOCK_DGRAM, port, e);
		if (fd < 0)
			return fd;
		ret->peer[ret->n_peer++] = fd;
		r = sock_connect(fd, a->ip, port, deadline_ns, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Cubic, as the load has it: what the machine is set to is not the question. */
static int connect_to(const struct tenants_end *from, const struct tenants_end *to, struct err *e)
{
	_cleanup_(closep) int fd = task_bind(from, SOCK_STREAM, 0, e);
	int r = fd < 0 ? fd : sock_set_congestion(fd, "cubic", e);

	if (r == 0)
		r = sock_connect(fd, to->ip, PORT, clock_now_ns() + CONNECT_NS, e);
	return r < 0 ? r : take_fd(fd);
}

/* The sender connects. */
static int streams_open(struct kind_sockets *ret, const struct penalty *p, uint32_t kind,
	const struct tenants *net, struct err *e)
{
	const bool sends = penalty_kind_ops[kind].sends;
	const struct tenants_end *own = &net->tenant[TENANT_NEIGHBOUR];
	_cleanup_(closep) int listener = task_bind(sends ? &net->peer : own, SOCK_STREAM, PORT, e);
	int *near = sends ? ret->neighbour : ret->peer, *far = sends ? ret->peer : ret->neighbour;
	uint32_t *n_near = sends ? &ret->n_neighbour : &ret->n_peer;
	uint32_t *n_far = sends ? &ret->n_peer : &ret->n_neighbour;

	if (listener < 0)
		return listener;
	if (listen(listener, PENALTY_MAX_FLOWS) < 0)
		return err_set(e, errno, "cannot listen");
	for (uint32_t i = 0; i < flows_of(p, kind); i++) {
		int fd = connect_to(sends ? own : &net->peer, sends ? &net->peer : own, e);

		if (fd < 0)
			return fd;
		near[(*n_near)++] = fd;
		fd = sock_accept(listener, clock_now_ns() + CONNECT_NS, e);
		if (fd < 0)
			return fd;
		far[(*n_far)++] = fd;
	}
	return 0;
}

/* ---- loads */

/* Of the sender; a receiver that knew of a rate would ask for the time of each datagram. */
static void fill_udp(struct load_cfg *cfg, const struct penalty *p, bool sends)
{
	cfg->packet_bytes = UDP_BYTES;
	cfg->rate_bps = sends ? p->cfg.rate_pps * UDP_BYTES * 8 / cfg->flows : 0;
	cfg->gso = cfg->gro = LOAD_SWITCH_OFF;
	cfg->pace = LOAD_PACE_OWN;
	cfg->udp_end_marker = false;
}

static int load_make(struct load **ret, const struct crew_task *task, bool sends, struct err *e)
{
	const struct load_ops *ops = load_find(penalty_kind_ops[task->kind].udp ? "udp" : "stream");
	struct load_cfg cfg = *ops->defaults;
	const struct load_args args = {.ops = ops,
		.cfg = &cfg,
		.near = sends,
		.cpus = &task->cpu,
		.n_cpus = 1,
		.opener = LOAD_OPENER_NONE};
	int r;

	cfg.dir = LOAD_DIR_TX;
	cfg.flows = task->n_fds;
	cfg.threads = 1;
	if (penalty_kind_ops[task->kind].udp)
		fill_udp(&cfg, task->penalty, sends);
	r = load_open(ret, &args, e);
	for (uint32_t i = 0; r == 0 && i < task->n_fds; i++)
		r = load_adopt(*ret, i, task->fd[i], e);
	return r;
}

/* Its own readings of clock and counters: on a CPU that is short they may be late, together. */
static void load_span(struct crew_task *task, const struct load *l, uint64_t begin_ns, bool sends)
{
	struct load_count a, b;
	uint64_t from_ns, to_ns;
	double s;

	crew_sleep_until(task, begin_ns);
	load_count(l, &a);
	from_ns = clock_now_ns();
	crew_sleep_until(task, atomic_load(&task->shared->end_ns));
	load_count(l, &b);
	to_ns = clock_now_ns();
	load_count_sub(&b, &a);
	s = (double)(to_ns - from_ns) / 1e9;
	task->said->bps = (double)(sends ? b.bytes_tx : b.bytes_rx) * 8 / s;
	if (penalty_kind_ops[task->kind].udp)
		task->said->pps = (double)(sends ? b.packets_tx : b.packets_rx) / s;
}

static int load_task(struct crew_task *task, bool sends, struct err *e)
{
	_cleanup_(load_closep) struct load *l = NULL;
	uint64_t begin_ns;
	int r = load_make(&l, task, sends, e);

	if (r < 0)
		return r;
	begin_ns = crew_ready(task);
	if (!begin_ns)
		return 0;
	r = load_start(l, begin_ns, atomic_load(&task->shared->end_ns), e);
	if (r < 0)
		return r;
	load_span(task, l, begin_ns, sends);
	crew_wait_stop(task);
	r = load_stop(l, NULL);
	(void)r; /* the other end may have stopped before */
	return 0;
}

static int sender(struct crew_task *task, struct err *e)
{
	return load_task(task, true, e);
}

static int receiver(struct crew_task *task, struct err *e)
{
	return load_task(task, false, e);
}

/* ---- GSO packets: full ones, on an absolute schedule; those that are late go at once */

static bool is_passing(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == ECONNREFUSED || error == EINTR;
}

static int gso_run(struct crew_task *task, struct err *e)
{
	const uint64_t pps = task->penalty->cfg.rate_pps ? task->penalty->cfg.rate_pps : GSO_PPS;
	const char payload[GSO_PACKETS * GSO_BYTES] = {0};
	const bool begun = crew_ready(task) > 0;
	const uint64_t first_ns = clock_now_ns(), end_ns = atomic_load(&task->shared->end_ns);

	for (uint64_t i = 0; begun && !crew_stopped(task); i++) {
		const uint64_t due_ns = first_ns + (uint64_t)((double)i * 1e9 / (double)pps);

		if (frame_pace_wait(due_ns, &task->shared->stop) >= end_ns)
			break;
		if (send(task->fd[0], payload, sizeof(payload), 0) == sizeof(payload))
			atomic_fetch_add_explicit(&task->said->packets, GSO_PACKETS,
				memory_order_relaxed);
		else if (!is_passing(errno))
			return err_set(e, errno, "cannot send GSO packets");
	}
	crew_wait_stop(task);
	return 0;
}

static int gso_sender(struct crew_task *task, struct err *e)
{
	int r = sock_set_int(task->fd[0], IPPROTO_UDP, UDP_SEGMENT, GSO_BYTES, "UDP_SEGMENT", e);

	return r < 0 ? r : gso_run(task, e);
}

/* ---- live frames */

/* Nobody looks at the marks; neither zero of one's complement. */
#define KEY 0x5aa5

static int frames_open(struct frame_stream **ret, const struct crew_task *task, struct err *e)
{
	const struct tenants_end *from = &task->net->peer;
	const struct tenants_end *to = &task->net->tenant[TENANT_NEIGHBOUR];
	struct frame_addr addr = {.dst_port = PORT, .ttl = 64};
	const struct frame_vary vary = {.flows = flows_of(task->penalty, task->kind),
		.networks = 1,
		.macs = 1};
	const struct frame_form form = {0};
	struct frame_mix mix;
	const struct frame_stream_args args = {.form = &form,
		.addr = &addr,
		.vary = &vary,
		.mix = &mix,
		.key = KEY};
	int r = frame_mix_parse(&mix, "64", task->penalty->cfg.mtu, e);

	memcpy(addr.src_mac, from->id.mac, sizeof(addr.src_mac));
	memcpy(addr.dst_mac, to->id.mac, sizeof(addr.dst_mac));
	if (r == 0 && (inet_pton(AF_INET, from->ip, addr.src_ip) != 1 ||
			      inet_pton(AF_INET, to->ip, addr.dst_ip) != 1))
		r = err_say(e, EINVAL, "an address of the lab is none");
	return r < 0 ? r : frame_stream_new(ret, &args, e);
}

static int frames_run(struct crew_task *task, const struct frame_tx_ops *ops, struct frame_tx *tx,
	struct err *e)
{
	const uint64_t pps = task->penalty->cfg.rate_pps ? task->penalty->cfg.rate_pps : UDP_PPS;
	const uint64_t begin_ns = crew_ready(task);
	struct frame_plan plan = {.magic = FRAME_MAGIC_TEST,
		.trial = 1,
		.begin_ns = clock_now_ns(),
		.end_ns = atomic_load(&task->shared->end_ns),
		.burst = task->penalty->cfg.burst,
		.n_phases = 1};
	struct frame_sent sent;
	int r;

	if (!begin_ns || plan.begin_ns >= plan.end_ns)
		return 0;
	plan.phase[0].gap_q16 = FRAME_GAP_Q16((double)pps);
	plan.phase[0].n_frames =
		(uint64_t)((double)(plan.end_ns - plan.begin_ns) * (double)pps / 1e9);
	r = ops->run(tx, &plan, &task->shared->stop, &sent, e);
	if (r < 0)
		return r;
	if (sent.last_ns > sent.first_ns)
		task->said->pps = (double)sent.sent * 1e9 / (double)(sent.last_ns - sent.first_ns);
	crew_wait_stop(task);
	return 0;
}

static int frames_sender(struct crew_task *task, struct err *e)
{
	const struct frame_tx_ops *ops = frame_tx_find("live");
	_cleanup_(frame_stream_freep) struct frame_stream *stream = NULL;
	const struct tenants_end *from = &task->net->peer;
	struct frame_port port = {.netns_fd = from->netns_fd,
		.ifindex = (uint32_t)from->id.ifindex,
		.mtu = from->id.mtu};
	struct frame_tx *tx;
	int r = frames_open(&stream, task, e);

	str_set(port.dev, from->dev);
	memcpy(port.mac, from->id.mac, sizeof(port.mac));
	if (r == 0)
		r = ops->open(&tx, &port, stream, e);
	if (r < 0)
		return r;
	r = frames_run(task, ops, tx, e);
	ops->close(tx);
	return r;
}

const struct kind_ops penalty_kind_ops[] = {
	[PENALTY_COMPUTE] = {.open = no_sockets, .neighbour = task_compute},
	[PENALTY_UDP_RX] = {.live = true,
		.udp = true,
		.sink = true,
		.open = sink_open,
		.neighbour = task_sink,
		.peer = frames_sender},
	[PENALTY_GSO_RX] = {.udp = true,
		.sink = true,
		.open = datagrams_open,
		.neighbour = task_sink,
		.peer = gso_sender},
	[PENALTY_TCP_RX] = {.open = streams_open, .neighbour = receiver, .peer = sender},
	[PENALTY_UDP_TX] = {.udp = true,
		.sends = true,
		.open = datagrams_open,
		.neighbour = sender,
		.peer = receiver},
	[PENALTY_TCP_TX] = {.sends = true,
		.open = streams_open,
		.neighbour = sender,
		.peer = receiver},
};
static_assert(ARRAY_SIZE(penalty_kind_ops) == PENALTY_KIND_N);
