#include "wire/io.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits for the socket, the cancel descriptor or the deadline. */
static int wait_for(int fd, int cancel_fd, short events, uint64_t deadline_ns)
{
	struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = cancel_fd, .events = POLLIN}};

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

/* A guest's channel is a character device, opened non-blocking; all others are sockets. */
static ssize_t receive(int fd, void *buf, size_t len)
{
	ssize_t n = recv(fd, buf, len, MSG_DONTWAIT);

	return n < 0 && errno == ENOTSOCK ? read(fd, buf, len) : n;
}

static ssize_t transmit(int fd, const void *buf, size_t len)
{
	ssize_t n = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 && errno == ENOTSOCK ? write(fd, buf, len) : n;
}

int io_read(int fd, int cancel_fd, void *buf, size_t len, uint64_t deadline_ns)
{
	for (size_t done = 0; done < len;) {
		int r = wait_for(fd, cancel_fd, POLLIN, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = receive(fd, (char *)buf + done, len - done);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EAGAIN)
			return errno == ECONNRESET ? -EPIPE : -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int io_write(int fd, int cancel_fd, const void *buf, size_t len, uint64_t deadline_ns)
{
	for (size_t done = 0; done < len;) {
		int r = wait_for(fd, cancel_fd, POLLOUT, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = transmit(fd, (const char *)buf + done, len - done);
		if (n < 0 && errno != EAGAIN)
			return errno == ECONNRESET ? -EPIPE : -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}
