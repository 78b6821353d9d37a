#include "load/conn.h"

#include "base/clock.h"
#include "load/zerocopy.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* A greeting is a datagram of this size with request number 0 (see load/rr.c). */
#define GREETING_BYTES    sizeof(uint64_t)
#define GREETING_RETRY_NS (50 * NSEC_PER_MSEC)
/* Answers to one greeting: nobody listens for a second one, so all of them must be lost to fail. */
#define GREETING_ANSWERS 5

/* Before connect or listen, so that window scale and segment size are chosen accordingly. */
static int set_before(int fd, const struct load_cfg *cfg, bool udp, struct err *e)
{
	int r = 0;

	if (cfg->sndbuf_bytes)
		r = sock_set_int(fd, SOL_SOCKET, SO_SNDBUF, (int)cfg->sndbuf_bytes, "SO_SNDBUF", e);
	if (r == 0 && cfg->rcvbuf_bytes)
		r = sock_set_int(fd, SOL_SOCKET, SO_RCVBUF, (int)cfg->rcvbuf_bytes, "SO_RCVBUF", e);
	if (r == 0 && cfg->mss_bytes && !udp)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_MAXSEG, (int)cfg->mss_bytes, "TCP_MAXSEG", e);
	/* Ref: RFC 2474 s.3: the code point is the upper six bits of the octet. */
	return r == 0 && cfg->dscp ? sock_set_tos(fd, cfg->dscp << 2, e) : r;
}

static int open_socket(const struct load_cfg *cfg, bool udp, const char *ip, struct err *e)
{
	if (udp || !cfg->mptcp)
		return sock_open(udp ? SOCK_DGRAM : SOCK_STREAM, ip, e);
	return sock_open_mptcp(ip, e);
}

int conn_listen(const struct load_cfg *cfg, bool udp, const char *any, uint16_t port, int *fd,
	uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < (udp ? n : 1); i++) {
		int r;

		fd[i] = open_socket(cfg, udp, any, e);
		if (fd[i] < 0)
			return fd[i];
		r = sock_bind_fd(fd[i], any, (uint16_t)(port + i), e);
		if (r == 0)
			r = set_before(fd[i], cfg, udp, e);
		if (r < 0)
			return r;
		if (!udp && listen(fd[i], SOMAXCONN) < 0)
			return err_set(e, errno, "cannot listen on port %u", port);
	}
	return 0;
}

/* UDP must not wait for ever for a datagram that was lost, nor once the trial is over. */
int conn_finish(const struct load_cfg *cfg, bool udp, bool sends, int fd, struct err *e)
{
	int r;

	struct timeval tv = {.tv_usec = FLOW_UDP_TIMEOUT_NS / NSEC_PER_USEC};

	if (!udp) {
		/* Of who does not send it is nobody's concern, and may not be allowed. */
		r = sends ? sock_set_congestion(fd, cfg->congestion, e) : 0;
		if (r == 0 && cfg->send == LOAD_SEND_ZEROCOPY)
			r = zerocopy_enable(fd, e);
		if (r == 0 && cfg->pacing_bps)
			r = sock_set_pacing(fd, cfg->pacing_bps, e);
		return r < 0 ? r : sock_set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", e);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return err_set(e, errno, "cannot set SO_RCVTIMEO");
	return 0;
}

/* What is said first by flow @number. @ret: [LOAD_TOKEN_BYTES]. Return: its length. */
static size_t greeting(const struct conn_args *args, uint32_t number, uint8_t *ret)
{
	const struct load_token *t = &args->peer->token;
	uint32_t be = htonl(number);

	memset(ret, 0, LOAD_TOKEN_BYTES);
	if (!t->len)
		return args->udp ? GREETING_BYTES : 0;
	memcpy(ret, t->bytes, t->len);
	memcpy(ret + t->flow_at, &be, sizeof(be));
	return t->len;
}

/* Sends greetings until one comes back, so that the other end knows our address. */
static int greet(int fd, const uint8_t *hello, size_t len, uint64_t deadline_ns, struct err *e)
{
	char answer[LOAD_TOKEN_BYTES];
	int r;

	do {
		if (send(fd, hello, len, 0) < 0 && errno != ECONNREFUSED)
			return err_set(e, errno, "cannot send a greeting");
		r = sock_wait_readable(fd, clock_now_ns() + GREETING_RETRY_NS);
		if (r == 0 && recv(fd, answer, sizeof(answer), MSG_DONTWAIT) == (ssize_t)len)
			return 0;
	} while (clock_left_ms(deadline_ns) > 0);
	return err_say(e, ETIMEDOUT, "no answer to UDP greetings");
}

/* The first bytes of a connection: there is room for them in any send buffer. */
static int say_token(int fd, const uint8_t *token, size_t len, struct err *e)
{
	if (len && send(fd, token, len, MSG_NOSIGNAL) != (ssize_t)len)
		return err_set(e, errno, "cannot send the token");
	return 0;
}

static int open_one(const struct conn_args *args, struct flow *f, uint16_t port, uint32_t number,
	struct err *e)
{
	const struct load_peer *peer = args->peer;
	uint8_t hello[LOAD_TOKEN_BYTES];
	size_t len = greeting(args, number, hello);
	int r;

	r = f->fd = open_socket(args->cfg, args->udp, peer->addr, e);
	if (r >= 0)
		r = set_before(f->fd, args->cfg, args->udp, e);
	if (r == 0)
		r = sock_connect(f->fd, peer->addr, port, args->deadline_ns, e);
	if (r == 0)
		r = args->udp ? greet(f->fd, hello, len, args->deadline_ns, e)
			      : say_token(f->fd, hello, len, e);
	return r < 0 ? r : conn_finish(args->cfg, args->udp, f->active, f->fd, e);
}

int conn_open(const struct conn_args *args, struct flow *flow, uint32_t n, uint32_t first,
	struct err *e)
{
	bool own_ports = args->udp && !args->peer->token.len;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(args->peer->port + (own_ports ? i : 0));
		int r = open_one(args, &flow[i], port, first + i, e);

		if (r < 0)
			return err_wrap(e, "flow %u", i);
	}
	return 0;
}

static int answer(int fd, const void *hello, size_t len, struct err *e)
{
	for (int i = 0; i < GREETING_ANSWERS; i++)
		if (send(fd, hello, len, 0) < 0)
			return err_set(e, errno, "cannot answer a greeting");
	return 0;
}

int conn_answer(const struct conn_args *args, int fd, uint32_t number, struct err *e)
{
	uint8_t hello[LOAD_TOKEN_BYTES];
	size_t len = greeting(args, number, hello);

	return answer(fd, hello, len, e);
}

/* Waits for a greeting, answers it and talks to nobody else from then on. */
static int take_greeting(int fd, uint64_t deadline_ns, struct err *e)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char hello[GREETING_BYTES];
	int r = sock_wait_readable(fd, deadline_ns);

	if (r < 0)
		return err_set(e, -r, "no UDP greeting came");
	if (recvfrom(fd, hello, sizeof(hello), 0, (struct sockaddr *)&from, &len) < 0)
		return err_set(e, errno, "cannot receive a greeting");
	if (connect(fd, (struct sockaddr *)&from, len) < 0)
		return err_set(e, errno, "cannot connect a UDP socket back");
	return answer(fd, hello, sizeof(hello), e);
}

static int take_one(const struct conn_args *args, int *listen_fd, struct flow *f, uint32_t i,
	struct err *e)
{
	int r = 0;

	if (args->udp) {
		f->fd = take_fd(listen_fd[i]);
		r = take_greeting(f->fd, args->deadline_ns, e);
	} else {
		r = f->fd = sock_accept(listen_fd[0], args->deadline_ns, e);
	}
	return r < 0 ? r : conn_finish(args->cfg, args->udp, f->active, f->fd, e);
}

int conn_take(const struct conn_args *args, int *listen_fd, struct flow *flow, uint32_t n,
	struct err *e)
{
	for (uint32_t i = 0; i < n; i++)
		if (take_one(args, listen_fd, &flow[i], i, e) < 0)
			return err_wrap(e, "flow %u of %u", i, n);
	return 0;
}

int conn_aim(const struct conn_args *args, struct flow *flow, uint32_t n, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < n; i++) {
		r = sock_addr(&flow[i].peer, args->peer->addr, args->peer->port, e);
		flow[i].peer_len = (socklen_t)r;
	}
	return r < 0 ? r : 0;
}

/* What accepted sockets inherit is set here, once. */
int conn_share(const struct conn_args *args, int listen_fd, bool blocking, struct flow *flow,
	uint32_t n, struct err *e)
{
	int r = conn_finish(args->cfg, false, false, listen_fd, e);

	if (r < 0)
		return r;
	if (!blocking && fcntl(listen_fd, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot set a socket non-blocking");
	for (uint32_t i = 0; i < n; i++) {
		flow[i].listen_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
		if (flow[i].listen_fd < 0)
			return err_set(e, errno, "cannot share a listening socket");
	}
	return 0;
}
