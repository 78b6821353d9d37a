#include "path/verify.h"

#include "base/clock.h"
#include "base/str.h"
#include "sys/ns.h"
#include "sys/signals.h"
#include "sys/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#define VERIFY_DEADLINE_NS (10 * NSEC_PER_SEC)
#define VERIFY_RETRY_NS    (100 * NSEC_PER_MSEC)
/* So long no packet came that those without a checksum are tried, too. */
#define VERIFY_BARE_AFTER 10
/*
 * Over a path that has just carried datagrams both ways. Ref: RFC 6298: a lost SYN is sent again
 * after 1 and 3 s, so two of them may get lost.
 */
#define VERIFY_TCP_NS (5 * NSEC_PER_SEC)
/* More than one of the largest packets a stack hands to a device, not much more than a window. */
#define VERIFY_TCP_BYTES ((size_t)80 << 10)

/* A reset may get lost as any packet may; nothing depends on it. */
#define VERIFY_RESET_NS (NSEC_PER_SEC / 2)

#define CHECKSUM_TRAP                                                                              \
	"the switch forwards packets whose checksum was left to a device that is not there; turn " \
	"tx checksum offload off at the ends (ethtool -K DEV tx off) or userspace-tso on"

/* What a datagram says of itself. */
#define WORD_WHOLE "tare verify"
#define WORD_BARE  "tare verify, no checksum"

static const char *any(const struct path *p)
{
	return p->cfg.ipv6 ? "::" : "0.0.0.0";
}

/* Return: a UDP socket at @end, bound to @ip there, or negative errno. */
static int udp_at(const struct path_end *end, const char *ip, uint16_t port, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, end->netns_fd, e);

	return r < 0 ? r : sock_bind(SOCK_DGRAM, ip, port, e);
}

/* Sends without a checksum, or takes what has none. Ref: RFC 768, RFC 6936. */
static int set_bare(const struct path *p, int tx, int rx, struct err *e)
{
	int r;

	if (!p->cfg.ipv6)
		return sock_set_int(tx, SOL_SOCKET, SO_NO_CHECK, 1, "SO_NO_CHECK", e);
	r = sock_set_int(tx, IPPROTO_UDP, UDP_NO_CHECK6_TX, 1, "UDP_NO_CHECK6_TX", e);
	return r < 0 ? r
		     : sock_set_int(rx, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1, "UDP_NO_CHECK6_RX", e);
}

struct probe {
	int whole_fd, bare_fd, rx_fd;
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

static void probe_close(struct probe *x)
{
	closep(&x->whole_fd);
	closep(&x->bare_fd);
	closep(&x->rx_fd);
}

/* @from_ip: what the sender is bound to */
static int probe_open(struct probe *x, const struct path *p, const struct path_end *from,
	const char *from_ip, const struct path_end *to, struct err *e)
{
	int r;

	x->whole_fd = udp_at(from, from_ip, 0, e);
	if (x->whole_fd < 0)
		return x->whole_fd;
	x->bare_fd = udp_at(from, from_ip, 0, e);
	if (x->bare_fd < 0)
		return x->bare_fd;
	x->rx_fd = udp_at(to, any(p), to->port, e);
	if (x->rx_fd < 0)
		return x->rx_fd;
	r = sock_addr(&x->addr, to->addr, to->port, e);
	if (r < 0)
		return r;
	x->addr_len = (socklen_t)r;
	return set_bare(p, x->bare_fd, x->rx_fd, e);
}

static int probe_send(const struct probe *x, int fd, const char *word)
{
	return sendto(fd, word, strlen(word), 0, (const struct sockaddr *)&x->addr, x->addr_len) < 0
		       ? -errno
		       : 0;
}

/*
 * Return: 0, -EBADMSG when only a packet without a checksum came, -ETIMEDOUT, -ECANCELED, or
 * another errno.
 */
static int probe_until(const struct probe *x, uint64_t deadline_ns, int cancel_fd)
{
	for (uint32_t i = 0; clock_left_ms(deadline_ns) > 0; i++) {
		char got[sizeof(WORD_BARE)] = "";
		int r = signals_pending(cancel_fd) ? -ECANCELED
						   : probe_send(x, x->whole_fd, WORD_WHOLE);

		if (r == 0 && i >= VERIFY_BARE_AFTER)
			r = probe_send(x, x->bare_fd, WORD_BARE);
		if (r == 0)
			r = sock_wait_readable(x->rx_fd, clock_now_ns() + VERIFY_RETRY_NS);
		if (r == -ETIMEDOUT)
			continue;
		if (r == 0 && recv(x->rx_fd, got, sizeof(got) - 1, 0) < 0)
			r = -errno;
		return r < 0 ? r : strcmp(got, WORD_WHOLE) == 0 ? 0 : -EBADMSG;
	}
	return -ETIMEDOUT;
}

/* Sends until something arrives: the first packets may wait for a neighbour's address. */
static int one_way(const struct path *p, const struct path_end *from, const char *from_ip,
	const struct path_end *to, const char *direction, struct err *e)
{
	_cleanup_(probe_close) struct probe x = {-1, -1, -1};
	int r = probe_open(&x, p, from, from_ip, to, e);

	if (r < 0)
		return r;
	r = probe_until(&x, clock_now_ns() + VERIFY_DEADLINE_NS, p->cancel_fd);
	if (r == -EBADMSG)
		return err_say(e, EBADMSG,
			"only packets without a checksum pass %s: " CHECKSUM_TRAP, direction);
	return r < 0 ? err_set(e, -r, "no packet came through %s", direction) : 0;
}

static int tcp_listen(const struct path *p, const struct path_end *end, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	int r = ns_scope_enter(&scope, end->netns_fd, e);

	if (r < 0)
		return r;
	fd = sock_bind(SOCK_STREAM, any(p), end->port, e);
	if (fd >= 0 && listen(fd, 1) < 0)
		return err_set(e, errno, "cannot listen");
	return take_fd(fd);
}

static int tcp_connect(const struct path *p, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	int r = ns_scope_enter(&scope, p->near.netns_fd, e);

	if (r < 0)
		return r;
	fd = sock_open(SOCK_STREAM, p->far.addr, e);
	if (fd < 0)
		return fd;
	r = sock_connect(fd, p->far.addr, p->far.port, deadline_ns, e);
	if (r == -ETIMEDOUT)
		return err_say(e, EBADMSG,
			"small packets pass but TCP moves nothing: " CHECKSUM_TRAP);
	return r < 0 ? r : take_fd(fd);
}

/* Return: 0, -ETIMEDOUT, or another errno. *ret: how much arrived. */
static int tcp_move(int tx, int rx, uint64_t deadline_ns, size_t *ret)
{
	static char buf[VERIFY_TCP_BYTES];
	size_t sent = 0;

	for (*ret = 0; *ret < sizeof(buf);) {
		ssize_t n = send(tx, buf, sizeof(buf) - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		int r;

		if (n < 0 && errno != EAGAIN)
			return -errno;
		sent += n > 0 ? (size_t)n : 0;
		r = sock_wait_readable(rx, deadline_ns);
		if (r < 0)
			return r;
		n = recv(rx, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		*ret += (size_t)n;
	}
	return 0;
}

static int tcp_way(int tx, int rx, const char *direction, struct err *e)
{
	size_t n;
	int r = tcp_move(tx, rx, clock_now_ns() + VERIFY_TCP_NS, &n);

	if (r == -ETIMEDOUT)
		return err_say(e, EBADMSG,
			"TCP connects, but after %zu of %zu bytes nothing more came %s: large "
			"packets are lost on the way (MTU, segmentation offload)",
			n, VERIFY_TCP_BYTES, direction);
	return r < 0 ? err_set(e, -r, "TCP broke off %s", direction) : 0;
}

/*
 * Leaves no trace: no TIME_WAIT, and no packet of it on its way when the next one is counted.
 * @fd is reset; what it sent has arrived when @other sees that.
 */
static void reset(int *fd, int other)
{
	const struct linger now = {.l_onoff = 1};

	if (setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0)
		return;
	closep(fd);
	(void)!sock_wait_readable(other, clock_now_ns() + VERIFY_RESET_NS);
}

static int verify_tcp(const struct path *p, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + VERIFY_TCP_NS;
	_cleanup_(closep) int listener = tcp_listen(p, &p->far, e);
	_cleanup_(closep) int near = listener < 0 ? listener : tcp_connect(p, deadline_ns, e);
	_cleanup_(closep) int far = near < 0 ? near : sock_accept(listener, deadline_ns, e);
	int r;

	if (far < 0)
		return far;
	r = tcp_way(near, far, "from near to far", e);
	if (r == 0)
		r = tcp_way(far, near, "from far to near", e);
	if (r == 0)
		reset(&far, near);
	return r;
}

/*
 * Another instance than the first: by its own addresses, which may be of use only a moment after
 * they were added. Ref: net/ipv6/addrconf.c, addrconf_dad_work adds the route to an own address.
 */
static int verify_instance(const struct path *p, uint32_t i, struct err *e)
{
	struct path_end near = p->near, far = p->far;
	int r;

	str_set(near.addr, p->instance[i].near);
	str_set(far.addr, p->instance[i].far);
	r = one_way(p, &near, near.addr, &far, "from near to far", e);
	if (r == 0)
		r = one_way(p, &far, far.addr, &near, "from far to near", e);
	return r < 0 ? err_wrap(e, "instance %u", i) : 0;
}

int path_verify(const struct path *p, struct err *e)
{
	int r = one_way(p, &p->near, any(p), &p->far, "from near to far", e);

	if (r == 0)
		r = one_way(p, &p->far, any(p), &p->near, "from far to near", e);
	for (uint32_t i = 1; r == 0 && i < p->n_instances; i++)
		r = verify_instance(p, i, e);
	return r < 0 ? r : verify_tcp(p, e);
}
