/*
 * Queries over UDP, in batches: one system call sends what is due, up to DNS_SEND_BATCH of one
 * socket, and one receives what came in. Sockets are connected, so the kernel looks up no route for
 * a query and tells of ICMP errors. Of an answer only the header and question are copied; the
 * kernel says how long it was.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "dns/client.h"
#include "sys/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>

#define COPIED_BYTES (uint32_t)(DNS_HEADER_BYTES + DNS_QUESTION_BYTES)
/* Answers wait there while the thread sends: some 3000 of them, of 1.3 KiB in the kernel. */
#define BUFFER_BYTES (4 << 20)

struct dns_batch {
	struct mmsghdr out[DNS_SEND_BATCH], in[DNS_RECV_BATCH];
	struct iovec out_iov[DNS_SEND_BATCH], in_iov[DNS_RECV_BATCH];
	uint8_t query[DNS_SEND_BATCH][DNS_QUERY_BYTES];
	uint8_t answer[DNS_RECV_BATCH][COPIED_BYTES];
};

struct dns_batch *dns_batch_new(void)
{
	struct dns_batch *b = xcalloc(1, sizeof(*b));

	for (uint32_t i = 0; i < DNS_SEND_BATCH; i++) {
		b->out_iov[i].iov_base = b->query[i];
		b->out[i].msg_hdr = (struct msghdr){.msg_iov = &b->out_iov[i], .msg_iovlen = 1};
	}
	for (uint32_t i = 0; i < DNS_RECV_BATCH; i++) {
		b->in_iov[i] = (struct iovec){b->answer[i], sizeof(b->answer[i])};
		b->in[i].msg_hdr = (struct msghdr){.msg_iov = &b->in_iov[i], .msg_iovlen = 1};
	}
	return b;
}

/* Beyond net.core.rmem_max where that is allowed, else as far as it goes. */
static void set_buffer(int fd, int force, int option)
{
	int bytes = BUFFER_BYTES;

	if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes));
}

static int udp_open(struct dns_thread *t, struct dns_sock *s, uint16_t port, struct err *e)
{
	const struct dns_server *server = t->server;
	bool v6 = server->addr.ss_family == AF_INET6;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
	int r = port ? sock_bind(SOCK_DGRAM, v6 ? "::" : "0.0.0.0", port, e)
		     : sock_open(SOCK_DGRAM, server->ip, e);

	if (r < 0)
		return r;
	s->fd = r;
	set_buffer(s->fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(s->fd, SO_SNDBUFFORCE, SO_SNDBUF);
	if (connect(s->fd, (const struct sockaddr *)&server->addr, server->addr_len) < 0)
		return err_set(e, errno, "cannot send to %s", server->ip);
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev) < 0)
		return err_set(e, errno, "cannot watch a socket");
	return 0;
}

static void fill(struct dns_thread *t, struct dns_sock *s, const struct dns_due *due)
{
	struct dns_batch *b = t->batch;

	for (uint32_t i = 0; i < due->n; i++) {
		uint32_t query = dns_thread_query(t, i), len;
		const uint8_t *wire = dns_query(t->queries, query, &len);
		uint16_t id = htons(dns_pending_add(&s->pending, query, due->at_ns[i]));

		memcpy(b->query[i], wire, len);
		memcpy(b->query[i], &id, sizeof(id));
		b->out_iov[i].iov_len = len;
	}
}

/*
 * The error of an earlier query, which the kernel reports once; or that there is no way there now.
 * Ref: net/ipv4/icmp.c icmp_err_convert, net/ipv6/icmp.c icmpv6_err_convert, v6.1
 */
static bool is_refusal(int errnum)
{
	static const int refusals[] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN,
		ENONET, ENOPROTOOPT, EOPNOTSUPP, EMSGSIZE, EACCES, EPROTO};

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		if (errnum == refusals[i])
			return true;
	return false;
}

static int udp_send(struct dns_thread *t, struct dns_sock *s, const struct dns_due *due)
{
	int n;

	fill(t, s, due);
	n = sendmmsg(s->fd, t->batch->out, due->n, MSG_DONTWAIT);
	if (n < 0 && is_refusal(errno)) {
		t->count.refused++;
		n = sendmmsg(s->fd, t->batch->out, due->n, MSG_DONTWAIT);
	}
	if (n < 0) {
		n = errno == EAGAIN || errno == ENOBUFS || is_refusal(errno) ? 0 : -errno;
		if (n < 0)
			(void)err_set(&t->error, errno, "cannot send to %s", t->server->ip);
	}
	dns_pending_take_back(&s->pending, due->n - (uint32_t)MAX(n, 0));
	for (int i = 0; i < n; i++)
		t->count.query_bytes += t->batch->out_iov[i].iov_len;
	return n;
}

static int udp_ready(struct dns_thread *t, struct dns_sock *s, uint32_t events)
{
	struct dns_batch *b = t->batch;
	int n = recvmmsg(s->fd, b->in, DNS_RECV_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
	uint64_t now_ns = clock_now_ns();

	(void)events;
	if (n < 0) {
		t->count.refused += is_refusal(errno);
		if (errno == EAGAIN || errno == EINTR || is_refusal(errno))
			return 0;
		return err_set(&t->error, errno, "cannot receive from %s", t->server->ip);
	}
	for (int i = 0; i < n; i++)
		dns_thread_take(t, s, b->answer[i], MIN(b->in[i].msg_len, COPIED_BYTES),
			b->in[i].msg_len, now_ns);
	return 0;
}

static void udp_close(struct dns_sock *s)
{
	closep(&s->fd);
}

const struct dns_transport dns_udp = {
	.open = udp_open,
	.send = udp_send,
	.ready = udp_ready,
	.close = udp_close,
};
