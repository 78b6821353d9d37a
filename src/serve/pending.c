/*
 * Connections that have not said yet what they want: few, short-lived and cheap. Each has the
 * handshake deadline from its start, so the oldest is also the first to go.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "serve/server.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections accepted at a time, for the sessions' requests to get their turn. */
#define ACCEPT_BATCH 64
/* Out of descriptors or memory and nothing to close: try again then. */
#define ACCEPT_PAUSE_NS (100 * NSEC_PER_MSEC)
/* Thrown away at a time, without a copy; a client may never stop sending. */
#define DISCARD_BYTES (1U << 20)

static void drop(struct server *s, struct pending *p)
{
	/* A session may have the socket now, by which epoll goes. Ref: epoll(7), Q6 */
	(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, p->fd, NULL);
	closep(&p->fd);
	s->n_pending--;
}

static void refused(struct server *s, struct pending *p)
{
	s->n_refused++;
	drop(s, p);
}

/* The oldest, of one host or (@of NULL) of all; and how many there are. */
static struct pending *oldest(struct server *s, const struct peer *of, uint32_t *ret_n)
{
	struct pending *found = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < SERVE_MAX_PENDING; i++) {
		struct pending *p = &s->pending[i];

		if (p->fd < 0 || (of && !peer_same_site(&p->peer, of)))
			continue;
		n++;
		if (!found || p->since_ns < found->since_ns)
			found = p;
	}
	*ret_n = n;
	return found;
}

static struct pending *make_room(struct server *s, const struct peer *peer)
{
	uint32_t n;
	struct pending *p = oldest(s, peer, &n);

	if (n >= SERVE_MAX_PENDING_PER_ADDR)
		refused(s, p);
	if (s->n_pending == SERVE_MAX_PENDING)
		refused(s, oldest(s, NULL, &n));
	for (uint32_t i = 0; i < SERVE_MAX_PENDING; i++)
		if (s->pending[i].fd < 0)
			return &s->pending[i];
	return NULL;
}

static void add(struct server *s, int fd, const struct sockaddr_storage *addr)
{
	_cleanup_(closep) int owned = fd;
	struct pending *p;
	struct peer peer;
	uint32_t slot;

	peer_from(&peer, addr);
	if (!access_allows(&s->allow, &peer)) {
		s->n_refused++;
		return;
	}
	p = make_room(s, &peer);
	assert(p);
	slot = (uint32_t)(p - s->pending);
	if (server_watch(s, fd, WATCH_PENDING, slot) < 0)
		return;
	*p = (struct pending){.fd = take_fd(owned), .peer = peer, .since_ns = clock_now_ns()};
	s->n_pending++;
	pending_read(s, slot);
}

/* Return: is there more to accept? */
static bool accept_one(struct server *s)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	uint32_t n;
	int fd =
		accept4(s->listen_fd, (struct sockaddr *)&addr, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		add(s, fd, &addr);
		return true;
	}
	if (errno == EAGAIN)
		return false;
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return true; /* that connection is gone already; Ref: accept(2), error handling */
	if (s->n_pending > 0) {
		refused(s, oldest(s, NULL, &n));
		return true;
	}
	s->accept_at_ns = clock_now_ns() + ACCEPT_PAUSE_NS;
	return false;
}

void pending_accept(struct server *s)
{
	for (int i = 0; i < ACCEPT_BATCH && accept_one(s); i++)
		;
}

/* Says why, and lets the client read it: closing with its bytes unread would reset it away. */
static void refuse(struct server *s, struct pending *p, enum serve_proto proto, const char *why)
{
	const int8_t denied = IPERF_ACCESS_DENIED;

	s->n_refused++;
	if (proto == SERVE_TARE)
		greet_refuse(p->fd, why);
	else
		(void)!send(p->fd, &denied, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(p->fd, SHUT_WR);
	p->linger = true;
}

static void open_session(struct server *s, struct pending *p, enum serve_proto proto)
{
	struct session like = {.proto = proto, .peer = p->peer};
	struct err e = {0};

	if (proto == SERVE_IPERF)
		memcpy(like.cookie, p->buf, sizeof(like.cookie));
	if (session_start(s, &like, p->fd, &e) < 0)
		refuse(s, p, proto, e.text);
	else
		drop(s, p);
}

static void take_iperf(struct server *s, struct pending *p)
{
	struct session *x = session_by_cookie(s, (const char *)p->buf);

	if (!x)
		open_session(s, p, SERVE_IPERF);
	else if (x->udp || !peer_same_host(&x->peer, &p->peer) ||
		 session_give(x, p->fd, x->n_flows) < 0)
		refuse(s, p, SERVE_IPERF, NULL);
	else
		drop(s, p);
}

static void take_data(struct server *s, struct pending *p, const struct sniff *sniff)
{
	struct session *x = session_by_token(s, sniff->token);

	if (!x || x->udp || session_give(x, p->fd, sniff->flow) < 0)
		refused(s, p);
	else
		drop(s, p);
}

static void decide(struct server *s, struct pending *p, const struct sniff *sniff)
{
	switch (sniff->kind) {
	case SNIFF_IPERF:
		take_iperf(s, p);
		return;
	case SNIFF_CONTROL:
		open_session(s, p, SERVE_TARE);
		return;
	case SNIFF_DATA:
		take_data(s, p, sniff);
		return;
	default:
		refused(s, p);
	}
}

/* What a client that was refused still sends goes nowhere. Ref: tcp(7), MSG_TRUNC */
static void discard(struct server *s, struct pending *p)
{
	ssize_t n = recv(p->fd, NULL, DISCARD_BYTES, MSG_DONTWAIT | MSG_TRUNC);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		drop(s, p);
}

void pending_read(struct server *s, uint32_t slot)
{
	struct pending *p = &s->pending[slot];

	if (p->fd < 0)
		return;
	if (p->linger) {
		discard(s, p);
		return;
	}
	for (;;) {
		struct sniff sniff = sniff_stream(p->buf, p->len);
		ssize_t n;

		if (sniff.kind != SNIFF_MORE) {
			decide(s, p, &sniff);
			return;
		}
		assert(sniff.want > p->len && sniff.want <= sizeof(p->buf));
		n = recv(p->fd, &p->buf[p->len], sniff.want - p->len, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			refused(s, p);
			return;
		}
		p->len += (uint8_t)n;
	}
}

void pending_close_all(struct server *s)
{
	for (uint32_t i = 0; i < SERVE_MAX_PENDING; i++)
		if (s->pending[i].fd >= 0)
			drop(s, &s->pending[i]);
}

uint64_t pending_tick(struct server *s, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	for (uint32_t i = 0; s->n_pending > 0 && i < SERVE_MAX_PENDING; i++) {
		struct pending *p = &s->pending[i];
		uint64_t until_ns = p->since_ns + s->cfg->handshake_ns;

		if (p->fd < 0)
			continue;
		if (until_ns > now_ns)
			next_ns = MIN(next_ns, until_ns);
		else if (p->linger)
			drop(s, p);
		else
			refused(s, p);
	}
	return next_ns;
}
