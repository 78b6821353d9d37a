#include "bench/agent_listen.h"

#include "base/cleanup.h"
#include "bench/agent.h"
#include "sys/signals.h"
#include "sys/unixsock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Without an agent for so long, nobody is there any more who could have the container removed. */
#define AGENT_LISTEN_IDLE_MS 60000

static void serve_one(int listen_fd)
{
	_cleanup_(closep) int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || fork() != 0)
		return;
	close(listen_fd);
	_exit(agent_main(fd));
}

int agent_listen(const char *path, struct err *e)
{
	_cleanup_(closep) int signal_fd = signals_open(e);
	_cleanup_(closep) int listen_fd = -1;

	if (signal_fd < 0)
		return signal_fd;
	listen_fd = unixsock_listen(path, e);
	if (listen_fd < 0)
		return listen_fd;
	/* Nobody asks how an agent ended. */
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct pollfd p[] = {{.fd = listen_fd, .events = POLLIN},
			{.fd = signal_fd, .events = POLLIN}};

		int n = poll(p, ARRAY_SIZE(p), AGENT_LISTEN_IDLE_MS);

		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for connections");
		if (n == 0 && waitpid(-1, NULL, WNOHANG) < 0)
			return 0;
		if (p[1].revents)
			return 0;
		if (p[0].revents)
			serve_one(listen_fd);
	}
}
