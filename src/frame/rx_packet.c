/*
 * Receiver "packet": an AF_PACKET socket with a TPACKET_V3 ring. A filter lets in nothing but UDP,
 * so most of what is alien is not seen. Frames go up the stack as well, and are swallowed there if
 * they are to the echo port. The kernel stamps each frame when it has it, so
 * latency does not include the ring.
 */
#include "base/mem.h"
#include "frame/recv.h"
#include "sys/packet.h"

#include <errno.h>

struct frame_rx {
	struct frame_counter *counter;
	struct packet_ring *ring;
	bool verify, busy_poll;
	uint64_t overflowed_before;
};

static int rx_packet_probe(const struct frame_port *port, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	int r = packet_sender_open(&fd, port->netns_fd, port->ifindex, e);

	return frame_probed(r);
}

static void rx_packet_close(struct frame_rx *rx)
{
	packet_ring_close(rx->ring);
	frame_counter_free(rx->counter);
	free(rx);
}
DEFINE_CLEANUP(struct frame_rx *, rx_packet_close, rx_packet_closep)

static int rx_packet_open(struct frame_rx **ret, const struct frame_port *port,
	const struct frame_rx_args *args, struct err *e)
{
	const struct packet_ring_args ring = {port->netns_fd, port->ifindex, port->dev,
		FRAME_PORT_ECHO};
	_cleanup_(rx_packet_closep) struct frame_rx *rx = xcalloc(1, sizeof(*rx));
	int r;

	rx->verify = args->verify;
	rx->busy_poll = args->busy_poll;
	rx->counter = frame_counter_new(args->key, args->max_frames);
	r = packet_ring_open(&rx->ring, &ring, e);
	if (r < 0)
		return r;
	*ret = take_ptr(rx);
	return 0;
}

static void add(void *arg, const uint8_t *bytes, uint32_t len, uint64_t at_ns)
{
	frame_counter_add(arg, bytes, len, at_ns);
}

static uint32_t take(struct frame_rx *rx)
{
	return packet_ring_take(rx->ring, add, rx->counter);
}

static bool wait(struct frame_rx *rx, int timeout_ms)
{
	return packet_ring_wait(rx->ring, timeout_ms);
}

static void take_all(struct frame_rx *rx)
{
	while (take(rx) > 0 || wait(rx, 2 * PACKET_RETIRE_MS))
		;
}

/* Whatever still lies there is of before. */
static int rx_packet_begin(struct frame_rx *rx, uint8_t trial, bool latency, struct err *e)
{
	(void)e;
	take_all(rx);
	frame_counter_begin(rx->counter, trial, latency, rx->verify);
	rx->overflowed_before = packet_ring_overflowed(rx->ring);
	return 0;
}

static int rx_packet_run(struct frame_rx *rx, const atomic_bool *stop, struct err *e)
{
	const struct frame_receiver receiver = {rx, take, wait, rx->busy_poll};

	(void)e;
	frame_receive(&receiver, stop);
	take_all(rx);
	return 0;
}

static int rx_packet_read(struct frame_rx *rx, uint64_t n_sent, struct frame_count *ret,
	struct hist *hist, struct err *e)
{
	(void)e;
	frame_counter_read(rx->counter, n_sent, ret, hist);
	return 0;
}

static uint64_t rx_packet_overflowed(struct frame_rx *rx)
{
	return packet_ring_overflowed(rx->ring) - rx->overflowed_before;
}

static const uint64_t *rx_packet_seen(const struct frame_rx *rx)
{
	return frame_counter_seen(rx->counter);
}

const struct frame_rx_ops frame_rx_packet = {
	.name = "packet",
	.summary = "AF_PACKET socket with a TPACKET_V3 ring",
	.probe = rx_packet_probe,
	.open = rx_packet_open,
	.begin = rx_packet_begin,
	.run = rx_packet_run,
	.read = rx_packet_read,
	.seen = rx_packet_seen,
	.overflowed = rx_packet_overflowed,
	.close = rx_packet_close,
};
