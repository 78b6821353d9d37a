/* The session's process: nothing of the listener but what it needs, then its one test. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/*
 * A control connection that is silent for 15 s is probed every 5 s; 6 probes lost in a row, of a
 * path under full load too, mean that nobody is there: 45 s. Ref: tcp(7)
 */
#define VANISHED_IDLE_S  15
#define VANISHED_PROBE_S 5
#define VANISHED_PROBES  6

/* Closes all descriptors but the standard streams and these. */
static int keep_only(const int *keep, size_t n)
{
	int from = STDERR_FILENO + 1;

	for (;;) {
		int next = -1;

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= from && (next < 0 || keep[i] < next))
				next = keep[i];
		if (next < 0)
			return close_range((unsigned int)from, ~0U, 0) < 0 ? -errno : 0;
		if (next > from && close_range((unsigned int)from, (unsigned int)next - 1, 0) < 0)
			return -errno;
		from = next + 1;
	}
}

/* A client whose machine is gone must not hold its place as long as a session may last. */
static int notice_vanished(int fd, struct err *e)
{
	int r = sock_set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE", e);

	if (r == 0)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, VANISHED_IDLE_S, "TCP_KEEPIDLE", e);
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, VANISHED_PROBE_S, "TCP_KEEPINTVL",
			e);
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, VANISHED_PROBES, "TCP_KEEPCNT", e);
	return r;
}

static int isolate(const struct child_args *a, struct err *e)
{
	int keep[2 + SERVE_KEEP_FDS] = {a->ctl_fd, a->feed_fd};
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "tare-session");
	/* It may have died before the line above. */
	if (getppid() != a->parent)
		_exit(1);
	memcpy(&keep[2], a->server->ops->keep_fd, sizeof(a->server->ops->keep_fd));
	r = keep_only(keep, ARRAY_SIZE(keep));
	if (r < 0)
		return err_set(e, -r, "cannot close the listener's descriptors");
	r = fcntl(a->ctl_fd, F_GETFL);
	if (r < 0 || fcntl(a->ctl_fd, F_SETFL, r & ~O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot set a socket blocking");
	return notice_vanished(a->ctl_fd, e);
}

/* The three signals are blocked in the listener, so none is lost between fork and here. */
static int open_cancel(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_set(e, errno, "cannot open a signalfd") : fd;
}

/* The session does not need it, and is the part that strangers talk to. */
static void forget_key(struct server *server)
{
	explicit_bzero(&server->key, sizeof(server->key));
}

static int serve_iperf(const struct child_args *a, struct serve_session *s, struct err *e)
{
	forget_key(a->server);
	return a->server->ops->iperf(s, a->server->ops->ctx, e);
}

static int serve_tare(const struct child_args *a, struct serve_session *s, struct err *e)
{
	struct server *server = a->server;
	struct chan c = {.fd = s->ctl_fd, .cancel_fd = s->cancel_fd, .who = "client"};
	int r = greet_server(&c, server->key.len ? server->key.data : NULL, server->key.len,
		a->session->token, clock_now_ns() + server->limits.handshake_ns, e);

	forget_key(server);
	return r < 0 ? r : server->ops->tare(s, server->ops->ctx, e);
}

static int serve_one(const struct child_args *a, struct feed *feed, struct serve_session *s,
	struct err *e)
{
	int r = isolate(a, e);

	if (r < 0)
		return r;
	r = open_cancel(e);
	if (r < 0)
		return r;
	s->cancel_fd = r;
	feed_init(feed, a->feed_fd, s->cancel_fd);
	s->feed = &feed->base;
	return a->session->proto == SERVE_TARE ? serve_tare(a, s, e) : serve_iperf(a, s, e);
}

void child_main(const struct child_args *a)
{
	struct serve_session s = {.ctl_fd = a->ctl_fd,
		.cancel_fd = -1,
		.limits = &a->server->limits,
		.number = (uint32_t)a->session->number,
		.peer_port = a->session->peer.port};
	struct feed_ask report = {.op = FEED_REPORT};
	struct feed feed = {.fd = a->feed_fd};
	struct err e = {0};
	int r;

	peer_host(&a->session->peer, s.peer_host);
	memcpy(s.cookie, a->session->cookie, sizeof(s.cookie));
	r = serve_one(a, &feed, &s, &e);
	report.end = r < 0 ? FEED_END_ERROR : r == SERVE_LIMIT ? FEED_END_LIMIT : FEED_END_DONE;
	report.bytes_tx = s.bytes_tx;
	report.bytes_rx = s.bytes_rx;
	str_set(report.load, s.load);
	str_set(report.reason, r == 0 ? "" : e.text);
	feed_report(&feed, &report);
	_exit(r == 0 ? 0 : 1);
}
