#include "sys/spawn.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPAWN_CTL_FD 3
/* An agent ends by itself once its control socket closes; one that is stuck is killed. */
#define SPAWN_FAREWELL_MS 1000

/* The terminal's Ctrl-C goes to the whole group; only the parent decides what to do about it. */
static void detach_from_terminal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/*
 * Leaves the agent with standard streams, its control socket and what it is passed, so that it
 * holds nobody's. First all go out of the way of their new numbers.
 */
static bool keep_only(int ctl_fd, const struct spawn_args *args)
{
	int n = 1 + (int)args->n_pass, fd[1 + SPAWN_MAX_PASS];

	for (int i = 0; i < n; i++) {
		fd[i] = fcntl(i ? args->pass_fd[i - 1] : ctl_fd, F_DUPFD_CLOEXEC, SPAWN_CTL_FD + n);
		if (fd[i] < 0)
			return false;
	}
	for (int i = 0; i < n; i++)
		if (dup3(fd[i], SPAWN_CTL_FD + i, O_CLOEXEC) < 0)
			return false;
	return close_range((unsigned int)(SPAWN_CTL_FD + n), ~0U, 0) == 0;
}

/*
 * A second fork makes the agent pid 1 of the new pid namespace. The process in between only
 * passes on its exit status and its death.
 */
static bool become_container(void)
{
	int status = 0;
	pid_t pid;

	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		return false;
	pid = fork();
	if (pid < 0)
		return false;
	if (pid > 0) {
		close_range(SPAWN_CTL_FD, ~0U, 0);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sethostname("tare", 4) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	/* Refused where /proc is masked (a container without root); the old /proc will do. */
	(void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	return true;
}

/* Steps of a start, as exit statuses; the parent sees the control socket close. */
enum spawn_step {
	SPAWN_CGROUP = 121,
	SPAWN_NETNS,
	SPAWN_DESCRIPTORS,
	SPAWN_CONTAINER,
};

static const char *step_name(int status)
{
	static const char *const name[] = {
		[SPAWN_CGROUP - SPAWN_CGROUP] = "it could not join its cgroup",
		[SPAWN_NETNS - SPAWN_CGROUP] = "it could not enter its network namespace",
		[SPAWN_DESCRIPTORS - SPAWN_CGROUP] = "it could not arrange its descriptors",
		[SPAWN_CONTAINER - SPAWN_CGROUP] = "it could not become a container",
	};
	int i = WIFEXITED(status) ? WEXITSTATUS(status) - SPAWN_CGROUP : -1;

	return i >= 0 && i < (int)ARRAY_SIZE(name) ? name[i] : NULL;
}

static _Noreturn void child_main(const struct spawn_args *args, int ctl_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "tare-agent");
	detach_from_terminal();
	if (args->cgroup && cgroup_join(args->cgroup, NULL) < 0)
		_exit(SPAWN_CGROUP);
	if (args->netns_fd >= 0 && setns(args->netns_fd, CLONE_NEWNET) < 0)
		_exit(SPAWN_NETNS);
	if (!keep_only(ctl_fd, args))
		_exit(SPAWN_DESCRIPTORS);
	if (args->container && !become_container())
		_exit(SPAWN_CONTAINER);
	_exit(args->main(SPAWN_CTL_FD));
}

pid_t spawn_agent_on(int ctl_fd, const struct spawn_args *args, struct err *e)
{
	pid_t pid = fork();

	if (pid < 0)
		return err_set(e, errno, "cannot fork an agent");
	if (pid == 0)
		child_main(args, ctl_fd);
	return pid;
}

int spawn_agent(struct spawned *ret, const struct spawn_args *args, struct err *e)
{
	_cleanup_(closep) int parent_fd = -1;
	_cleanup_(closep) int child_fd = -1;
	int fd[2];
	pid_t pid;

	assert(args->n_pass <= SPAWN_MAX_PASS);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return err_set(e, errno, "cannot create a control socket");
	parent_fd = fd[0];
	child_fd = fd[1];
	pid = spawn_agent_on(child_fd, args, e);
	if (pid < 0)
		return pid;
	ret->pid = pid;
	ret->ctl_fd = take_fd(parent_fd);
	return 0;
}

/* Has the process ended, within the time given? */
static bool ended(pid_t pid, int timeout_ms)
{
	_cleanup_(closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd >= 0 && poll(&p, 1, timeout_ms) > 0;
}

const char *spawn_reap(pid_t pid)
{
	int status = 0;

	if (pid <= 0)
		return NULL;
	/* Killing the process in between would leave the container's to init to reap. */
	if (!ended(pid, SPAWN_FAREWELL_MS))
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return step_name(status);
}
