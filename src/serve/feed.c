#include "serve/feed.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

const char *const feed_end_name[] = {
	[FEED_END_DONE] = "done",
	[FEED_END_ERROR] = "error",
	[FEED_END_LIMIT] = "limit",
	[FEED_END_KILLED] = "killed",
};
static_assert(ARRAY_SIZE(feed_end_name) == FEED_END_N);

/* Room for one descriptor. */
union control {
	char space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int feed_give(int feed_fd, const struct feed_give *give, int fd)
{
	struct feed_give copy = *give;
	struct iovec iov = {.iov_base = &copy, .iov_len = sizeof(copy)};
	union control control = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(feed_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int wait_for(const struct feed *f, uint64_t deadline_ns, struct err *e)
{
	struct pollfd p[2] = {{.fd = f->fd, .events = POLLIN},
		{.fd = f->cancel_fd, .events = POLLIN}};

	for (;;) {
		int r = poll(p, 2, clock_left_ms(deadline_ns));

		if (r == 0)
			return err_say(e, ETIMEDOUT, "no data connection came in time");
		if (r < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for data connections");
		if (r > 0 && p[1].revents)
			return err_say(e, ECANCELED, "the server is being stopped");
		if (r > 0)
			return 0;
	}
}

/* One message and the descriptor that came with it, or -1. */
static int receive(struct feed *f, struct feed_give *ret, int *ret_fd, struct err *e)
{
	struct iovec iov = {.iov_base = ret, .iov_len = sizeof(*ret)};
	union control control = {0};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	ssize_t n = recvmsg(f->fd, &msg, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c;

	if (n < 0)
		return err_set(e, errno, "cannot get a data connection");
	if (n != (ssize_t)sizeof(*ret))
		return err_say(e, EPIPE, "the server is gone");
	c = CMSG_FIRSTHDR(&msg);
	*ret_fd = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
	return 0;
}

/* The next message of this kind and round; others are out of date. */
static int await(struct feed *f, enum feed_kind kind, struct feed_give *ret, uint64_t deadline_ns,
	struct err *e)
{
	for (;;) {
		_cleanup_(closep) int fd = -1;
		int r = wait_for(f, deadline_ns, e);

		if (r == 0)
			r = receive(f, ret, &fd, e);
		if (r < 0)
			return r;
		if (ret->round == f->round && ret->kind == (uint32_t)kind)
			return kind == FEED_SOCKET ? take_fd(fd) : 0;
	}
}

static int ask(struct feed *f, const struct feed_ask *a)
{
	return send(f->fd, a, sizeof(*a), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int expect(struct load_feed *feed, bool udp, uint32_t n, uint64_t deadline_ns, struct err *e)
{
	struct feed *f = (struct feed *)feed;
	struct feed_ask a = {.op = FEED_EXPECT, .round = ++f->round, .udp = udp, .n = n};
	struct feed_give give;
	int r = ask(f, &a);

	return r < 0 ? err_set(e, -r, "cannot ask for data connections")
		     : await(f, FEED_TURN, &give, deadline_ns, e);
}

static int next(struct load_feed *feed, uint32_t *ret_flow, uint64_t deadline_ns, struct err *e)
{
	struct feed_give give;
	int fd = await((struct feed *)feed, FEED_SOCKET, &give, deadline_ns, e);

	if (fd >= 0)
		*ret_flow = give.flow;
	return fd;
}

static void done(struct load_feed *feed)
{
	struct feed *f = (struct feed *)feed;
	struct feed_ask a = {.op = FEED_DONE, .round = f->round};

	/* Fails only when the listener is gone, and then nothing comes anyway. */
	(void)ask(f, &a);
}

void feed_init(struct feed *f, int fd, int cancel_fd)
{
	*f = (struct feed){.base = {.expect = expect, .next = next, .done = done},
		.fd = fd,
		.cancel_fd = cancel_fd};
}

void feed_report(struct feed *f, const struct feed_ask *report)
{
	(void)ask(f, report); /* without a report the log says so */
}
