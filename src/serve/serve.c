#include "serve/serve.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "serve/confine.h"
#include "serve/server.h"
#include "sys/signals.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS 64
/* How often at most refused connections and dropped datagrams are said in the log. */
#define SAY_NS (60 * NSEC_PER_SEC)

int server_watch(struct server *s, int fd, enum watch watch, uint32_t slot)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (uint64_t)watch << 32 | slot};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

/* Two per session (feed, process), one per pending connection and per socket being handed on. */
static int raise_files(const struct serve_cfg *cfg, struct err *e)
{
	const rlim_t need = SERVE_MAX_PENDING + 2 * (rlim_t)cfg->max_sessions + 64;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return err_set(e, errno, "cannot read the limit of open files");
	if (r.rlim_max != RLIM_INFINITY && r.rlim_max < need)
		return err_say(e, EMFILE,
			"%llu open files are needed, %llu allowed: lower --max-sessions or raise "
			"the limit",
			(unsigned long long)need, (unsigned long long)r.rlim_max);
	r.rlim_cur = MAX(r.rlim_cur, need);
	return setrlimit(RLIMIT_NOFILE, &r) < 0 ? err_set(e, errno, "cannot raise the open files")
						: 0;
}

static int watch_all(struct server *s, struct err *e)
{
	int r = server_watch(s, s->listen_fd, WATCH_LISTEN, 0);

	if (r == 0)
		r = server_watch(s, s->udp_fd, WATCH_UDP, 0);
	if (r == 0)
		r = server_watch(s, s->signal_fd, WATCH_SIGNAL, 0);
	return r < 0 ? err_set(e, -r, "cannot watch the server's sockets") : 0;
}

static int open_all(struct server *s, struct err *e)
{
	int r = access_parse(&s->allow, s->cfg->allow, e);

	if (r < 0)
		return err_wrap(e, "--allow");
	if (*s->cfg->key_file)
		r = cfg_key_read(&s->key, s->cfg->key_file, e);
	if (r == 0)
		r = raise_files(s->cfg, e);
	if (r == 0)
		r = listen_open(s, e);
	if (r == 0)
		r = log_open(&s->log, s->cfg->log_file, e);
	if (r < 0)
		return r;
	s->signal_fd = signals_open(e);
	if (s->signal_fd < 0)
		return s->signal_fd;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return err_set(e, errno, "cannot create an epoll descriptor");
	return watch_all(s, e);
}

int serve_open(struct server **ret, const struct serve_cfg *cfg, const struct serve_ops *ops,
	struct err *e)
{
	_cleanup_(serve_closep) struct server *s = xcalloc(1, sizeof(*s));
	int r;

	s->cfg = cfg;
	s->ops = ops;
	s->epoll_fd = s->listen_fd = s->udp_fd = s->signal_fd = s->log.fd = -1;
	s->limits = (struct serve_limits){.total_rate_bps = cfg->total_rate_bps,
		.confined = !cfg->no_sandbox,
		.max_duration_ns = cfg->max_duration_ns,
		.max_bytes = cfg->max_bytes,
		.max_flows = cfg->max_flows,
		.handshake_ns = cfg->handshake_ns};
	for (uint32_t i = 0; i < SERVE_MAX_PENDING; i++)
		s->pending[i].fd = -1;
	s->session = xcalloc(cfg->max_sessions, sizeof(*s->session));
	r = open_all(s, e);
	if (r == 0)
		r = confine(s->cfg, e);
	if (r < 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}

void serve_describe(const struct server *s, char *ret, size_t size)
{
	ret[0] = '\0';
	listen_text(s, ret, size);
	str_addf(ret, size, " (TCP, UDP), %s, %s", s->allow.n ? s->cfg->allow : "everybody",
		s->key.len ? "pre-shared key" : "no key");
}

static void stop(struct server *s)
{
	if (s->stop_ns)
		return;
	s->stop_ns = clock_now_ns();
	closep(&s->listen_fd);
	closep(&s->udp_fd);
	pending_close_all(s);
	for (uint32_t i = 0; i < s->cfg->max_sessions; i++)
		session_end(&s->session[i], s->stop_ns);
}

static void dispatch(struct server *s, const struct epoll_event *ev)
{
	const uint32_t slot = (uint32_t)ev->data.u64;

	switch ((enum watch)(ev->data.u64 >> 32)) {
	case WATCH_LISTEN:
		if (s->listen_fd >= 0 && !s->accept_at_ns)
			pending_accept(s);
		return;
	case WATCH_UDP:
		if (s->udp_fd >= 0)
			udp_read(s);
		return;
	case WATCH_SIGNAL:
		stop(s);
		/* It stays readable. */
		closep(&s->signal_fd);
		return;
	case WATCH_PENDING:
		pending_read(s, slot);
		return;
	case WATCH_FEED:
		session_read(s, slot);
		return;
	case WATCH_PROCESS:
		session_reap(s, slot);
		return;
	}
}

static void say_refused(struct server *s, uint64_t now_ns)
{
	if (!(s->n_refused || s->n_datagrams_dropped) ||
		(!s->stop_ns && now_ns < s->said_ns + SAY_NS))
		return;
	log_begin(&s->log);
	log_add(&s->log, "refused", "%llu", (unsigned long long)s->n_refused);
	log_add(&s->log, "datagrams_dropped", "%llu", (unsigned long long)s->n_datagrams_dropped);
	log_end(&s->log);
	s->n_refused = s->n_datagrams_dropped = 0;
	s->said_ns = now_ns;
}

/* Out of descriptors the listening socket stays ready; it is taken off the list for a moment. */
static uint64_t accept_tick(struct server *s, uint64_t now_ns)
{
	struct epoll_event ev = {.data.u64 = (uint64_t)WATCH_LISTEN << 32};

	if (!s->accept_at_ns || s->listen_fd < 0)
		return UINT64_MAX;
	ev.events = s->accept_at_ns <= now_ns ? EPOLLIN : 0;
	(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->listen_fd, &ev);
	if (ev.events)
		s->accept_at_ns = 0;
	return s->accept_at_ns ? s->accept_at_ns : UINT64_MAX;
}

/* Return: how long to wait for events at most, in ms; -1: for ever. */
static int tick(struct server *s)
{
	const uint64_t now_ns = clock_now_ns();
	uint64_t next_ns = pending_tick(s, now_ns);

	next_ns = MIN(next_ns, session_tick(s, now_ns));
	next_ns = MIN(next_ns, turn_tick(s, now_ns));
	next_ns = MIN(next_ns, accept_tick(s, now_ns));
	say_refused(s, now_ns);
	return next_ns == UINT64_MAX ? -1 : clock_left_ms(next_ns);
}

static bool finished(const struct server *s)
{
	if (s->n_sessions > 0)
		return false;
	return s->stop_ns || (s->cfg->one_off && s->sessions_ever > 0);
}

int serve_run(struct server *s, struct err *e)
{
	struct epoll_event ev[EVENTS];

	while (!finished(s)) {
		int n = epoll_wait(s->epoll_fd, ev, EVENTS, tick(s));

		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for connections");
		for (int i = 0; i < n; i++)
			dispatch(s, &ev[i]);
	}
	s->stop_ns = clock_now_ns();
	say_refused(s, s->stop_ns);
	return s->cfg->one_off && s->sessions_ever > 0 && s->one_failed ? SERVE_SESSION_FAILED : 0;
}

void serve_close(struct server *s)
{
	if (!s)
		return;
	pending_close_all(s);
	closep(&s->listen_fd);
	closep(&s->udp_fd);
	closep(&s->signal_fd);
	closep(&s->epoll_fd);
	log_close(&s->log);
	explicit_bzero(&s->key, sizeof(s->key));
	free(s->session);
	free(s);
}
