#include "iperf/sockets.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* How long iperf3 waits for the answer to its UDP hello; ours is repeated within it. */
#define HELLO_NS       (30 * NSEC_PER_SEC)
#define HELLO_RETRY_NS (250 * NSEC_PER_MSEC)
/* Looked through for the answer before the clock and the user are looked at again. */
#define HELLO_DATAGRAMS 64
#define CONNECT_NS      (60 * NSEC_PER_SEC)
/* Where the control connection does not tell its segment size. Ref: Ethernet's 1500 - 20 - 20. */
#define USUAL_MSS 1460

static uint64_t connect_deadline(const struct iperf_cfg *c)
{
	uint64_t timeout_ns = c->connect_timeout_ms * NSEC_PER_MSEC;

	return clock_now_ns() + (timeout_ns ? timeout_ns : CONNECT_NS);
}

static int bind_local(const struct iperf_cfg *c, int fd, uint16_t port, const char *peer,
	struct err *e)
{
	const char *any = strchr(peer, ':') ? "::" : "0.0.0.0";
	const char *ip = *c->bind ? c->bind : any;
	struct sockaddr_storage addr;
	int len;

	if (*c->bind_dev && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->bind_dev,
				    (socklen_t)strlen(c->bind_dev)) < 0)
		return err_set(e, errno, "cannot bind to device '%s'", c->bind_dev);
	if (!*c->bind && !port)
		return 0;
	len = sock_addr(&addr, ip, port, e);
	if (len < 0)
		return len;
	if (port)
		(void)!sock_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR", NULL);
	if (bind(fd, (struct sockaddr *)&addr, (socklen_t)len) < 0)
		return err_set(e, errno, "cannot bind to %s port %u", ip, port);
	return 0;
}

/* Of the control connection. Ref: tcp(7); 0: the system's setting. */
static int set_keepalive(const struct iperf_cfg *c, int fd, struct err *e)
{
	int r = c->keepalive ? sock_set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE", e) : 0;

	if (r == 0 && c->keepalive_idle_s)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)c->keepalive_idle_s,
			"TCP_KEEPIDLE", e);
	if (r == 0 && c->keepalive_interval_s)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)c->keepalive_interval_s,
			"TCP_KEEPINTVL", e);
	if (r == 0 && c->keepalive_count)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, (int)c->keepalive_count,
			"TCP_KEEPCNT", e);
	return r;
}

int iperf_dial(struct iperf_test *t, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	int r = sock_resolve(t->cfg.host, t->cfg.family, t->peer_host, e);

	if (r < 0)
		return r;
	t->peer_port = t->cfg.port;
	fd = sock_open(SOCK_STREAM, t->peer_host, e);
	if (fd < 0)
		return fd;
	r = bind_local(&t->cfg, fd, 0, t->peer_host, e);
	if (r == 0)
		r = set_keepalive(&t->cfg, fd, e);
	if (r == 0)
		r = sock_connect(fd, t->peer_host, t->peer_port, connect_deadline(&t->cfg), e);
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", e);
	if (r < 0)
		return r;
	if (send(fd, t->cookie, sizeof(t->cookie), MSG_NOSIGNAL) != (ssize_t)sizeof(t->cookie))
		return err_set(e, errno, "cannot send the cookie");
	return take_fd(fd);
}

uint32_t iperf_udp_len(const struct iperf_test *t)
{
	return t->tcp_mss_default ? t->tcp_mss_default : USUAL_MSS;
}

int iperf_check_congestion(const struct iperf_params *p, struct err *e)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? err_set(e, errno, "cannot open a socket")
		      : sock_set_congestion(fd, p->congestion, e);
}

static int set_buffers(const struct iperf_params *p, int fd, struct err *e)
{
	int r;

	if (!p->window)
		return 0;
	r = sock_set_int(fd, SOL_SOCKET, SO_SNDBUF, (int)p->window, "SO_SNDBUF", e);
	return r < 0 ? r : sock_set_int(fd, SOL_SOCKET, SO_RCVBUF, (int)p->window, "SO_RCVBUF", e);
}

int iperf_set_options(const struct iperf_test *t, int fd, bool sends, struct err *e)
{
	const struct iperf_params *p = &t->cfg.params;
	bool tcp = p->proto == IPERF_TCP;
	int r = set_buffers(p, fd, e);

	if (r == 0 && p->TOS)
		r = sock_set_tos(fd, p->TOS, e);
	/* Of who does not send it is nobody's concern, and may not be allowed. */
	if (r == 0 && tcp && sends)
		r = sock_set_congestion(fd, p->congestion, e);
	if (r == 0 && tcp && p->nodelay)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", e);
	if (r == 0 && !tcp && p->dont_fragment)
		r = sock_set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, "IP_MTU_DISCOVER",
			e);
	if (r == 0 && p->fqrate)
		r = sock_set_pacing(fd, p->fqrate, e);
	if (r == 0 && tcp && t->cfg.snd_timeout_ms)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)t->cfg.snd_timeout_ms,
			"TCP_USER_TIMEOUT", e);
	return r;
}

static bool is_hello_answer(const char *b, ssize_t n)
{
	/* The second one is what versions before 3.1 answer. */
	return n == 4 && (memcmp(b, "6789", 4) == 0 || memcmp(b, "\xb1\x68\xde\x3a", 4) == 0);
}

/*
 * Says hello until it is answered. A server that has answered takes a second hello for a datagram
 * that is too short, and drops it, so repeating is safe, and a lost one costs a moment only.
 */
static int hello(const struct iperf_run *r, int fd, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + HELLO_NS;

	while (clock_left_ms(deadline_ns) > 0) {
		char b[16];
		int res;

		if (send(fd, "9876", 4, 0) < 0 && errno != ECONNREFUSED)
			return err_set(e, errno, "cannot send the UDP hello");
		res = sock_wait_readable(fd, clock_now_ns() + HELLO_RETRY_NS);
		/* With --reverse, data may overtake the answer. */
		for (int i = 0; res == 0 && i < HELLO_DATAGRAMS; i++) {
			ssize_t n = recv(fd, b, sizeof(b), MSG_DONTWAIT);

			if (is_hello_answer(b, n))
				return 0;
			if (n < 0)
				break;
		}
		if (sock_wait_readable(r->ctl.cancel_fd, clock_now_ns()) == 0 &&
			r->ctl.cancel_fd >= 0)
			return err_say(e, ECANCELED, "interrupted");
	}
	return err_say(e, ETIMEDOUT, "no answer to the UDP hello");
}

static int open_socket(const struct iperf_test *t, struct err *e)
{
	const struct iperf_params *p = &t->cfg.params;

	if (p->proto == IPERF_UDP || !p->mptcp)
		return sock_open(p->proto == IPERF_UDP ? SOCK_DGRAM : SOCK_STREAM, t->peer_host, e);
	return sock_open_mptcp(t->peer_host, e);
}

int iperf_open_stream(struct iperf_run *r, uint32_t i, struct err *e)
{
	struct iperf_test *t = r->test;
	const struct iperf_params *p = &t->cfg.params;
	_cleanup_(closep) int fd = open_socket(t, e);
	int res = fd;

	if (res >= 0)
		res = bind_local(&t->cfg, fd, t->cfg.cport ? (uint16_t)(t->cfg.cport + i) : 0,
			t->peer_host, e);
	if (res == 0)
		res = iperf_set_options(t, fd, iperf_stream_upwards(p, i), e);
	if (res == 0 && p->proto == IPERF_TCP && p->MSS)
		res = sock_set_int(fd, IPPROTO_TCP, TCP_MAXSEG, (int)p->MSS, "TCP_MAXSEG", e);
	if (res == 0)
		res = sock_connect(fd, t->peer_host, t->peer_port, connect_deadline(&t->cfg), e);
	if (res < 0)
		return res;
	if (p->proto == IPERF_UDP)
		res = hello(r, fd, e);
	else if (send(fd, t->cookie, sizeof(t->cookie), MSG_NOSIGNAL) != (ssize_t)sizeof(t->cookie))
		res = err_set(e, errno, "cannot send the cookie of a stream");
	return res < 0 ? res : take_fd(fd);
}

static uint32_t get_int(int fd, int level, int option)
{
	int v = 0;
	socklen_t len = sizeof(v);

	return getsockopt(fd, level, option, &v, &len) == 0 ? (uint32_t)v : 0;
}

/* One name per side: as sender, if it sends at all. The other side's comes with its results. */
static void note_congestion(struct iperf_test *t)
{
	bool sends = false;
	char name[16] = "";
	socklen_t len = sizeof(name);

	for (uint32_t i = 0; i < t->n_streams; i++)
		sends = sends || t->stream[i].sender;
	if (getsockopt(t->stream[0].socket, IPPROTO_TCP, TCP_CONGESTION, name, &len) < 0)
		return;
	if (sends)
		str_set(t->sender_congestion, name);
	else
		str_set(t->receiver_congestion, name);
}

void iperf_note_sockets(struct iperf_run *r)
{
	struct iperf_test *t = r->test;
	int fd = t->stream[0].socket;

	t->sndbuf_actual = get_int(fd, SOL_SOCKET, SO_SNDBUF);
	t->rcvbuf_actual = get_int(fd, SOL_SOCKET, SO_RCVBUF);
	if (t->cfg.params.proto == IPERF_TCP)
		note_congestion(t);
}
