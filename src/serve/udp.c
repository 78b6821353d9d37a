/*
 * First datagrams of UDP flows. Each flow gets a socket of its own, bound to the server's port and
 * connected to the peer; the kernel prefers it for that peer from then on.
 *
 * The server answers nobody here: the session does, once the socket is its own, and it exists only
 * because of a TCP connection from that same address. A datagram with a false source makes the
 * server send nothing.
 */
#include "base/cleanup.h"
#include "serve/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Datagrams read at a time, for the rest of the listener to get its turn in a flood. */
#define READ_BATCH 64
/* Most that can be queued between bind() and connect(): a receive buffer of small datagrams. */
#define DRAIN_MAX 1024

/* Where a datagram was sent to, from its control messages; the port is the socket's. */
static void local_of(struct msghdr *msg, struct peer *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct sockaddr_storage addr = {0};

		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&addr;
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			v6->sin6_family = AF_INET6;
			v6->sin6_addr = info.ipi6_addr;
			v6->sin6_scope_id = info.ipi6_ifindex;
			peer_from(ret, &addr);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct sockaddr_in *v4 = (struct sockaddr_in *)&addr;
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			v4->sin_family = AF_INET;
			v4->sin_addr = info.ipi_addr;
			peer_from(ret, &addr);
		}
	}
}

/* Return: 0, or negative errno: none there. */
static int receive(int fd, struct stray *ret)
{
	struct sockaddr_storage from;
	struct iovec iov = {.iov_base = ret->data, .iov_len = sizeof(ret->data)};
	union {
		char space[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			   CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return -errno;
	ret->len = (size_t)n;
	ret->to = (struct peer){0};
	peer_from(&ret->from, &from);
	local_of(&msg, &ret->to);
	return 0;
}

/* SO_REUSEADDR is on for the listener's socket only while a flow's is being bound beside it. */
static int bind_beside(struct server *s, int fd, const struct peer *to)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	struct peer local = *to, own;
	const int on = 1, off = 0;
	int r;

	if (getsockname(s->udp_fd, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	peer_from(&own, &addr);
	local.port = own.port;
	len = peer_sockaddr(&local, s->family, &addr);
	if (setsockopt(s->udp_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	r = bind(fd, (struct sockaddr *)&addr, len) < 0 ? -errno : 0;
	(void)setsockopt(s->udp_fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
	return r;
}

/* What others sent into the socket before it was connected goes back to where it belongs. */
static void drain(struct server *s, int fd, const struct stray *hello)
{
	for (int i = 0; i < DRAIN_MAX; i++) {
		struct stray d;

		if (receive(fd, &d) < 0)
			return;
		if (peer_same_host(&d.from, &hello->from) && d.from.port == hello->from.port)
			continue; /* the hello repeated */
		d.to = hello->to;
		if (s->n_strays < STRAY_MAX)
			s->stray[s->n_strays++] = d;
		else
			s->n_datagrams_dropped++;
	}
}

static int open_flow(struct server *s, const struct stray *hello)
{
	_cleanup_(closep) int fd = socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage addr;
	socklen_t len = peer_sockaddr(&hello->from, s->family, &addr);
	const int on = 1, off = 0;
	int r;

	if (fd < 0)
		return -errno;
	if (s->family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	r = bind_beside(s, fd, &hello->to);
	if (r < 0)
		return r;
	r = connect(fd, (struct sockaddr *)&addr, len) < 0 ? -errno : 0;
	drain(s, fd, hello);
	return r < 0 ? r : take_fd(fd);
}

/* Was this flow opened already, by an earlier copy of the same hello? */
static bool known(const struct session *x, const struct stray *hello, const struct sniff *sniff)
{
	for (uint32_t i = 0; i < x->n_flows; i++)
		if (x->port[i] == hello->from.port ||
			(sniff->kind == SNIFF_HELLO && x->flow[i] == sniff->flow))
			return true;
	return false;
}

static struct session *owner(struct server *s, const struct stray *d, const struct sniff *sniff)
{
	struct session *x = NULL;

	if (sniff->kind == SNIFF_IPERF_HELLO)
		x = turn_holder(s, &d->from);
	else if (sniff->kind == SNIFF_HELLO)
		x = session_by_token(s, sniff->token);
	return x && x->expects && x->udp && peer_same_host(&x->peer, &d->from) ? x : NULL;
}

static void take(struct server *s, const struct stray *d)
{
	struct sniff sniff = sniff_datagram(d->data, d->len);
	struct session *x = owner(s, d, &sniff);
	_cleanup_(closep) int fd = -1;
	uint32_t flow;

	if (x && known(x, d, &sniff))
		return;
	if (!x || x->n_flows >= x->max_flows) {
		s->n_datagrams_dropped++;
		return;
	}
	flow = sniff.kind == SNIFF_HELLO ? sniff.flow : x->n_flows;
	fd = open_flow(s, d);
	if (fd < 0 || session_give(x, fd, flow) < 0) {
		s->n_datagrams_dropped++;
		return;
	}
	x->port[x->n_flows - 1] = d->from.port;
}

void udp_read(struct server *s)
{
	for (int i = 0; i < READ_BATCH; i++) {
		struct stray d;

		if (receive(s->udp_fd, &d) < 0)
			return;
		take(s, &d);
		while (s->n_strays > 0) {
			d = s->stray[--s->n_strays];
			take(s, &d);
		}
	}
}
