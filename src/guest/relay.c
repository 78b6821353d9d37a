#include "guest/relay.h"

#include "base/cleanup.h"
#include "guest/boot.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

int relay_exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int pass_on(struct relay *r, int i, struct err *e)
{
	char buf[16384];
	ssize_t n = read(r->from[i], buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		closep(&r->from[i]);
	for (ssize_t done = 0; done < n;) {
		ssize_t k = write(r->to[i], buf + done, (size_t)(n - done));

		if (k < 0 && errno != EINTR)
			return err_set(e, errno, "the host does not take output");
		done += k > 0 ? k : 0;
	}
	r->bytes[i] += n > 0 ? (uint64_t)n : 0;
	return 0;
}

/* Orphans of the command are ours to reap. Return: has @pid ended? */
static bool reap(int sig_fd, pid_t pid, int *ret_status)
{
	struct signalfd_siginfo info;
	bool ended = false;
	int status;
	pid_t who;

	(void)!read(sig_fd, &info, sizeof(info));
	while ((who = waitpid(-1, &status, WNOHANG)) > 0)
		if (who == pid) {
			*ret_status = status;
			ended = true;
		}
	return ended;
}

int relay_run(struct relay *r, pid_t pid, struct err *e)
{
	_cleanup_(closep) int sig_fd = -1;
	bool ended = false;
	sigset_t set;
	int status = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sig_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sig_fd < 0)
		return err_set(e, errno, "cannot open a signalfd");
	while (!ended || r->from[0] >= 0 || r->from[1] >= 0) {
		struct pollfd p[] = {{.fd = r->from[0], .events = POLLIN},
			{.fd = r->from[1], .events = POLLIN},
			{.fd = ended ? -1 : sig_fd, .events = POLLIN}};

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for the command");
		for (int i = 0; i < RELAY_N; i++)
			if (p[i].revents && pass_on(r, i, e) < 0)
				return -EPIPE;
		if (p[2].revents && reap(sig_fd, pid, &status)) {
			ended = true;
			boot_kill_all(); /* or a pipe that someone left open would not end */
		}
	}
	return relay_exit_status(status);
}
