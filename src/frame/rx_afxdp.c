/*
 * Receiver "afxdp": an XDP program in the device's driver steers UDP into an
 * AF_XDP socket; everything else goes up the stack, is counted as alien, and answered by the kernel
 * if it is ARP. Test frames never become skbs here.
 *
 * One queue: 0, all that a veth device made by this program has; what comes in by another goes up
 * the stack, too. Frames of more than a page, less the room that XDP wants, don't fit.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "frame/recv.h"
#include "sys/xdp.h"
#include "sys/xsk.h"

#include <errno.h>

#define BATCH 64
#define RING  4096 /* more cost the kernel cache misses: 16384 a quarter of the rate */

struct frame_rx {
	struct frame_counter *counter;
	struct xsk_pool *pool;
	struct xsk *xsk;
	struct xsk_steer *steer;
	bool verify, busy_poll;
	uint64_t passed_before, overflowed_before;
};

static int rx_afxdp_probe(const struct frame_port *port, struct err *e)
{
	(void)port;
	return frame_probed(xdp_probe(e));
}

static void rx_afxdp_close(struct frame_rx *rx)
{
	xsk_steer_close(rx->steer);
	xsk_close(rx->xsk);
	xsk_pool_free(rx->pool);
	frame_counter_free(rx->counter);
	free(rx);
}
DEFINE_CLEANUP(struct frame_rx *, rx_afxdp_close, rx_afxdp_closep)

static int open_socket(struct frame_rx *rx, const struct frame_port *port, bool busy_poll,
	struct err *e)
{
	const struct xsk_args args = {
		.netns_fd = port->netns_fd,
		.ifindex = port->ifindex,
		.mode = XSK_BEST,
		.rx_ring = RING,
		.busy_poll = busy_poll,
	};
	/* The Ethernet header and two VLAN tags are not of the MTU. */
	const bool small = port->mtu + 22 <= 2048 - XSK_HEADROOM_BYTES;
	int r = xsk_pool_new(&rx->pool, RING, small ? 2048 : 4096, e);

	if (r == 0)
		r = xsk_open(&rx->xsk, rx->pool, &args, e);
	if (r < 0)
		return r;
	(void)xsk_fill_new(rx->xsk, 0, RING);
	return 0;
}

static int rx_afxdp_open(struct frame_rx **ret, const struct frame_port *port,
	const struct frame_rx_args *args, struct err *e)
{
	_cleanup_(rx_afxdp_closep) struct frame_rx *rx = xcalloc(1, sizeof(*rx));
	int r;

	rx->counter = frame_counter_new(args->key, args->max_frames);
	rx->verify = args->verify;
	rx->busy_poll = args->busy_poll;
	r = open_socket(rx, port, args->busy_poll, e);
	if (r == 0)
		r = xsk_steer_open(&rx->steer, port->netns_fd, port->ifindex, XSK_BEST, true, e);
	if (r == 0)
		r = xsk_steer_to(rx->steer, rx->xsk, e);
	if (r < 0)
		return r;
	*ret = take_ptr(rx);
	return 0;
}

/* Return: how many came. */
static uint32_t take(struct frame_rx *rx)
{
	const uint8_t *base = xsk_pool_base(rx->pool);
	struct xsk_frame frame[BATCH];
	uint32_t n = xsk_rx(rx->xsk, frame, BATCH);
	uint64_t now_ns;

	if (n == 0) {
		xsk_rx_kick(rx->xsk);
		return 0;
	}
	/* They are all here now: when the last is counted is no matter of theirs. */
	now_ns = clock_now_ns();
	for (uint32_t i = 0; i < n; i++)
		frame_counter_add(rx->counter, base + frame[i].addr, frame[i].len, now_ns);
	(void)xsk_fill(rx->xsk, frame, n);
	return n;
}

/* Whatever still lies there is of before. */
static int rx_afxdp_begin(struct frame_rx *rx, uint8_t trial, bool latency, struct err *e)
{
	(void)e;
	while (take(rx) > 0)
		;
	frame_counter_begin(rx->counter, trial, latency, rx->verify);
	rx->passed_before = xsk_steer_passed(rx->steer);
	rx->overflowed_before = xsk_overflowed(rx->xsk);
	return 0;
}

static bool wait(struct frame_rx *rx, int timeout_ms)
{
	return xsk_rx_wait(rx->xsk, timeout_ms);
}

static int rx_afxdp_run(struct frame_rx *rx, const atomic_bool *stop, struct err *e)
{
	const struct frame_receiver receiver = {rx, take, wait, rx->busy_poll};

	(void)e;
	frame_receive(&receiver, stop);
	return 0;
}

static int rx_afxdp_read(struct frame_rx *rx, uint64_t n_sent, struct frame_count *ret,
	struct hist *hist, struct err *e)
{
	(void)e;
	frame_counter_read(rx->counter, n_sent, ret, hist);
	ret->alien += xsk_steer_passed(rx->steer) - rx->passed_before;
	return 0;
}

static uint64_t rx_afxdp_overflowed(struct frame_rx *rx)
{
	return xsk_overflowed(rx->xsk) - rx->overflowed_before;
}

static const uint64_t *rx_afxdp_seen(const struct frame_rx *rx)
{
	return frame_counter_seen(rx->counter);
}

const struct frame_rx_ops frame_rx_afxdp = {
	.name = "afxdp",
	.summary = "AF_XDP socket behind an XDP program in the driver",
	.probe = rx_afxdp_probe,
	.open = rx_afxdp_open,
	.begin = rx_afxdp_begin,
	.run = rx_afxdp_run,
	.read = rx_afxdp_read,
	.seen = rx_afxdp_seen,
	.overflowed = rx_afxdp_overflowed,
	.close = rx_afxdp_close,
};
