#include "guest/host.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define SAY_NS (5 * NSEC_PER_SEC)
/* A pipe that has room has room for so much. Ref: pipe(7) */
#define CHUNK_BYTES PIPE_BUF

/* A reader that takes its time must not keep us from hearing of a signal. */
static int put(struct guest_host *x, int fd, const char *buf, size_t n, struct err *e)
{
	while (n > 0) {
		struct pollfd p[] = {{.fd = fd, .events = POLLOUT},
			{.fd = x->cancel_fd, .events = POLLIN}};
		ssize_t k;

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for the reader of the output");
		if (p[1].revents)
			return err_say(e, ECANCELED, "interrupted");
		if (!p[0].revents)
			continue;
		k = write(fd, buf, MIN(n, (size_t)CHUNK_BYTES));
		if (k < 0 && errno != EINTR && errno != EAGAIN)
			return err_set(e, errno, "cannot write the command's output");
		buf += k > 0 ? k : 0;
		n -= k > 0 ? (size_t)k : 0;
	}
	return 0;
}

/* Return: 0, or negative errno when our own output is gone. */
static int pass_on(struct guest_host *x, enum guest_port port, struct err *e)
{
	char buf[16384];
	ssize_t n = read(x->fd[port], buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		closep(&x->fd[port]);
		return 0;
	}
	x->bytes[port] += (uint64_t)n;
	return put(x, port == GUEST_HOST_OUT ? STDOUT_FILENO : STDERR_FILENO, buf, (size_t)n, e);
}

static bool has_more(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* The guest is gone: what it has said before is here. */
static int lost(struct guest_host *x, struct err *e)
{
	struct err why = {0};
	int r = qemu_say_why(x->qemu, &why);

	for (enum guest_port i = GUEST_HOST_OUT; i <= GUEST_HOST_ERR; i++)
		while (x->fd[i] >= 0 && has_more(x->fd[i])) {
			int passed = pass_on(x, i, e);

			if (passed < 0)
				return passed;
		}
	*e = why;
	return r;
}

static int hear(struct guest_host *x, struct err *e)
{
	char line[sizeof(x->ctl.buf)];

	if (guest_hear(&x->ctl, line, sizeof(line), clock_now_ns() + SAY_NS) < 0)
		return lost(x, e);
	if (strncmp(line, "error ", 6) == 0)
		return err_say(e, EREMOTEIO, "the guest: %s", line + 6);
	if (sscanf(line, "exit %d %" SCNu64 " %" SCNu64, &x->status, &x->expected[GUEST_HOST_OUT],
		    &x->expected[GUEST_HOST_ERR]) != 3)
		return err_say(e, EPROTO, "the guest said '%.60s'", line);
	x->ended = true;
	return 0;
}

static bool is_through(const struct guest_host *x)
{
	return x->ended && x->bytes[GUEST_HOST_OUT] >= x->expected[GUEST_HOST_OUT] &&
	       x->bytes[GUEST_HOST_ERR] >= x->expected[GUEST_HOST_ERR];
}

int guest_host_relay(struct guest_host *x, uint64_t deadline_ns, struct err *e)
{
	int r = 0;

	while (r == 0 && !is_through(x)) {
		struct pollfd p[] = {{.fd = x->ctl.fd, .events = POLLIN},
			{.fd = x->fd[GUEST_HOST_OUT], .events = POLLIN},
			{.fd = x->fd[GUEST_HOST_ERR], .events = POLLIN},
			{.fd = x->cancel_fd, .events = POLLIN}};

		if (clock_left_ms(deadline_ns) == 0)
			return err_say(e, ETIMEDOUT, "the command did not end within --time-max");
		if (poll(p, ARRAY_SIZE(p), clock_left_ms(deadline_ns)) < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for a guest");
		if (p[3].revents)
			return err_say(e, ECANCELED, "interrupted");
		for (enum guest_port i = GUEST_HOST_OUT; r == 0 && i <= GUEST_HOST_ERR; i++)
			if (p[i].revents)
				r = pass_on(x, i, e);
		if (r == 0 && p[0].revents)
			r = hear(x, e);
	}
	return r;
}
