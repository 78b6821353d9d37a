/* Sessions as the listener sees them: started, fed, watched, reaped, logged. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "serve/server.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Past the longest session: setting up and ending a test that may itself last that long. */
#define MARGIN_NS (30 * NSEC_PER_SEC)

static const char *const proto_name[] = {
	[SERVE_TARE] = "tare",
	[SERVE_IPERF] = "iperf3",
};
static_assert(ARRAY_SIZE(proto_name) == SERVE_PROTO_N);

static uint32_t count_host(const struct server *s, const struct peer *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->cfg->max_sessions; i++)
		n += s->session[i].pid && peer_same_site(&s->session[i].peer, p);
	return n;
}

static int may_start(const struct server *s, const struct session *like, struct err *e)
{
	if (like->proto == SERVE_TARE ? !s->ops->tare : !s->ops->iperf)
		return err_say(e, ENOSYS, "this server does not speak %s", proto_name[like->proto]);
	if (like->proto == SERVE_IPERF && s->key.len && !s->ops->iperf_auth)
		return err_say(e, EACCES, "a pre-shared key is needed");
	if (s->stop_ns || (s->cfg->one_off && s->sessions_ever))
		return err_say(e, EBUSY, "the server is about to end");
	if (s->n_sessions >= s->cfg->max_sessions)
		return err_say(e, EBUSY, "the server has its %u sessions", s->cfg->max_sessions);
	if (count_host(s, &like->peer) >= s->cfg->max_sessions_per_addr)
		return err_say(e, EBUSY, "the server has its %u sessions of your address",
			s->cfg->max_sessions_per_addr);
	return 0;
}

static struct session *free_slot(struct server *s)
{
	for (uint32_t i = 0; i < s->cfg->max_sessions; i++)
		if (!s->session[i].pid)
			return &s->session[i];
	return NULL;
}

static int fork_child(struct server *s, struct session *x, int ctl_fd, int child_fd, struct err *e)
{
	const struct child_args args = {.server = s,
		.session = x,
		.ctl_fd = ctl_fd,
		.feed_fd = child_fd,
		.parent = getpid()};
	pid_t pid = fork();

	if (pid == 0)
		child_main(&args);
	if (pid < 0)
		return err_set(e, errno, "cannot fork");
	x->pid = pid;
	x->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (x->pid_fd >= 0)
		return 0;
	err_set(e, errno, "cannot watch a session");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return -EMFILE;
}

int session_start(struct server *s, const struct session *like, int ctl_fd, struct err *e)
{
	_cleanup_(closep) int feed_fd = -1;
	_cleanup_(closep) int child_fd = -1;
	struct session new = *like;
	struct session *x;
	uint32_t slot;
	int fd[2];
	int r = may_start(s, like, e);

	if (r < 0)
		return r;
	if (getrandom(new.token, sizeof(new.token), 0) != sizeof(new.token))
		return err_set(e, errno, "cannot get random bytes");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return err_set(e, errno, "cannot create a socket pair");
	feed_fd = fd[0];
	child_fd = fd[1];
	new.number = s->sessions_ever + 1;
	new.since_ns = clock_now_ns();
	r = fork_child(s, &new, ctl_fd, child_fd, e);
	if (r < 0)
		return r;
	s->sessions_ever++;
	new.feed_fd = take_fd(feed_fd);
	x = free_slot(s);
	assert(x);
	*x = new;
	slot = (uint32_t)(x - s->session);
	s->n_sessions++;
	/* Unwatched it can't be served; it is killed, and reaped as any other by the tick. */
	if (server_watch(s, x->feed_fd, WATCH_FEED, slot) < 0 ||
		server_watch(s, x->pid_fd, WATCH_PROCESS, slot) < 0)
		session_end(x, 1);
	return 0;
}

struct session *session_by_cookie(struct server *s, const char *cookie)
{
	for (uint32_t i = 0; i < s->cfg->max_sessions; i++) {
		struct session *x = &s->session[i];

		if (x->pid && x->proto == SERVE_IPERF &&
			memcmp(x->cookie, cookie, sizeof(x->cookie)) == 0)
			return x;
	}
	return NULL;
}

/* In constant time: a token must not be found byte by byte. */
static bool same_token(const uint8_t *a, const uint8_t *b)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < MAGIC_TOKEN_BYTES; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

struct session *session_by_token(struct server *s, const uint8_t *token)
{
	for (uint32_t i = 0; i < s->cfg->max_sessions; i++) {
		struct session *x = &s->session[i];

		if (x->pid && x->proto == SERVE_TARE && same_token(x->token, token))
			return x;
	}
	return NULL;
}

int session_give(struct session *x, int fd, uint32_t flow)
{
	const struct feed_give give = {.kind = FEED_SOCKET, .round = x->round, .flow = flow};
	int r;

	if (!x->expects || x->n_flows >= x->max_flows || flow >= SERVE_MAX_FLOWS)
		return -EBUSY;
	r = feed_give(x->feed_fd, &give, fd);
	if (r < 0)
		return r;
	x->port[x->n_flows] = 0;
	x->flow[x->n_flows++] = flow;
	return 0;
}

static void expect(struct server *s, struct session *x, const struct feed_ask *ask)
{
	uint64_t now_ns = clock_now_ns();

	if (x->expects || x->waits)
		turn_return(s, x, now_ns);
	x->round = ask->round;
	x->udp = ask->udp;
	x->n_flows = 0;
	/* What it does not read stays in its socket, of all that the server may have under way. */
	x->max_flows = MIN(ask->n, s->limits.max_flows);
	turn_ask(s, x, now_ns);
}

/* A session may have been taken over by its client: its messages are checked too. */
static void serve_ask(struct server *s, struct session *x, struct feed_ask *ask)
{
	switch (ask->op) {
	case FEED_EXPECT:
		expect(s, x, ask);
		return;
	case FEED_DONE:
		turn_return(s, x, clock_now_ns());
		return;
	case FEED_REPORT:
		ask->load[sizeof(ask->load) - 1] = '\0';
		ask->reason[sizeof(ask->reason) - 1] = '\0';
		ask->end = MIN(ask->end, (uint32_t)FEED_END_KILLED);
		x->report = *ask;
		x->reported = true;
		return;
	default:
		return;
	}
}

/* Return: 1 one message handled, 0 none there, or negative: no more will come. */
static int read_one(struct server *s, struct session *x)
{
	struct feed_ask ask;
	ssize_t n = recv(x->feed_fd, &ask, sizeof(ask), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -EPIPE;
	if (n == (ssize_t)sizeof(ask))
		serve_ask(s, x, &ask);
	return 1;
}

void session_read(struct server *s, uint32_t slot)
{
	struct session *x = &s->session[slot];

	/* Closing takes it off the epoll list; the process's end is seen by its pidfd. */
	if (x->pid && x->feed_fd >= 0 && read_one(s, x) < 0)
		closep(&x->feed_fd);
}

static void write_log(struct server *s, const struct session *x)
{
	const struct feed_ask *a = &x->report;
	struct log *l = &s->log;
	char host[SOCK_ADDR_LEN];

	peer_host(&x->peer, host);
	log_begin(l);
	log_add(l, "session", "%llu", (unsigned long long)x->number);
	log_add(l, "peer", "%s", host);
	log_add(l, "port", "%u", x->peer.port);
	log_add(l, "proto", "%s", proto_name[x->proto]);
	log_add_text(l, "load", a->load);
	log_add(l, "seconds", "%.3f", (double)(clock_now_ns() - x->since_ns) / 1e9);
	log_add(l, "bytes_tx", "%llu", (unsigned long long)a->bytes_tx);
	log_add(l, "bytes_rx", "%llu", (unsigned long long)a->bytes_rx);
	log_add(l, "end", "%s", feed_end_name[a->end]);
	log_add_text(l, "reason", a->reason);
	log_end(l);
}

/* The end of a session that could not, or was not let, say how it ended. */
static void explain_end(const struct server *s, struct session *x, int status)
{
	char *reason = x->report.reason;
	const size_t size = sizeof(x->report.reason);

	if (x->term_ns && !s->stop_ns) {
		x->report.end = FEED_END_LIMIT;
		str_copy(reason, size, "longer than --max-duration");
		return;
	}
	if (x->reported)
		return;
	x->report.end = FEED_END_KILLED;
	reason[0] = '\0';
	if (WIFSIGNALED(status))
		str_addf(reason, size, "killed by signal %d", WTERMSIG(status));
	else
		str_addf(reason, size, "exited with status %d", WEXITSTATUS(status));
}

void session_reap(struct server *s, uint32_t slot)
{
	struct session *x = &s->session[slot];
	int status = 0;

	if (!x->pid || waitpid(x->pid, &status, WNOHANG) != x->pid)
		return;
	while (x->feed_fd >= 0 && read_one(s, x) > 0)
		;
	explain_end(s, x, status);
	write_log(s, x);
	s->one_failed = x->report.end != FEED_END_DONE;
	closep(&x->feed_fd);
	closep(&x->pid_fd);
	x->pid = 0;
	s->n_sessions--;
	turn_return(s, x, clock_now_ns());
}

static void signal_session(const struct session *x, int sig)
{
	(void)syscall(SYS_pidfd_send_signal, x->pid_fd, sig, NULL, 0);
}

void session_end(struct session *x, uint64_t now_ns)
{
	if (x->pid && !x->term_ns) {
		x->term_ns = now_ns;
		signal_session(x, SIGTERM);
	}
}

uint64_t session_tick(struct server *s, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	for (uint32_t i = 0; s->n_sessions > 0 && i < s->cfg->max_sessions; i++) {
		struct session *x = &s->session[i];
		uint64_t end_ns = x->since_ns + s->cfg->max_duration_ns + MARGIN_NS;

		if (!x->pid)
			continue;
		if (end_ns <= now_ns)
			session_end(x, now_ns);
		if (x->term_ns)
			end_ns = x->term_ns + SERVE_FAREWELL_NS;
		if (end_ns <= now_ns) {
			signal_session(x, SIGKILL);
			session_reap(s, i);
			end_ns = now_ns + 10 * NSEC_PER_MSEC;
		}
		next_ns = MIN(next_ns, end_ns);
	}
	return next_ns;
}
