#include "sys/unixsock.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Agents come one or two at a time. */
#define UNIXSOCK_BACKLOG  8
#define UNIXSOCK_RETRY_MS 5

static int name(struct sockaddr_un *ret, const char *path, struct err *e)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (str_copy(ret->sun_path, sizeof(ret->sun_path), path) < 0)
		return err_say(e, ENAMETOOLONG, "socket name too long: %s", path);
	return 0;
}

int unixsock_listen(const char *path, struct err *e)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	int r = name(&addr, path, e);

	if (r < 0)
		return r;
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		listen(fd, UNIXSOCK_BACKLOG) < 0)
		return err_set(e, errno, "cannot listen at %s", path);
	return take_fd(fd);
}

int unixsock_connect(const char *path, uint64_t deadline_ns, int cancel_fd, struct err *e)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd cancel = {.fd = cancel_fd, .events = POLLIN};
	struct sockaddr_un addr;
	int r = name(&addr, path, e);

	if (r < 0)
		return r;
	if (fd < 0)
		return err_set(e, errno, "cannot open a socket");
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if ((errno != ENOENT && errno != ECONNREFUSED) || clock_left_ms(deadline_ns) == 0)
			return err_set(e, errno, "cannot connect to %s", path);
		if (poll(&cancel, 1, UNIXSOCK_RETRY_MS) > 0)
			return err_say(e, ECANCELED, "interrupted while an agent started");
	}
	return take_fd(fd);
}
