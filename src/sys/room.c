#include "sys/room.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM_READY_MS 5000

/* Nothing mounted in the room is seen outside, and nothing outside is changed. */
static bool furnish(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 &&
	       mount("tare", "/run", "tmpfs", 0, "mode=755") == 0 && mkdir(ROOM_DIR, 0711) == 0;
}

/* Pid 1 of the room: reaps orphans until tare's end of the socket closes; then all is killed. */
static _Noreturn void keep(int fd)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.events = POLLIN}};
	sigset_t all;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "tare-room");
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	p[1].fd = signalfd(-1, &all, SFD_CLOEXEC);
	if (!furnish() || p[1].fd < 0 || write(fd, "", 1) != 1)
		_exit(1);
	for (;;) {
		struct signalfd_siginfo si;

		if (poll(p, 2, -1) < 0 || p[0].revents)
			_exit(0);
		if (read(p[1].fd, &si, sizeof(si)) > 0)
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
	}
}

/* As fork, into new namespaces: the child is pid 1 of its own. */
static pid_t fork_into_room(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL,
		NULL);
}

static int open_ns(const struct room *room, const char *ns, int *ret, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", room->pid, ns);
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? err_set(e, errno, "cannot open %s", path) : 0;
}

static int open_root(const struct room *room, int *ret, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", room->pid);
	*ret = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? err_set(e, errno, "cannot open %s", path) : 0;
}

static int wait_ready(const struct room *room, struct err *e)
{
	struct pollfd p = {.fd = room->pipe_fd, .events = POLLIN};
	char c;

	if (poll(&p, 1, ROOM_READY_MS) > 0 && read(room->pipe_fd, &c, 1) == 1)
		return 0;
	return err_say(e, EPERM,
		"cannot mount a /proc and a /run of its own for processes to live in");
}

int room_open(struct room **ret, struct err *e)
{
	_cleanup_(room_closep) struct room *room = xcalloc(1, sizeof(*room));
	int fd[2], r;

	room->pid_ns_fd = room->mnt_ns_fd = room->root_fd = room->pipe_fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return err_set(e, errno, "cannot create a socket pair");
	room->pid = fork_into_room();
	if (room->pid == 0) {
		if (dup2(fd[1], 3) < 0 || close_range(4, ~0U, 0) < 0)
			_exit(1);
		keep(3);
	}
	close(fd[1]);
	room->pipe_fd = fd[0];
	if (room->pid < 0)
		return err_set(e, errno, "cannot create a pid and a mount namespace");
	r = wait_ready(room, e);
	if (r == 0)
		r = open_ns(room, "pid", &room->pid_ns_fd, e);
	if (r == 0)
		r = open_ns(room, "mnt", &room->mnt_ns_fd, e);
	if (r == 0)
		r = open_root(room, &room->root_fd, e);
	if (r < 0)
		return r;
	*ret = take_ptr(room);
	return 0;
}

void room_close(struct room *room)
{
	if (!room)
		return;
	if (room->pid > 0) {
		kill(room->pid, SIGKILL);
		while (waitpid(room->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	closep(&room->pipe_fd);
	closep(&room->pid_ns_fd);
	closep(&room->mnt_ns_fd);
	closep(&room->root_fd);
	free(room);
}

static int exit_status(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

/*
 * In a child. Ref: kill(2): -1 is all processes but the caller and pid 1; a process enters a pid
 * namespace only by a fork.
 */
static _Noreturn void signal_all(const struct room *room, int sig)
{
	pid_t pid;

	if (setns(room->pid_ns_fd, CLONE_NEWPID) < 0)
		_exit(errno);
	pid = fork();
	if (pid == 0)
		_exit(kill(-1, sig) < 0 && errno != ESRCH ? errno : 0);
	_exit(pid < 0 ? errno : exit_status(pid));
}

int room_freeze(struct room *room, bool freeze, struct err *e)
{
	const char *what = freeze ? "stop" : "continue";
	pid_t pid = fork();
	int r;

	if (pid == 0)
		signal_all(room, freeze ? SIGSTOP : SIGCONT);
	if (pid < 0)
		return err_set(e, errno, "cannot fork to %s programs", what);
	r = exit_status(pid);
	return r ? err_set(e, r, "cannot %s the programs of a path", what) : 0;
}

void room_path(const struct room *room, const char *path, char *ret, size_t size)
{
	snprintf(ret, size, "/proc/%d/root%s", room->pid, path);
}

/* Ref: setns(2): a new mount namespace sets the root directory to that namespace's. */
static bool enter_mounts(const struct room *room)
{
	return setns(room->mnt_ns_fd, CLONE_NEWNS) == 0 && fchdir(room->root_fd) == 0 &&
	       chroot(".") == 0;
}

bool room_enter(const struct room *room)
{
	return setns(room->pid_ns_fd, CLONE_NEWPID) == 0 && enter_mounts(room);
}

/*
 * A process in the room's mount namespace that does @work there; its exit status is an errno.
 * @fd: of a directory that stays the working directory; -1: the root
 */
static int work_inside(const struct room *room, int fd, int (*work)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (!enter_mounts(room) || (fd >= 0 && fchdir(fd) < 0))
			_exit(errno);
		_exit(work(arg));
	}
	return pid < 0 ? errno : exit_status(pid);
}

struct bind_ns {
	char fd[16];
	const char *path;
};

/* The working directory is the caller's /proc/self/fd: the room's /proc does not know it. */
static int bind_ns(void *arg)
{
	const struct bind_ns *b = arg;
	int fd = open(b->path, O_CREAT | O_RDONLY | O_CLOEXEC, 0444);

	if (fd < 0 || mount(b->fd, b->path, "none", MS_BIND, NULL) < 0)
		return errno;
	return 0;
}

int room_bind_ns(const struct room *room, int ns_fd, const char *path, struct err *e)
{
	_cleanup_(closep) int self = open("/proc/self/fd", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	struct bind_ns b = {.path = path};
	int r;

	if (self < 0)
		return err_set(e, errno, "cannot open /proc/self/fd");
	snprintf(b.fd, sizeof(b.fd), "%d", ns_fd);
	r = work_inside(room, self, bind_ns, &b);
	return r ? err_set(e, r, "cannot give a namespace the name %s", path) : 0;
}

/*
 * Puts an empty directory in place of @parent, with a link to each thing that was in it: so there
 * can be a new entry that the machine does not get.
 */
static int copy_by_links(const char *parent)
{
	char old[] = ROOM_DIR "/XXXXXX", target[sizeof(old) + 1 + NAME_MAX];
	struct dirent *entry;
	DIR *list;
	int to;

	if (!mkdtemp(old) || mount(parent, old, NULL, MS_BIND | MS_REC, NULL) < 0 ||
		mount("tare", parent, "tmpfs", 0, "mode=755") < 0)
		return errno;
	to = open(parent, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	list = opendir(old);
	if (to < 0 || !list)
		return errno;
	while ((entry = readdir(list))) {
		snprintf(target, sizeof(target), "%s/%s", old, entry->d_name);
		/* "." and ".." are there already. */
		if (symlinkat(target, to, entry->d_name) < 0 && errno != EEXIST)
			return errno;
	}
	return 0;
}

static int private_dir(void *arg)
{
	const char *dir = arg;
	char parent[PATH_MAX];
	int r;

	if (access(dir, F_OK) == 0)
		return mount("tare", dir, "tmpfs", 0, "mode=755") < 0 ? errno : 0;
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(dir, '/') - dir), dir);
	r = copy_by_links(parent);
	return r ?: mkdir(dir, 0755) < 0 ? errno : 0;
}

int room_private_dir(const struct room *room, const char *dir, struct err *e)
{
	int r = work_inside(room, -1, private_dir, (void *)(uintptr_t)dir);

	return r ? err_set(e, r, "cannot make %s private", dir) : 0;
}
