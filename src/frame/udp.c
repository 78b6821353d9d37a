/*
 * Sender "udp": UDP sockets, one for each flow and address, and many datagrams in one sendmmsg().
 * It takes no privilege; the kernel makes the headers, by its routes and neighbours, so the device
 * must have the stream's source addresses, and tags, hardware addresses and broadcasts of a stream
 * are not to be had. A device that drops a datagram is told of and it is sent anew, as IP_RECVERR
 * has it.
 *
 * A call sends for one socket: with many of them each datagram is a call.
 */
#include "base/mem.h"
#include "frame/send.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define BATCH 64

struct frame_tx {
	struct frame_copies copies;
	uint8_t *base;
	uint32_t n_fds;
	int *fd;                      /* [n_fds]: flows of the first address, of the second, ... */
	uint32_t *socket;             /* [copies.n]: which of them */
	struct sockaddr_storage *dst; /* [copies.n]; NULL: there is one destination */
	struct mmsghdr *msg;          /* [copies.n + BATCH]: a batch in a row from any copy on */
	struct iovec *iov;            /* the same */
};

/* Addresses are seen to when they are known, by open(). */
static int udp_probe(const struct frame_port *port, struct err *e)
{
	(void)port;
	(void)e;
	return 0;
}

static void udp_close(struct frame_tx *tx)
{
	for (uint32_t i = 0; i < tx->n_fds; i++)
		closep(&tx->fd[i]);
	free(tx->fd);
	free(tx->socket);
	free(tx->dst);
	free(tx->msg);
	free(tx->iov);
	free(tx->base);
	free(tx);
}
DEFINE_CLEANUP(struct frame_tx *, udp_close, udp_closep)

static int can_have(const struct frame_stream *s, struct err *e)
{
	if (s->form.vlan)
		return err_say(e, EOPNOTSUPP, "a UDP socket makes no VLAN tags");
	if (s->vary.macs > 1)
		return err_say(e, EOPNOTSUPP, "a UDP socket does not choose hardware addresses");
	if (s->vary.broadcast_every)
		return err_say(e, EOPNOTSUPP, "a UDP socket sends no broadcast frames");
	return 0;
}

static void address(struct sockaddr_storage *ret, bool ipv6, const uint8_t *ip, uint16_t port)
{
	*ret = (struct sockaddr_storage){.ss_family = ipv6 ? AF_INET6 : AF_INET};
	if (ipv6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, ip, sizeof(in6->sin6_addr));
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_port = htons(port);
		memcpy(&in->sin_addr, ip, sizeof(in->sin_addr));
	}
}

static uint16_t port_of(const struct frame_addr *addr)
{
	return addr->dst_port ? addr->dst_port : FRAME_PORT_ECHO;
}

static socklen_t address_bytes(bool ipv6)
{
	return ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static int set_options(int fd, bool ipv6, uint8_t ttl, struct err *e)
{
	const int level = ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int r = sock_set_int(fd, level, ipv6 ? IPV6_UNICAST_HOPS : IP_TTL, ttl ?: FRAME_TTL,
		"IP_TTL", e);

	return r < 0 ? r
		     : sock_set_int(fd, level, ipv6 ? IPV6_RECVERR : IP_RECVERR, 1, "IP_RECVERR",
			       e);
}

static int open_flow(int *ret_fd, const struct frame_addr *addr, bool ipv6, uint16_t src_port,
	struct err *e)
{
	_cleanup_(closep) int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage src, dst;
	int r;

	if (fd < 0)
		return err_set(e, errno, "cannot open a UDP socket");
	r = set_options(fd, ipv6, addr->ttl, e);
	if (r < 0)
		return r;
	address(&src, ipv6, addr->src_ip, src_port);
	address(&dst, ipv6, addr->dst_ip, port_of(addr));
	if (bind(fd, (struct sockaddr *)&src, address_bytes(ipv6)) < 0)
		return err_set(e, errno,
			"cannot bind a UDP socket to port %u of the source address", src_port);
	if (connect(fd, (struct sockaddr *)&dst, address_bytes(ipv6)) < 0)
		return err_set(e, errno, "no way to the destination address for a UDP socket");
	*ret_fd = take_fd(fd);
	return 0;
}

static int open_flows(struct frame_tx *tx, int netns_fd, const struct frame_stream *s,
	struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, netns_fd, e);

	tx->fd = xcalloc((size_t)s->n_addrs * s->vary.flows, sizeof(*tx->fd));
	for (; r == 0 && tx->n_fds < s->n_addrs * s->vary.flows; tx->n_fds += r == 0)
		r = open_flow(&tx->fd[tx->n_fds], &s->addr[tx->n_fds / s->vary.flows], s->form.ipv6,
			(uint16_t)(FRAME_PORT_FIRST + tx->n_fds % s->vary.flows), e);
	return r;
}

/* Ports are in the UDP header, in front of the mark; the IP header ends with the destination. */
static uint32_t flow_of(const struct frame_slot *slot)
{
	const uint8_t *udp = slot->bytes + slot->mark_at - 8;

	return (uint16_t)((udp[0] << 8 | udp[1]) - FRAME_PORT_FIRST);
}

static void describe(struct frame_tx *tx)
{
	const struct frame_copies *c = &tx->copies;
	const struct frame_stream *s = c->stream;
	const bool ipv6 = s->form.ipv6, many = s->vary.networks > 1;

	tx->socket = xcalloc(c->n, sizeof(*tx->socket));
	tx->dst = many ? xcalloc(c->n, sizeof(*tx->dst)) : NULL;
	tx->msg = xcalloc(c->n + BATCH, sizeof(*tx->msg));
	tx->iov = xcalloc(c->n + BATCH, sizeof(*tx->iov));
	for (uint32_t i = 0; i < c->n + BATCH; i++) {
		const struct frame_slot *slot = frame_copies_slot(c, i % c->n);
		const uint32_t which = i % c->n % s->n_addrs;
		struct msghdr *msg = &tx->msg[i].msg_hdr;

		tx->socket[i % c->n] = which * s->vary.flows + flow_of(slot);
		tx->iov[i].iov_base = c->base + (size_t)(i % c->n) * c->stride + slot->mark_at;
		tx->iov[i].iov_len = slot->len - slot->mark_at;
		msg->msg_iov = &tx->iov[i];
		msg->msg_iovlen = 1;
		if (!many)
			continue;
		address(&tx->dst[i % c->n], ipv6, slot->bytes + slot->mark_at - 8 - (ipv6 ? 16 : 4),
			port_of(&s->addr[which]));
		msg->msg_name = &tx->dst[i % c->n];
		msg->msg_namelen = address_bytes(ipv6);
	}
}

static int udp_open(struct frame_tx **ret, const struct frame_port *port,
	const struct frame_stream *stream, struct err *e)
{
	_cleanup_(udp_closep) struct frame_tx *tx = xcalloc(1, sizeof(*tx));
	int r = can_have(stream, e);

	if (r == 0)
		r = open_flows(tx, port->netns_fd, stream, e);
	if (r < 0)
		return err_wrap(e, "'%s'", port->dev);
	frame_copies_plan(&tx->copies, stream, BATCH, 64);
	tx->base = xcalloc(tx->copies.n, tx->copies.stride);
	frame_copies_fill(&tx->copies, tx->base);
	describe(tx);
	*ret = take_ptr(tx);
	return 0;
}

/* Frames of a batch from its @done'th on that are of the same socket. */
static uint32_t run_of(const struct frame_tx *tx, const struct frame_batch *b, uint32_t done)
{
	const uint32_t which = tx->socket[(b->at + done) % tx->copies.n];
	uint32_t n = 1;

	if (tx->n_fds == 1)
		return b->n - done;
	while (done + n < b->n && tx->socket[(b->at + done + n) % tx->copies.n] == which)
		n++;
	return n;
}

/* ICMP errors come by the next call; they say nothing about the datagram that it is to send. */
static bool is_passing(int errnum)
{
	return errnum == ENOBUFS || errnum == EAGAIN || errnum == EINTR || errnum == ECONNREFUSED ||
	       errnum == EHOSTUNREACH || errnum == ENETUNREACH;
}

static int push(struct frame_tx *tx, const struct frame_batch *b, struct err *e)
{
	uint32_t done = 0;

	frame_copies_mark(&tx->copies, b);
	while (done < b->n) {
		const uint32_t n = run_of(tx, b, done);
		const int fd = tx->fd[tx->socket[(b->at + done) % tx->copies.n]];
		const int sent =
			sendmmsg(fd, &tx->msg[(b->at + done) % tx->copies.n], n, MSG_DONTWAIT);

		if (sent < 0 && !is_passing(errno))
			return err_set(e, errno, "a UDP socket does not send");
		done += sent > 0 ? (uint32_t)sent : 0;
		if (sent < (int)n)
			break;
	}
	return (int)done;
}

static int udp_run(struct frame_tx *tx, const struct frame_plan *plan, const atomic_bool *stop,
	struct frame_sent *ret, struct err *e)
{
	const struct frame_sender sender = {push, tx, &tx->copies, BATCH};

	return frame_send(&sender, plan, stop, ret, e);
}

const struct frame_tx_ops frame_tx_udp = {
	.name = "udp",
	.summary = "UDP sockets, which anybody may open; the kernel makes the headers",
	.probe = udp_probe,
	.open = udp_open,
	.run = udp_run,
	.close = udp_close,
};
