/*
 * Sender "packet": an AF_PACKET socket, many frames in one sendmmsg(), past the device's queueing
 * discipline. Then a frame that the device dropped, its other half's queue being full, is an error
 * of the call, and is sent anew.
 */
#include "base/mem.h"
#include "frame/send.h"
#include "sys/packet.h"

#include <errno.h>
#include <sys/socket.h>

#define BATCH 64

struct frame_tx {
	struct frame_copies copies;
	uint8_t *base;
	struct mmsghdr *msg; /* [copies.n + BATCH]: from any copy on there is a batch in a row */
	struct iovec *iov;   /* the same */
	int fd;
};

static int packet_probe(const struct frame_port *port, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	int r = packet_sender_open(&fd, port->netns_fd, port->ifindex, e);

	return frame_probed(r);
}

static void packet_close(struct frame_tx *tx)
{
	closep(&tx->fd);
	free(tx->msg);
	free(tx->iov);
	free(tx->base);
	free(tx);
}
DEFINE_CLEANUP(struct frame_tx *, packet_close, packet_closep)

static void describe(struct frame_tx *tx)
{
	const struct frame_copies *c = &tx->copies;

	tx->msg = xcalloc(c->n + BATCH, sizeof(*tx->msg));
	tx->iov = xcalloc(c->n + BATCH, sizeof(*tx->iov));
	for (uint32_t i = 0; i < c->n + BATCH; i++) {
		tx->iov[i].iov_base = c->base + (size_t)(i % c->n) * c->stride;
		tx->iov[i].iov_len = frame_copies_slot(c, i % c->n)->len;
		tx->msg[i].msg_hdr.msg_iov = &tx->iov[i];
		tx->msg[i].msg_hdr.msg_iovlen = 1;
	}
}

static int packet_tx_open(struct frame_tx **ret, const struct frame_port *port,
	const struct frame_stream *stream, struct err *e)
{
	_cleanup_(packet_closep) struct frame_tx *tx = xcalloc(1, sizeof(*tx));
	int r;

	tx->fd = -1;
	frame_copies_plan(&tx->copies, stream, BATCH, 64);
	tx->base = xcalloc(tx->copies.n, tx->copies.stride);
	frame_copies_fill(&tx->copies, tx->base);
	describe(tx);
	r = packet_sender_open(&tx->fd, port->netns_fd, port->ifindex, e);
	if (r < 0)
		return r;
	*ret = take_ptr(tx);
	return 0;
}

static int push(struct frame_tx *tx, const struct frame_batch *b, struct err *e)
{
	int n;

	frame_copies_mark(&tx->copies, b);
	n = sendmmsg(tx->fd, &tx->msg[b->at], b->n, MSG_DONTWAIT);
	if (n >= 0)
		return n;
	if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)
		return 0;
	return err_set(e, errno, "a packet socket does not send");
}

static int packet_run(struct frame_tx *tx, const struct frame_plan *plan, const atomic_bool *stop,
	struct frame_sent *ret, struct err *e)
{
	const struct frame_sender sender = {push, tx, &tx->copies, BATCH};

	return frame_send(&sender, plan, stop, ret, e);
}

const struct frame_tx_ops frame_tx_packet = {
	.name = "packet",
	.summary = "AF_PACKET socket, sendmmsg() past the queueing discipline",
	.probe = packet_probe,
	.open = packet_tx_open,
	.run = packet_run,
	.close = packet_close,
};
