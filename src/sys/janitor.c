#include "sys/janitor.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define JANITOR_MAX_DIRS 256

struct janitor {
	int pipe_fd;
	pid_t pid;
};

/* Processes inside die a moment after tare does, and rmdir answers EBUSY until then. */
static void remove_dirs(char (*dir)[PATH_MAX], size_t n)
{
	uint64_t deadline_ns = clock_now_ns() + 5 * NSEC_PER_SEC;

	for (size_t i = n; i-- > 0;)
		while (rmdir(dir[i]) < 0 && errno == EBUSY && clock_left_ms(deadline_ns) > 0)
			poll(NULL, 0, 10);
}

static _Noreturn void janitor_main(int fd)
{
	char(*dir)[PATH_MAX] = xcalloc(JANITOR_MAX_DIRS, sizeof(*dir));
	FILE *in = fdopen(fd, "r");
	sigset_t all;
	size_t n = 0;

	prctl(PR_SET_NAME, "tare-janitor");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	while (in && n < JANITOR_MAX_DIRS && fgets(dir[n], PATH_MAX, in)) {
		dir[n][strcspn(dir[n], "\n")] = '\0';
		n++;
	}
	remove_dirs(dir, n);
	_exit(0);
}

int janitor_start(struct janitor **ret, struct err *e)
{
	_cleanup_(closep) int read_fd = -1;
	struct janitor *j;
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot create a pipe");
	read_fd = fd[0];
	pid = fork();
	if (pid < 0) {
		close(fd[1]);
		return err_set(e, errno, "cannot fork");
	}
	if (pid == 0) {
		/* No terminal, no pipe of the caller's, no copy of the write end may stay open. */
		if (dup2(read_fd, 0) < 0)
			_exit(1);
		close_range(1, ~0U, 0);
		janitor_main(0);
	}
	j = xcalloc(1, sizeof(*j));
	j->pipe_fd = fd[1];
	j->pid = pid;
	*ret = j;
	return 0;
}

int janitor_note(struct janitor *j, const char *dir, struct err *e)
{
	char line[PATH_MAX + 1];
	int n = snprintf(line, sizeof(line), "%s\n", dir);

	if (n >= PATH_MAX)
		return err_say(e, ENAMETOOLONG, "path too long: %s", dir);
	/* At most PIPE_BUF bytes: one write, whole. */
	if (write(j->pipe_fd, line, (size_t)n) != n)
		return err_set(e, errno, "cannot tell the janitor of %s", dir);
	return 0;
}

void janitor_finish(struct janitor *j)
{
	if (!j)
		return;
	closep(&j->pipe_fd);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(j);
}
