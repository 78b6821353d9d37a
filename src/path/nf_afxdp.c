/*
 * A function in user space: a process of ours, in the function's namespace, with an AF_XDP socket
 * on each of its devices and one pool of frames for both:
 *
 *	in  --xsk_rx--> [ process: a hop older, new hardware addresses ] --xsk_tx--> out
 *
 * A frame of one direction is filled into the socket that it came from when the other has sent it,
 * so each direction has half of the pool for good. What finds no room to be sent is dropped, as a
 * router drops it. The process ends with its control socket, and with tare.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "path/nf.h"
#include "sys/sock.h"
#include "sys/spawn.h"
#include "sys/xsk.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

/* As many as DPDK's and VPP's drivers have by default; with frames of 2 KiB, 8 MiB a function. */
#define RING        1024U
#define FRAME_BYTES 2048U
#define N_FRAMES    (2 * 2 * RING) /* each direction: to be received into, and to be sent */
#define BATCH       64U
/* Ref: include/linux/if_vlan.h VLAN_ETH_HLEN */
#define MAX_MTU (FRAME_BYTES - XSK_HEADROOM_BYTES - ETH_HLEN - 4)
/* A process, two sockets and a program; an emulated machine needs long for that. */
#define READY_NS (20 * NSEC_PER_SEC)
/* Frames that the device did not take at once are offered again after this. */
#define AGAIN_MS 1

const char *const nf_poll_name[] = {
	[NF_POLL_EVENT] = "event",
	[NF_POLL_BUSY] = "busy",
};
static_assert(ARRAY_SIZE(nf_poll_name) == NF_POLL_N);

/* What the process is told, and what it answers. */
struct task {
	struct nf_side side[NF_N_SIDES];
	bool busy, huge;
};
struct answer {
	int r;
	struct err e;
};

/* The process's own. */
struct forwarder {
	int netns_fd;
	struct task task;
	struct xsk_pool *pool;
	struct xsk *x[NF_N_SIDES];
	struct xsk_steer *steer[NF_N_SIDES];
};

/* One hop less, as src/bpf/packet.h does it. Ref: RFC 1141 */
static bool older_v4(uint8_t *at, uint32_t len)
{
	struct iphdr ip;
	uint32_t check;

	if (len < sizeof(ip))
		return false;
	memcpy(&ip, at, sizeof(ip));
	if (ip.ttl <= 1 || (__builtin_bswap32(ip.daddr) >> 28) >= 0xe)
		return false;
	check = ip.check + (uint32_t)__builtin_bswap16(0x0100);
	ip.check = (uint16_t)(check + (check >= 0xffff));
	ip.ttl--;
	memcpy(at, &ip, sizeof(ip));
	return true;
}

static bool older_v6(uint8_t *at, uint32_t len)
{
	struct ipv6hdr ip;

	if (len < sizeof(ip))
		return false;
	memcpy(&ip, at, sizeof(ip));
	if (ip.hop_limit <= 1 || ip.daddr.s6_addr[0] >= 0xfe)
		return false;
	ip.hop_limit--;
	memcpy(at, &ip, sizeof(ip));
	return true;
}

/* Return: whether the frame, now made ready, is to leave by @to. */
static bool forward(uint8_t *frame, uint32_t len, const struct nf_side *from,
	const struct nf_side *to)
{
	struct ethhdr eth;
	bool ok = false;

	if (len < sizeof(eth))
		return false;
	memcpy(&eth, frame, sizeof(eth));
	if (memcmp(eth.h_dest, from->id.mac, ETH_ALEN) != 0)
		return false;
	len -= sizeof(eth);
	if (eth.h_proto == __builtin_bswap16(ETH_P_IP))
		ok = older_v4(frame + sizeof(eth), len);
	else if (eth.h_proto == __builtin_bswap16(ETH_P_IPV6))
		ok = older_v6(frame + sizeof(eth), len);
	memcpy(eth.h_dest, to->next_mac, ETH_ALEN);
	memcpy(eth.h_source, to->id.mac, ETH_ALEN);
	memcpy(frame, &eth, sizeof(eth));
	return ok;
}

/* Queues a batch at the other side. What does not go, or not fit, is given back to be filled. */
static void pass_on(struct forwarder *f, int side, struct xsk_frame *frame, uint32_t n)
{
	uint8_t *base = xsk_pool_base(f->pool);
	struct xsk_frame good[BATCH], bad[BATCH];
	uint32_t n_good = 0, n_bad = 0, queued;

	for (uint32_t i = 0; i < n; i++) {
		if (forward(base + frame[i].addr, frame[i].len, &f->task.side[side],
			    &f->task.side[!side]))
			good[n_good++] = (struct xsk_frame){frame[i].addr, frame[i].len, 0};
		else
			bad[n_bad++] = frame[i];
	}
	queued = n_good ? xsk_tx(f->x[!side], good, n_good) : 0;
	for (uint32_t i = queued; i < n_good; i++)
		bad[n_bad++] = good[i];
	if (n_bad)
		(void)xsk_fill(f->x[side], bad, n_bad);
}

/* The kernel takes some at each call, and stops after one that the device dropped. */
static int send_queued(struct xsk *x, struct err *e)
{
	for (uint32_t i = 0; i < RING && xsk_tx_pending(x) > 0; i++) {
		uint32_t before = xsk_tx_pending(x);
		int r = xsk_tx_kick(x, e);

		if (r < 0 || (r == 0 && xsk_tx_pending(x) == before))
			return r;
	}
	return 0;
}

/* A turn of one direction. Return: whether there was anything, or negative errno. */
static int turn(struct forwarder *f, int side, struct err *e)
{
	struct xsk *from = f->x[side], *to = f->x[!side];
	struct xsk_frame frame[BATCH];
	uint32_t n = xsk_rx(from, frame, BATCH), done;
	int r;

	if (n)
		pass_on(f, side, frame, n);
	r = send_queued(to, e);
	while ((done = xsk_done(to, frame, BATCH)) > 0)
		(void)xsk_fill(from, frame, done);
	xsk_rx_kick(from);
	return r < 0 ? r : n > 0;
}

static bool is_over(int ctl_fd, const struct forwarder *f, int timeout_ms)
{
	struct pollfd p[] = {{ctl_fd, POLLIN, 0}, {xsk_fd(f->x[NF_IN]), POLLIN, 0},
		{xsk_fd(f->x[NF_OUT]), POLLIN, 0}};

	if (poll(p, ARRAY_SIZE(p), timeout_ms) < 0)
		return errno != EINTR;
	return p[0].revents;
}

/* Sleeps when there is nothing, unless it is to be busy; looks for the end now and then. */
static int run(struct forwarder *f, int ctl_fd, struct err *e)
{
	for (uint32_t i = 0;; i++) {
		int in = turn(f, NF_IN, e), out = in < 0 ? in : turn(f, NF_OUT, e);
		bool idle = in == 0 && out == 0;
		bool left = xsk_tx_pending(f->x[NF_IN]) || xsk_tx_pending(f->x[NF_OUT]);

		if (out < 0)
			return out;
		if (i % 1024 && (f->task.busy || !idle))
			continue;
		if (is_over(ctl_fd, f, f->task.busy || !idle ? 0 : left ? AGAIN_MS : -1))
			return 0;
	}
}

static int side_open(struct forwarder *f, int i, struct err *e)
{
	const struct xsk_args args = {
		.netns_fd = f->netns_fd,
		.ifindex = (uint32_t)f->task.side[i].id.ifindex,
		.mode = XSK_COPY,
		.rx_ring = RING,
		.tx_ring = RING,
		.busy_poll = f->task.busy,
	};
	int r = xsk_open(&f->x[i], f->pool, &args, e);

	if (r < 0)
		return r;
	(void)xsk_fill_new(f->x[i], (uint32_t)i * N_FRAMES / 2, RING);
	r = xsk_steer_open(&f->steer[i], f->netns_fd, args.ifindex, args.mode, 0, e);
	return r < 0 ? r : xsk_steer_to(f->steer[i], f->x[i], e);
}

static int forwarder_open(struct forwarder *f, struct err *e)
{
	int r = f->task.huge ? xsk_pool_new_huge(&f->pool, N_FRAMES, FRAME_BYTES, e)
			     : xsk_pool_new(&f->pool, N_FRAMES, FRAME_BYTES, e);

	for (int i = 0; r == 0 && i < NF_N_SIDES; i++)
		r = side_open(f, i, e);
	return r;
}

static int afxdp_main(int ctl_fd)
{
	struct forwarder f = {.netns_fd = ctl_fd + 1};
	struct answer a = {0};

	prctl(PR_SET_NAME, "tare-nf");
	if (read(ctl_fd, &f.task, sizeof(f.task)) != sizeof(f.task))
		return 1;
	a.r = forwarder_open(&f, &a.e);
	if (write(ctl_fd, &a, sizeof(a)) != sizeof(a) || a.r < 0)
		return 1;
	return run(&f, ctl_fd, &a.e) < 0;
}

static int wait_ready(const struct spawned *s, struct err *e)
{
	struct answer a;
	int r = sock_wait_readable(s->ctl_fd, clock_now_ns() + READY_NS);

	if (r < 0)
		return err_set(e, -r, "a forwarder on AF_XDP sockets does not start");
	if (read(s->ctl_fd, &a, sizeof(a)) != sizeof(a))
		return err_say(e, EIO, "a forwarder on AF_XDP sockets ended as it started");
	if (a.r < 0)
		*e = a.e;
	return a.r;
}

static int afxdp_start(struct nf *nf, const struct path *p, struct err *e)
{
	const struct spawn_args args = {.netns_fd = nf->netns_fd,
		.pass_fd = &nf->netns_fd,
		.n_pass = 1,
		.main = afxdp_main};
	struct spawned *s = xcalloc(1, sizeof(*s));
	struct task task = {.busy = p->cfg.nf_poll == NF_POLL_BUSY, .huge = p->cfg.nf_hugepages};
	int r;

	s->ctl_fd = -1;
	nf->state = s;
	memcpy(task.side, nf->side, sizeof(task.side));
	r = spawn_agent(s, &args, e);
	if (r < 0)
		return r;
	if (write(s->ctl_fd, &task, sizeof(task)) != sizeof(task))
		return err_set(e, errno, "cannot tell a forwarder its task");
	return wait_ready(s, e);
}

static pid_t afxdp_pid(const struct nf *nf)
{
	const struct spawned *s = nf->state;

	return s->pid;
}

/* Its rings fill up meanwhile, and what comes then is lost, as there is no traffic. */
static int afxdp_rest(struct nf *nf, bool rest, struct err *e)
{
	return kill(afxdp_pid(nf), rest ? SIGSTOP : SIGCONT) < 0
		       ? err_set(e, errno, "cannot stop a forwarder, or have it go on")
		       : 0;
}

static void afxdp_stop(struct nf *nf)
{
	struct spawned *s = nf->state;

	if (s->pid > 0)
		(void)kill(s->pid, SIGCONT); /* else it would not see its end */
	closep(&s->ctl_fd);
	(void)spawn_reap(s->pid);
	free(s);
}

const struct nf_ops nf_afxdp = {
	.frames = true,
	.max_mtu = MAX_MTU,
	.note = "each function is a process on AF_XDP sockets in copy mode; the ends and the "
		"switch's ports checksum and segment in software (tx-csum and tso off, gro on), "
		"as it hands on frames, not skbs",
	.start = afxdp_start,
	.rest = afxdp_rest,
	.pid = afxdp_pid,
	.stop = afxdp_stop,
};
