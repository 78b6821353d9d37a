#include "load/conn.h"

#include "base/clock.h"
#include "sys/sock.h"

#include <errno.h>
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

/* Before connect or listen, so that the window scale is chosen for the buffer asked for. */
static int set_buffers(int fd, const struct load_cfg *cfg, struct err *e)
{
	int r = 0;

	if (cfg->sndbuf_bytes)
		r = sock_set_int(fd, SOL_SOCKET, SO_SNDBUF, (int)cfg->sndbuf_bytes, "SO_SNDBUF", e);
	if (r == 0 && cfg->rcvbuf_bytes)
		r = sock_set_int(fd, SOL_SOCKET, SO_RCVBUF, (int)cfg->rcvbuf_bytes, "SO_RCVBUF", e);
	return r;
}

static int set_congestion(int fd, const struct load_cfg *cfg, struct err *e)
{
	const char *name = cfg->congestion;

	if (*name && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0)
		return err_set(e, errno, "cannot use congestion control '%s'", name);
	return 0;
}

int conn_listen(const struct load_cfg *cfg, bool udp, const char *any, uint16_t port, int *fd,
	uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < (udp ? n : 1); i++) {
		int r;

		fd[i] = sock_bind(udp ? SOCK_DGRAM : SOCK_STREAM, any, (uint16_t)(port + i), e);
		if (fd[i] < 0)
			return fd[i];
		r = set_buffers(fd[i], cfg, e);
		if (r < 0)
			return r;
		if (!udp && listen(fd[i], (int)n) < 0)
			return err_set(e, errno, "cannot listen on port %u", port);
	}
	return 0;
}

/* UDP must not wait for ever for a datagram that was lost, nor once the trial is over. */
static int finish_socket(int fd, bool udp, struct err *e)
{
	struct timeval tv = {.tv_usec = FLOW_UDP_TIMEOUT_NS / NSEC_PER_USEC};

	if (!udp)
		return sock_set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", e);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return err_set(e, errno, "cannot set SO_RCVTIMEO");
	return 0;
}

/* Sends greetings until one comes back, so that the other end knows our address. */
static int greet(int fd, uint64_t deadline_ns, struct err *e)
{
	static const char greeting[GREETING_BYTES];
	char answer[GREETING_BYTES];
	int r;

	do {
		if (send(fd, greeting, sizeof(greeting), 0) < 0 && errno != ECONNREFUSED)
			return err_set(e, errno, "cannot send a greeting");
		r = sock_wait_readable(fd, clock_now_ns() + GREETING_RETRY_NS);
		if (r == 0 && recv(fd, answer, sizeof(answer), MSG_DONTWAIT) == sizeof(answer))
			return 0;
	} while (clock_left_ms(deadline_ns) > 0);
	return err_say(e, ETIMEDOUT, "no answer to UDP greetings");
}

int conn_active(const struct load_cfg *cfg, bool udp, const char *addr, uint16_t port,
	struct flow *flow, uint32_t n, uint64_t deadline_ns, struct err *e)
{
	for (uint32_t i = 0; i < n; i++) {
		int fd = flow[i].fd = sock_open(udp ? SOCK_DGRAM : SOCK_STREAM, addr, e);
		int r = fd < 0 ? fd : set_buffers(fd, cfg, e);

		if (r == 0 && !udp)
			r = set_congestion(fd, cfg, e);
		if (r == 0)
			r = sock_connect(fd, addr, (uint16_t)(udp ? port + i : port), deadline_ns,
				e);
		if (r == 0 && udp)
			r = greet(fd, deadline_ns, e);
		if (r == 0)
			r = finish_socket(fd, udp, e);
		if (r < 0)
			return err_wrap(e, "flow %u", i);
	}
	return 0;
}

/* Waits for a greeting, answers it and talks to nobody else from then on. */
static int take_greeting(int fd, uint64_t deadline_ns, struct err *e)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char greeting[GREETING_BYTES];
	int r = sock_wait_readable(fd, deadline_ns);

	if (r < 0)
		return err_set(e, -r, "no UDP greeting came");
	if (recvfrom(fd, greeting, sizeof(greeting), 0, (struct sockaddr *)&from, &len) < 0)
		return err_set(e, errno, "cannot receive a greeting");
	if (connect(fd, (struct sockaddr *)&from, len) < 0)
		return err_set(e, errno, "cannot connect a UDP socket back");
	for (int i = 0; i < GREETING_ANSWERS; i++)
		if (send(fd, greeting, sizeof(greeting), 0) < 0)
			return err_set(e, errno, "cannot answer a greeting");
	return 0;
}

int conn_passive(const struct load_cfg *cfg, bool udp, int *listen_fd, struct flow *flow,
	uint32_t n, uint64_t deadline_ns, struct err *e)
{
	for (uint32_t i = 0; i < n; i++) {
		int r = 0;

		if (udp) {
			flow[i].fd = take_fd(listen_fd[i]);
			r = take_greeting(flow[i].fd, deadline_ns, e);
		} else {
			r = flow[i].fd = sock_accept(listen_fd[0], deadline_ns, e);
		}
		if (r >= 0 && !udp)
			r = set_congestion(flow[i].fd, cfg, e);
		if (r >= 0)
			r = finish_socket(flow[i].fd, udp, e);
		if (r < 0)
			return err_wrap(e, "flow %u of %u", i, n);
	}
	return 0;
}
