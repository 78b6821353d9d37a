/*
 * Receiver "udp": a UDP socket on the echo port, many datagrams in one recvmmsg(). It takes no more
 * than the right to bind that port (sysctl net.ipv4.ip_unprivileged_port_start). The kernel has
 * checked headers and checksum and taken the headers off, so a corrupt frame is a lost one; the
 * counter sees each datagram behind headers put in front of it here. Its length is taken to be that
 * of a frame without a tag, of the smallest at least.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "frame/headers.h"
#include "frame/recv.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#define BATCH      64
#define ROOM_BYTES (8 << 20) /* of the socket, as far as it may be had: 10000 frames */
#define HEAD_BYTES (ETH_HEAD_BYTES + IPV6_HEAD_BYTES + UDP_HEAD_BYTES)

struct frame_rx {
	struct frame_counter *counter;
	int fd;
	bool busy_poll;
	uint32_t overflowed_before;
	uint8_t *room; /* [BATCH][HEAD_BYTES + FRAME_MAX_BYTES]: a datagram is at HEAD_BYTES */
	struct sockaddr_in6 from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr msg[BATCH];
};

static int rx_udp_probe(const struct frame_port *port, struct err *e)
{
	(void)port;
	(void)e;
	return 0;
}

static void rx_udp_close(struct frame_rx *rx)
{
	closep(&rx->fd);
	frame_counter_free(rx->counter);
	free(rx->room);
	free(rx);
}
DEFINE_CLEANUP(struct frame_rx *, rx_udp_close, rx_udp_closep)

static int open_socket(struct frame_rx *rx, const struct frame_port *port, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const int room = ROOM_BYTES;
	int r = ns_scope_enter(&scope, port->netns_fd, e);

	if (r < 0)
		return r;
	rx->fd = sock_open(SOCK_DGRAM, "::", e);
	if (rx->fd < 0)
		return rx->fd;
	/* Two ports may be in one namespace. Any user may do this since Linux 5.7. */
	if (setsockopt(rx->fd, SOL_SOCKET, SO_BINDTODEVICE, port->dev,
		    (socklen_t)strlen(port->dev)) < 0)
		return err_set(e, errno, "cannot bind a UDP socket to device '%s'", port->dev);
	if (setsockopt(rx->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(rx->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return sock_bind_fd(rx->fd, "::", FRAME_PORT_ECHO, e);
}

static void describe(struct frame_rx *rx)
{
	rx->room = xcalloc(BATCH, HEAD_BYTES + FRAME_MAX_BYTES);
	for (uint32_t i = 0; i < BATCH; i++) {
		struct msghdr *msg = &rx->msg[i].msg_hdr;

		rx->iov[i].iov_base =
			rx->room + (size_t)i * (HEAD_BYTES + FRAME_MAX_BYTES) + HEAD_BYTES;
		rx->iov[i].iov_len = FRAME_MAX_BYTES;
		msg->msg_iov = &rx->iov[i];
		msg->msg_iovlen = 1;
		msg->msg_name = &rx->from[i];
	}
}

static int rx_udp_open(struct frame_rx **ret, const struct frame_port *port,
	const struct frame_rx_args *args, struct err *e)
{
	_cleanup_(rx_udp_closep) struct frame_rx *rx = xcalloc(1, sizeof(*rx));
	int r;

	rx->fd = -1;
	rx->busy_poll = args->busy_poll;
	rx->counter = frame_counter_new(args->key, args->max_frames);
	describe(rx);
	r = open_socket(rx, port, e);
	if (r < 0)
		return r;
	*ret = take_ptr(rx);
	return 0;
}

/* Headers in front of a datagram as far as the counter reads them. Return: where they begin. */
static uint8_t *put_heads(uint8_t *payload, uint32_t len, bool ipv6)
{
	uint8_t *udp = payload - UDP_HEAD_BYTES;
	uint8_t *ip = udp - (ipv6 ? IPV6_HEAD_BYTES : IPV4_HEAD_BYTES);

	put16(ip - 2, ipv6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	ip[0] = ipv6 ? 0x60 : 0x45;
	ip[ipv6 ? 6 : 9] = IP_PROTO_UDP;
	/* Of IPv6, what follows the header; of IPv4, the whole packet, which is in one piece. */
	put16(ip + (ipv6 ? 4 : 2), (uint16_t)(payload + len - (ipv6 ? udp : ip)));
	if (!ipv6)
		put16(ip + 6, 0);
	put16(udp + 2, FRAME_PORT_ECHO);
	put16(udp + 4, (uint16_t)(UDP_HEAD_BYTES + len));
	return ip - ETH_HEAD_BYTES;
}

static void add(struct frame_rx *rx, uint32_t i, uint64_t now_ns)
{
	const bool ipv6 = !IN6_IS_ADDR_V4MAPPED(&rx->from[i].sin6_addr);
	const uint32_t len = rx->msg[i].msg_len;
	uint8_t *payload = rx->iov[i].iov_base;
	const uint8_t *frame = put_heads(payload, len, ipv6);
	const uint32_t whole = (uint32_t)(payload - frame) + len;

	frame_counter_add(rx->counter, frame, MAX(whole, (uint32_t)ETH_LEAST_BYTES), now_ns);
}

static uint32_t take(struct frame_rx *rx)
{
	uint64_t now_ns;
	int n;

	for (uint32_t i = 0; i < BATCH; i++)
		rx->msg[i].msg_hdr.msg_namelen = sizeof(rx->from[i]);
	n = recvmmsg(rx->fd, rx->msg, BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return 0;
	now_ns = clock_now_ns();
	for (uint32_t i = 0; i < (uint32_t)n; i++)
		add(rx, i, now_ns);
	return (uint32_t)n;
}

static bool wait(struct frame_rx *rx, int timeout_ms)
{
	struct pollfd p = {.fd = rx->fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) > 0;
}

/* Whatever still lies there is of before. */
static int rx_udp_begin(struct frame_rx *rx, uint8_t trial, bool latency, struct err *e)
{
	(void)e;
	while (take(rx) > 0)
		;
	frame_counter_begin(rx->counter, trial, latency, false);
	rx->overflowed_before = (uint32_t)sock_drops(rx->fd);
	return 0;
}

static int rx_udp_run(struct frame_rx *rx, const atomic_bool *stop, struct err *e)
{
	const struct frame_receiver receiver = {rx, take, wait, rx->busy_poll};

	(void)e;
	frame_receive(&receiver, stop);
	return 0;
}

static int rx_udp_read(struct frame_rx *rx, uint64_t n_sent, struct frame_count *ret,
	struct hist *hist, struct err *e)
{
	(void)e;
	frame_counter_read(rx->counter, n_sent, ret, hist);
	return 0;
}

/* The kernel's counter has 32 bits. It counts wrong checksums, too. */
static uint64_t rx_udp_overflowed(struct frame_rx *rx)
{
	return (uint32_t)sock_drops(rx->fd) - rx->overflowed_before;
}

static const uint64_t *rx_udp_seen(const struct frame_rx *rx)
{
	return frame_counter_seen(rx->counter);
}

const struct frame_rx_ops frame_rx_udp = {
	.name = "udp",
	.summary = "UDP socket; the kernel checks and takes off the headers",
	.probe = rx_udp_probe,
	.open = rx_udp_open,
	.begin = rx_udp_begin,
	.run = rx_udp_run,
	.read = rx_udp_read,
	.seen = rx_udp_seen,
	.overflowed = rx_udp_overflowed,
	.close = rx_udp_close,
};
