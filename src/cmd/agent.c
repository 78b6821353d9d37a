/*
 * "tare agent --listen PATH": what an engine's container runs (path/engine.h), of no use to a
 * user. One agent, a process of its own, for each connection to the socket at PATH. It is pid 1
 * of its container, so its end is the end of all of them.
 */
#include "base/cleanup.h"
#include "bench/agent.h"
#include "cmd/cmd.h"
#include "sys/signals.h"
#include "sys/unixsock.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

static void serve_one(int listen_fd)
{
	_cleanup_(closep) int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || fork() != 0)
		return;
	close(listen_fd);
	_exit(agent_main(fd));
}

int agent_command(int argc, char **argv)
{
	_cleanup_(closep) int signal_fd = -1;
	_cleanup_(closep) int listen_fd = -1;
	struct err e = {0};

	if (argc != 3 || strcmp(argv[1], "--listen") != 0)
		return cmd_fail(EXIT_USAGE, "agent: expected --listen PATH");
	signal_fd = signals_open(&e);
	if (signal_fd >= 0)
		listen_fd = unixsock_listen(argv[2], &e);
	if (signal_fd < 0 || listen_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "agent: %s", e.text);
	/* Nobody asks how an agent ended. */
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct pollfd p[] = {{.fd = listen_fd, .events = POLLIN},
			{.fd = signal_fd, .events = POLLIN}};

		if (poll(p, ARRAY_SIZE(p), -1) < 0 || p[1].revents)
			return EXIT_DONE;
		if (p[0].revents)
			serve_one(listen_fd);
	}
}
