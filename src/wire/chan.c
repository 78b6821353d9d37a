#include "wire/chan.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Waits for the socket, the cancel descriptor or the deadline. */
static int wait_for(const struct chan *c, short events, uint64_t deadline_ns)
{
	struct pollfd p[2] = {{.fd = c->fd, .events = events},
		{.fd = c->cancel_fd, .events = POLLIN}};

	for (;;) {
		int r = poll(p, 2, clock_left_ms(deadline_ns));

		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0 && p[1].revents)
			return -ECANCELED;
		if (r > 0)
			return 0;
	}
}

static int read_all(const struct chan *c, void *buf, size_t len, uint64_t deadline_ns)
{
	for (size_t done = 0; done < len;) {
		int r = wait_for(c, POLLIN, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = recv(c->fd, (char *)buf + done, len - done, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EAGAIN)
			return errno == ECONNRESET ? -EPIPE : -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int write_all(const struct chan *c, const void *buf, size_t len, uint64_t deadline_ns)
{
	for (size_t done = 0; done < len;) {
		int r = wait_for(c, POLLOUT, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = send(c->fd, (const char *)buf + done, len - done, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return errno == ECONNRESET ? -EPIPE : -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int say(const struct chan *c, int r, const char *state, struct err *e)
{
	switch (-r) {
	case EPIPE:
		return err_say(e, EPIPE, "%s died or closed the control channel while %s", c->who,
			state);
	case ETIMEDOUT:
		return err_say(e, ETIMEDOUT, "%s did not answer in time while %s", c->who, state);
	case ECANCELED:
		return err_say(e, ECANCELED, "interrupted while %s was %s", c->who, state);
	default:
		return err_set(e, -r, "control channel to %s, while %s", c->who, state);
	}
}

int chan_send(struct chan *c, const struct doc *msg, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(freep) char *text = doc_text(msg);
	size_t len = strlen(text);
	uint32_t head = htonl((uint32_t)len);
	int r;

	if (len > CHAN_MAX_BYTES)
		return err_say(e, EMSGSIZE, "message of %zu bytes is too long", len);
	r = write_all(c, &head, sizeof(head), deadline_ns);
	if (r == 0)
		r = write_all(c, text, len, deadline_ns);
	return r < 0 ? say(c, r, "being told what to do", e) : 0;
}

int chan_recv(struct chan *c, struct doc **ret, const char *state, uint64_t deadline_ns,
	struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(doc_freep) struct doc *d = NULL;
	uint32_t head, len;
	int r = read_all(c, &head, sizeof(head), deadline_ns);

	if (r < 0)
		return say(c, r, state, e);
	len = ntohl(head);
	if (len == 0 || len > CHAN_MAX_BYTES)
		return err_say(e, EPROTO, "%s sent a message of %u bytes while %s", c->who, len,
			state);
	text = xcalloc(1, len);
	r = read_all(c, text, len, deadline_ns);
	if (r < 0)
		return say(c, r, state, e);
	r = doc_parse(&d, text, len, e);
	if (r < 0)
		return err_wrap(e, "%s, while %s", c->who, state);
	*ret = take_ptr(d);
	return 0;
}

void chan_close(struct chan *c)
{
	closep(&c->fd);
}
