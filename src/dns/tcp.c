/*
 * Queries over TCP: many in flight on each connection, answered in any order, each with its length
 * in two bytes in front. Ref: RFC 7766 s.6.2.1, s.8. Connections stay open; one that the server
 * closes is made again, and what it had not answered is lost.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "dns/client.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>

#define LENGTH_BYTES 2
/* More than that waits in the kernel and at the server; a query more is a query blocked. */
#define TCP_OUT_BYTES (32 << 10)
/* The longest message, and as much again to read many with one call. */
#define TCP_IN_BYTES   (2 * (65535 + LENGTH_BYTES))
#define CONNECT_MAX_NS (5 * NSEC_PER_SEC)
/* Between attempts to connect again, or a server that refuses would be flooded. */
#define RETRY_NS (10 * NSEC_PER_MSEC)

static int watch(struct dns_thread *t, struct dns_sock *s, int op)
{
	bool out = s->state == DNS_SOCK_CONNECTING || s->out_at < s->out_len;
	struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = s};

	if (op == EPOLL_CTL_MOD && ev.events == s->watched)
		return 0;
	s->watched = ev.events;
	if (epoll_ctl(t->epoll_fd, op, s->fd, &ev) < 0)
		return err_set(&t->error, errno, "cannot watch a connection");
	return 0;
}

static int prepare(struct dns_sock *s, struct err *e)
{
	int r = sock_set_int(s->fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", e);

	if (r == 0 && fcntl(s->fd, F_SETFL, O_NONBLOCK) < 0)
		r = err_set(e, errno, "cannot make a socket non-blocking");
	return r;
}

static int tcp_open(struct dns_thread *t, struct dns_sock *s, uint16_t port, struct err *e)
{
	const struct dns_server *server = t->server;
	bool v6 = server->addr.ss_family == AF_INET6;
	int r;

	s->out = xcalloc(TCP_OUT_BYTES, 1);
	s->in = xcalloc(TCP_IN_BYTES, 1);
	s->fd = sock_open(SOCK_STREAM, server->ip, e);
	if (s->fd < 0)
		return s->fd;
	r = port ? sock_bind_fd(s->fd, v6 ? "::" : "0.0.0.0", port, e) : 0;
	if (r == 0)
		r = sock_connect(s->fd, server->ip, server->port, clock_now_ns() + CONNECT_MAX_NS,
			e);
	if (r == 0)
		r = prepare(s, e);
	if (r < 0)
		return r;
	r = watch(t, s, EPOLL_CTL_ADD);
	if (r < 0)
		*e = t->error;
	return r;
}

static void give_up(struct dns_thread *t, struct dns_sock *s)
{
	uint32_t n = dns_pending_expire(&s->pending, UINT64_MAX);

	closep(&s->fd);
	t->count.broken += n;
	t->waiting -= n;
	s->out_at = s->out_len = s->in_len = 0;
	s->state = DNS_SOCK_CLOSED;
	s->retry_ns = clock_now_ns() + RETRY_NS;
}

/* Sends what is in the buffer. Return: 0; the connection may be gone then. */
static int flush_out(struct dns_thread *t, struct dns_sock *s)
{
	ssize_t n = send(s->fd, s->out + s->out_at, s->out_len - s->out_at,
		MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		give_up(t, s);
		return 0;
	}
	s->out_at += (uint32_t)MAX(n, 0);
	if (s->out_at == s->out_len)
		s->out_at = s->out_len = 0;
	return watch(t, s, EPOLL_CTL_MOD);
}

static bool put_query(struct dns_thread *t, struct dns_sock *s, uint32_t query, uint64_t due_ns)
{
	uint32_t len;
	const uint8_t *wire = dns_query(t->queries, query, &len);
	uint8_t *to = s->out + s->out_len;
	uint16_t id, wire_len = htons((uint16_t)len);

	if (s->out_len + LENGTH_BYTES + len > TCP_OUT_BYTES)
		return false;
	id = htons(dns_pending_add(&s->pending, query, due_ns));
	memcpy(to, &wire_len, LENGTH_BYTES);
	memcpy(to + LENGTH_BYTES, wire, len);
	memcpy(to + LENGTH_BYTES, &id, sizeof(id));
	s->out_len += LENGTH_BYTES + len;
	t->count.query_bytes += len;
	return true;
}

static int tcp_send(struct dns_thread *t, struct dns_sock *s, const struct dns_due *due)
{
	uint32_t n = 0;
	int r;

	while (n < due->n && put_query(t, s, dns_thread_query(t, n), due->at_ns[n]))
		n++;
	/* Counted before the connection may turn out to be gone, which counts them as lost. */
	t->waiting += n;
	r = n ? flush_out(t, s) : 0;
	t->waiting -= n;
	return r < 0 ? r : (int)n;
}

/* Takes whole messages out of the buffer and moves the rest to its front. */
static void take_messages(struct dns_thread *t, struct dns_sock *s)
{
	uint64_t now_ns = clock_now_ns();
	uint32_t at = 0;

	while (s->in_len - at >= LENGTH_BYTES) {
		uint32_t len = (uint32_t)s->in[at] << 8 | s->in[at + 1];

		if (s->in_len - at < LENGTH_BYTES + len)
			break;
		dns_thread_take(t, s, s->in + at + LENGTH_BYTES, len, len, now_ns);
		at += LENGTH_BYTES + len;
	}
	memmove(s->in, s->in + at, s->in_len - at);
	s->in_len -= at;
}

static int receive(struct dns_thread *t, struct dns_sock *s)
{
	ssize_t n = recv(s->fd, s->in + s->in_len, TCP_IN_BYTES - s->in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		give_up(t, s);
		return 0;
	}
	s->in_len += (uint32_t)n;
	take_messages(t, s);
	return 0;
}

static int finish_connect(struct dns_thread *t, struct dns_sock *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
		t->count.refused++;
		give_up(t, s);
		return 0;
	}
	t->count.reconnects++;
	s->state = DNS_SOCK_READY;
	return watch(t, s, EPOLL_CTL_MOD);
}

static int tcp_ready(struct dns_thread *t, struct dns_sock *s, uint32_t events)
{
	int r = 0;

	if (s->state == DNS_SOCK_CONNECTING)
		return finish_connect(t, s);
	if (events & EPOLLOUT)
		r = flush_out(t, s);
	if (r == 0 && s->state == DNS_SOCK_READY && events & ~(uint32_t)EPOLLOUT)
		r = receive(t, s);
	return r;
}

/* From any port: the old one may be in TIME_WAIT. */
static int tcp_look(struct dns_thread *t, struct dns_sock *s, uint64_t now_ns)
{
	const struct sockaddr *addr = (const struct sockaddr *)&t->server->addr;
	int r;

	if (s->state != DNS_SOCK_CLOSED || now_ns < s->retry_ns)
		return 0;
	s->fd = sock_open(SOCK_STREAM, t->server->ip, &t->error);
	if (s->fd < 0)
		return s->fd;
	r = prepare(s, &t->error);
	if (r < 0)
		return r;
	if (connect(s->fd, addr, t->server->addr_len) < 0 && errno != EINPROGRESS) {
		t->count.refused++;
		give_up(t, s);
		return 0;
	}
	s->state = DNS_SOCK_CONNECTING;
	return watch(t, s, EPOLL_CTL_ADD);
}

static void tcp_close(struct dns_sock *s)
{
	closep(&s->fd);
	free(s->out);
	free(s->in);
}

const struct dns_transport dns_tcp = {
	.open = tcp_open,
	.send = tcp_send,
	.ready = tcp_ready,
	.look = tcp_look,
	.close = tcp_close,
};
