#include "sys/exec.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exit statuses of a child that did not become the program; as the shell has them. */
#define EXEC_NOT_ENTERED 126
#define EXEC_NOT_FOUND   127

/* How often a program's words are looked at: nothing beside what starting one takes. */
#define EXEC_LOOK_MS 5

static bool enter(const struct exec_args *a)
{
	if (a->netns_fd >= 0 && setns(a->netns_fd, CLONE_NEWNET) < 0)
		return false;
	return !a->room || room_enter(a->room);
}

static bool become(const char *user)
{
	const struct passwd *pw = user ? getpwnam(user) : NULL;

	if (!user)
		return true;
	return pw && initgroups(user, pw->pw_gid) == 0 && setgid(pw->pw_gid) == 0 &&
	       setuid(pw->pw_uid) == 0;
}

/*
 * What stays outside of the room while its child, @pid, runs in it: passes on how that ends. Told
 * to end (tare is dead, or has had enough) it ends the child first and reaps it. Were it killed,
 * the child would be left to the init out here, and the room could not close before that reaps it,
 * which the init of a container may never do.
 */
static void forward_status(pid_t pid)
{
	int status = 0, sig = 0;
	sigset_t set;

	if (pid == 0)
		return;
	if (pid < 0)
		_exit(EXEC_NOT_ENTERED);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (sigwait(&set, &sig) == 0 && sig == SIGTERM)
			kill(pid, SIGKILL);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* For as long as nobody waits for them. */
static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/*
 * In the child of @parent, which may be dead by now; @fd: its standard streams. A process enters a
 * pid namespace only by a fork.
 */
static _Noreturn void child_main(const struct exec_args *a, const int fd[3], pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXEC_NOT_ENTERED);
	setsid();
	for (int i = 0; i < 3; i++)
		if (dup2(fd[i], i) < 0)
			_exit(EXEC_NOT_ENTERED);
	if (!enter(a))
		_exit(EXEC_NOT_ENTERED);
	close_range(3, ~0U, 0);
	if (a->room) {
		block_signals();
		forward_status(fork());
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	for (const char *const *v = a->env; v && *v; v++)
		putenv((char *)(uintptr_t)*v);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (!become(a->user))
		_exit(EXEC_NOT_ENTERED);
	/* A change of user clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(a->argv[0], (char *const *)(uintptr_t)a->argv);
	_exit(errno == ENOENT ? EXEC_NOT_FOUND : EXEC_NOT_ENTERED);
}

static int start(const struct exec_args *a, const int fd[3], pid_t *ret, struct err *e)
{
	pid_t parent = getpid();

	*ret = fork();
	if (*ret == 0)
		child_main(a, fd, parent);
	return *ret < 0 ? err_set(e, errno, "cannot fork for %s", a->argv[0]) : 0;
}

bool exec_find(const char *name, char *ret, size_t size)
{
	_cleanup_(freep) char *dirs = xstrdup(getenv("PATH") ?: "/usr/sbin:/usr/bin:/sbin:/bin");
	char path[PATH_MAX], *rest = dirs, *dir;

	while ((dir = strsep(&rest, ":"))) {
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (access(strchr(name, '/') ? name : path, X_OK) < 0)
			continue;
		if (ret)
			(void)str_copy(ret, size, strchr(name, '/') ? name : path);
		return true;
	}
	return false;
}

/* The last @max bytes of @text, from the begin of a line if there is one. */
static const char *tail_of(const char *text, size_t max)
{
	size_t n = strlen(text);
	const char *p = n > max ? text + n - max : text, *line = n > max ? strchr(p, '\n') : NULL;

	return line && line[1] ? line + 1 : p;
}

struct pump {
	int fd; /* -1: closed */
	char *buf;
	size_t size, len;
	bool keep_end; /* else the begin */
};

static void pump_read(struct pump *p)
{
	char chunk[1024];
	size_t room;
	ssize_t n = read(p->fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		closep(&p->fd);
		return;
	}
	room = p->size - 1 - p->len;
	if (p->keep_end && (size_t)n > room) {
		/* Chunks are smaller than the buffer. */
		memmove(p->buf, p->buf + ((size_t)n - room), p->len - ((size_t)n - room));
		p->len -= (size_t)n - room;
		room = (size_t)n;
	}
	room = MIN(room, (size_t)n);
	memcpy(p->buf + p->len, chunk, room);
	p->len += room;
	p->buf[p->len] = '\0';
}

/* Reads until both pipes are closed and the process has ended, or its time is over. */
static int pump_all(struct pump *p, pid_t pid, const struct exec_args *a, struct err *e)
{
	_cleanup_(closep) int end_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t deadline_ns = clock_now_ns() + a->timeout_ns;

	while (p[0].fd >= 0 || p[1].fd >= 0 || end_fd >= 0) {
		struct pollfd fd[] = {{.fd = p[0].fd, .events = POLLIN},
			{.fd = p[1].fd, .events = POLLIN}, {.fd = a->cancel_fd, .events = POLLIN},
			{.fd = end_fd, .events = POLLIN}};

		if (clock_left_ms(deadline_ns) == 0)
			return err_say(e, ETIMEDOUT, "%s did not end within %llu s", a->argv[0],
				(unsigned long long)(a->timeout_ns / NSEC_PER_SEC));
		if (poll(fd, ARRAY_SIZE(fd), clock_left_ms(deadline_ns)) < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait for %s", a->argv[0]);
		if (fd[2].revents)
			return err_say(e, ECANCELED, "interrupted while %s ran", a->argv[0]);
		for (int i = 0; i < 2; i++)
			if (p[i].fd >= 0 && fd[i].revents)
				pump_read(&p[i]);
		if (fd[3].revents)
			closep(&end_fd);
	}
	return 0;
}

static int reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int verdict(const struct exec_args *a, const struct exec_result *x, struct err *e)
{
	char words[400];

	if (x->status == 0)
		return 0;
	if (x->status == EXEC_NOT_FOUND && !exec_find(a->argv[0], NULL, 0))
		return err_say(e, ENOENT, "there is no program %s", a->argv[0]);
	str_set(words, tail_of(*x->error ? x->error : x->out, 390));
	str_one_line(words);
	(void)err_say(e, EIO, "%s ended with status %d%s%s", a->argv[0], x->status,
		*words ? ": " : "", words);
	return EXEC_FAILED;
}

/* With all of its group; in a room the one who stays outside ends the other one. */
static void end(pid_t pid, bool in_room)
{
	if (!in_room)
		kill(-pid, SIGKILL);
	kill(pid, in_room ? SIGTERM : SIGKILL);
}

/* A file without a name that reads as @text. */
static int input_fd(const char *text, struct err *e)
{
	int fd =
		text ? memfd_create("input", MFD_CLOEXEC) : open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "cannot make an input");
	if (text && (write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)) {
		int r = err_set(e, errno, "cannot make an input");

		close(fd);
		return r;
	}
	return fd;
}

int exec_run(struct exec_result **ret, const struct exec_args *a, struct err *e)
{
	_cleanup_(freep) struct exec_result *x = xcalloc(1, sizeof(*x));
	_cleanup_(closep) int in = input_fd(a->input, e);
	struct pump p[] = {{.fd = -1, .buf = x->out, .size = sizeof(x->out)},
		{.fd = -1, .buf = x->error, .size = sizeof(x->error), .keep_end = true}};
	int out[2], err[2], r;
	pid_t pid;

	*ret = NULL;
	if (in < 0)
		return in;
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot create a pipe");
	if (pipe2(err, O_CLOEXEC) < 0) {
		r = err_set(e, errno, "cannot create a pipe");
		close(out[0]);
		close(out[1]);
		return r;
	}
	p[0].fd = out[0];
	p[1].fd = err[0];
	r = start(a, (const int[]){in, out[1], err[1]}, &pid, e);
	close(out[1]);
	close(err[1]);
	if (r == 0)
		r = pump_all(p, pid, a, e);
	closep(&p[0].fd);
	closep(&p[1].fd);
	if (pid > 0 && r < 0)
		end(pid, a->room != NULL);
	if (pid > 0)
		x->status = reap(pid);
	if (r == 0)
		r = verdict(a, x, e);
	*ret = take_ptr(x);
	return r;
}

int exec_start(struct exec_proc *ret, const struct exec_args *a, struct err *e)
{
	_cleanup_(closep) int log = memfd_create("log", MFD_CLOEXEC);
	_cleanup_(closep) int in = input_fd(a->input, e);
	const char *slash = strrchr(a->argv[0], '/');
	int r;

	*ret = (struct exec_proc)EXEC_PROC_NONE;
	if (log < 0)
		return err_set(e, errno, "cannot make a log");
	if (in < 0)
		return in;
	if (!exec_find(a->argv[0], NULL, 0))
		return err_say(e, ENOENT, "there is no program %s", a->argv[0]);
	r = start(a, (const int[]){in, log, log}, &ret->pid, e);
	if (r < 0)
		return r;
	ret->in_room = a->room != NULL;
	ret->log_fd = take_fd(log);
	str_set(ret->name, slash ? slash + 1 : a->argv[0]);
	return 0;
}

void exec_last_words(int fd, char *ret, size_t size)
{
	char text[EXEC_ERR_BYTES];
	const off_t most = sizeof(text) - 1;
	struct stat st = {0};
	ssize_t n;

	assert(size < sizeof(text));
	(void)fstat(fd, &st);
	n = pread(fd, text, sizeof(text) - 1, MAX(st.st_size - most, (off_t)0));
	text[n > 0 ? n : 0] = '\0';
	(void)str_copy(ret, size, tail_of(text, size - 1));
	str_one_line(ret);
}

bool exec_ended(struct exec_proc *proc, struct err *e)
{
	char words[400];
	int status;

	if (proc->pid <= 0 || waitpid(proc->pid, &status, WNOHANG) != proc->pid)
		return proc->pid <= 0;
	proc->pid = -1;
	exec_last_words(proc->log_fd, words, sizeof(words));
	(void)err_say(e, EPIPE, "%s ended with status %d%s%s", proc->name,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		*words ? ": " : "", words);
	return true;
}

/* Only the first EXEC_OUT_BYTES are looked at. */
static bool has_said(const struct exec_proc *proc, const char *text)
{
	_cleanup_(freep) char *log = xcalloc(1, EXEC_OUT_BYTES);
	ssize_t n = pread(proc->log_fd, log, EXEC_OUT_BYTES - 1, 0);

	return n > 0 && memmem(log, (size_t)n, text, strlen(text));
}

int exec_wait_words(struct exec_proc *proc, const char *text, uint64_t deadline_ns, int cancel_fd,
	struct err *e)
{
	char words[400];

	while (!has_said(proc, text)) {
		/* A memfd tells nobody that it grows. */
		struct pollfd p = {.fd = cancel_fd, .events = POLLIN};

		if (exec_ended(proc, e))
			return -EPIPE;
		if (clock_left_ms(deadline_ns) == 0) {
			exec_last_words(proc->log_fd, words, sizeof(words));
			return err_say(e, ETIMEDOUT, "%s did not get ready; it said: %s",
				proc->name, *words ? words : "nothing");
		}
		if (poll(&p, 1, EXEC_LOOK_MS) > 0)
			return err_say(e, ECANCELED, "interrupted while %s started", proc->name);
	}
	return 0;
}

void exec_stop(struct exec_proc *proc)
{
	if (proc->pid > 0) {
		end(proc->pid, proc->in_room);
		(void)reap(proc->pid);
	}
	proc->pid = -1;
	closep(&proc->log_fd);
}
