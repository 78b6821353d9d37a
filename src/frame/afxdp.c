/*
 * Sender "afxdp": an AF_XDP socket whose shared memory holds the frames, so that a mark is all that
 * is written for one. In copy mode (a veth device has no other) one call has the kernel make 32
 * skbs, and what it dropped for want of room in the device is known to the frame, and sent anew.
 * With zero-copy, frames are out when the device has read them.
 *
 * One queue: 0. Frames of more than a page don't fit.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "frame/send.h"
#include "sys/xdp.h"
#include "sys/xsk.h"

#include <errno.h>
#include <net/if.h>

#define CHUNK_BYTES 4096
#define RING        2048
#define LEAVE_NS    (1 * NSEC_PER_SEC) /* for a device to read what is queued */

struct frame_tx {
	struct frame_copies copies;
	struct xsk_pool *pool;
	struct xsk *xsk;
	uint32_t out; /* queued, and not known to be done with; with zero-copy only */
};

static int afxdp_probe(const struct frame_port *port, struct err *e)
{
	(void)port;
	return frame_probed(xdp_probe(e));
}

static void afxdp_close(struct frame_tx *tx)
{
	xsk_close(tx->xsk);
	xsk_pool_free(tx->pool);
	free(tx);
}
DEFINE_CLEANUP(struct frame_tx *, afxdp_close, afxdp_closep)

static int afxdp_open(struct frame_tx **ret, const struct frame_port *port,
	const struct frame_stream *stream, struct err *e)
{
	const struct xsk_args args = {
		.netns_fd = port->netns_fd,
		.ifindex = port->ifindex,
		.mode = XSK_BEST,
		.tx_ring = RING,
	};
	_cleanup_(afxdp_closep) struct frame_tx *tx = xcalloc(1, sizeof(*tx));
	int r;

	if (stream->max_len > CHUNK_BYTES)
		return err_say(e, EMSGSIZE,
			"a frame of %u bytes does not fit into the page that "
			"AF_XDP has for one",
			stream->max_len + FRAME_FCS_BYTES);
	/* No copy is written to again before the kernel, or the device, is done with it. */
	frame_copies_plan(&tx->copies, stream, 2 * RING, 128);
	r = xsk_pool_new(&tx->pool,
		(tx->copies.n * tx->copies.stride + CHUNK_BYTES - 1) / CHUNK_BYTES, CHUNK_BYTES, e);
	if (r < 0)
		return r;
	frame_copies_fill(&tx->copies, xsk_pool_base(tx->pool));
	r = xsk_open(&tx->xsk, tx->pool, &args, e);
	if (r < 0)
		return r;
	*ret = take_ptr(tx);
	return 0;
}

static void reap(struct frame_tx *tx)
{
	struct xsk_frame done[2 * XSK_TX_BATCH];

	tx->out -= MIN(xsk_done(tx->xsk, done, ARRAY_SIZE(done)), tx->out);
}

static void describe(const struct frame_copies *c, const struct frame_batch *b,
	struct xsk_frame *ret)
{
	const struct frame_slot *slot = c->stream->slot;
	uint32_t at = b->at, k = b->at % c->stream->n_slots;

	for (uint32_t i = 0; i < b->n; i++) {
		ret[i] = (struct xsk_frame){(uint64_t)at * c->stride, slot[k].len, 0};
		at = at + 1 == c->n ? 0 : at + 1;
		k = k + 1 == c->stream->n_slots ? 0 : k + 1;
	}
}

/* The driver reads on while this goes on, so nothing is taken back: queued is sent. */
static int push_zerocopy(struct frame_tx *tx, const struct xsk_frame *frame, uint32_t n,
	struct err *e)
{
	int r;

	n = tx->out + n > RING ? 0 : xsk_tx(tx->xsk, frame, n);
	tx->out += n;
	r = xsk_tx_kick(tx->xsk, e);
	return r < 0 ? r : (int)n;
}

/*
 * What was left in the ring the last time is due still, and due first, so the batch takes its
 * place, with numbers that go on from the last frame that really went.
 */
static int push_copy(struct frame_tx *tx, const struct xsk_frame *frame, uint32_t n, struct err *e)
{
	uint32_t left = xsk_tx_pending(tx->xsk);
	int r;

	assert(left <= n);
	xsk_tx_replace(tx->xsk, frame);
	n = left + xsk_tx(tx->xsk, frame + left, n - left);
	r = xsk_tx_kick(tx->xsk, e);
	if (r < 0)
		return r;
	return (int)(n - xsk_tx_pending(tx->xsk) - (r == XSK_DROPPED));
}

static int push(struct frame_tx *tx, const struct frame_batch *b, struct err *e)
{
	struct xsk_frame frame[XSK_TX_BATCH];

	frame_copies_mark(&tx->copies, b);
	describe(&tx->copies, b, frame);
	reap(tx);
	return xsk_zerocopy(tx->xsk) ? push_zerocopy(tx, frame, b->n, e)
				     : push_copy(tx, frame, b->n, e);
}

/* Nothing is queued that the next plan would send. */
static int settle(struct frame_tx *tx, struct err *e)
{
	const uint64_t give_up_ns = clock_now_ns() + LEAVE_NS;
	int r;

	if (!xsk_zerocopy(tx->xsk))
		return xsk_tx_cancel(tx->xsk, e);
	for (reap(tx); tx->out; reap(tx)) {
		r = xsk_tx_kick(tx->xsk, e);
		if (r < 0)
			return r;
		if (clock_now_ns() > give_up_ns)
			return err_say(e, ETIMEDOUT, "a device keeps %u frames that it is to send",
				tx->out);
	}
	return 0;
}

static int afxdp_run(struct frame_tx *tx, const struct frame_plan *plan, const atomic_bool *stop,
	struct frame_sent *ret, struct err *e)
{
	const struct frame_sender sender = {push, tx, &tx->copies, XSK_TX_BATCH};
	int r = frame_send(&sender, plan, stop, ret, e);

	return r < 0 ? r : settle(tx, e);
}

const struct frame_tx_ops frame_tx_afxdp = {
	.name = "afxdp",
	.summary = "AF_XDP socket, frames in memory shared with the kernel",
	.probe = afxdp_probe,
	.open = afxdp_open,
	.run = afxdp_run,
	.close = afxdp_close,
};
