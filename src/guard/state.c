#include "guard/state.h"

#include "base/mem.h"
#include "base/str.h"
#include "guard/record.h"
#include "guard/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* What the watcher is told, read so many at once: in how many ms it will hear again. */
#define WORDS 64

struct guard_state {
	int dir_fd, lock_fd;
	int netns_fd; /* locks of the network namespace and of cgroups; -1: there are none */
	int watch_fd; /* the watcher reads its end until ours is closed */
	pid_t watch_pid;
	struct guard_restored restored;
	struct guard_record rec;
};

void guard_state_dir(char *ret, size_t size)
{
	const char *user = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0 || !user || user[0] != '/')
		snprintf(ret, size, "/run/tare/guard");
	else
		snprintf(ret, size, "%s/tare/guard", user);
}

/* Everything but these is closed; they become 0, 1, 2 and 3. */
static bool keep_only(int pipe_fd, const struct guard_state *s)
{
	int kept[] = {pipe_fd, s->dir_fd, s->lock_fd, s->netns_fd};
	const int n = s->netns_fd < 0 ? 3 : 4;

	for (int i = 0; i < n; i++) {
		kept[i] = fcntl(kept[i], F_DUPFD, n);
		if (kept[i] < 0)
			return false;
	}
	for (int i = 0; i < n; i++)
		if (dup2(kept[i], i) < 0)
			return false;
	return close_range((unsigned)n, ~0U, 0) == 0;
}

/* Return: the last word of those that are there; -1: the guard is no more. */
static int64_t hear(int pipe_fd)
{
	uint32_t word[WORDS];
	ssize_t got;

	do
		got = read(pipe_fd, word, sizeof(word));
	while (got < 0 && errno == EINTR);
	return got > 0 ? (int64_t)word[(size_t)got / sizeof(word[0]) - 1] : -1;
}

/* As it was, for now: what is noted stays noted, and a guard that goes on finds it changed. */
static void lift(int dir_fd)
{
	_cleanup_(guard_record_fini) struct guard_record rec = {0};

	if (statefile_read(dir_fd, &rec, NULL) == 0)
		statefile_put_back_quotas(&rec);
}

/* Until the guard's end. Who does not say so as soon as he said has no quotas until he does. */
static void listen_to(int pipe_fd, int dir_fd)
{
	struct pollfd p = {.fd = pipe_fd, .events = POLLIN};
	int64_t word;
	int wait_ms = -1;

	for (;;) {
		int n = poll(&p, 1, wait_ms);

		if (n == 0) {
			lift(dir_fd);
			wait_ms = -1;
		}
		if (n <= 0)
			continue;
		word = hear(pipe_fd);
		if (word < 0)
			return;
		wait_ms = (int)MIN(word, INT_MAX);
	}
}

/*
 * Waits for the guard to end. The locks' descriptors are the guard's own, copied: a next guard
 * waits until this process is done, too.
 */
static _Noreturn void watch(int pipe_fd, const struct guard_state *s)
{
	struct guard_record rec = {0};
	sigset_t all;

	prctl(PR_SET_NAME, "tare-guard-end");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	(void)!chdir("/");
	if (!keep_only(pipe_fd, s))
		_exit(1);
	listen_to(0, 1);
	/* What could not be put back is in the file for the next start. */
	if (statefile_read(1, &rec, NULL) == 0)
		(void)!statefile_restore(1, &rec, NULL);
	_exit(0);
}

static int start_watcher(struct guard_state *s, struct err *e)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot create a pipe");
	s->watch_pid = fork();
	if (s->watch_pid == 0) {
		close(fd[1]);
		watch(fd[0], s);
	}
	close(fd[0]);
	/* A watcher that is stopped must not stop the guard. */
	(void)!fcntl(fd[1], F_SETFL, O_NONBLOCK);
	s->watch_fd = fd[1];
	return s->watch_pid < 0 ? err_set(e, errno, "cannot fork") : 0;
}

/* Its pipe is closed: it ends by itself. */
static void await_watcher(struct guard_state *s)
{
	closep(&s->watch_fd);
	while (s->watch_pid > 0 && waitpid(s->watch_pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->watch_pid = 0;
}

static void state_free(struct guard_state *s)
{
	await_watcher(s);
	closep(&s->netns_fd);
	closep(&s->lock_fd);
	closep(&s->dir_fd);
	guard_record_fini(&s->rec);
	free(s);
}
DEFINE_CLEANUP(struct guard_state *, state_free, state_freep)

/* Return: 0 or negative errno; what could not be put back is left in the record. */
static int read_and_restore(struct guard_state *s, struct err *e)
{
	int r = statefile_read(s->dir_fd, &s->rec, e);

	s->restored = (struct guard_restored){s->rec.n, s->rec.n_devices};
	if (r == 0)
		r = statefile_restore(s->dir_fd, &s->rec, e);
	s->restored.n_cgroups -= s->rec.n;
	s->restored.n_devices -= s->rec.n_devices;
	return r;
}

int guard_state_open(struct guard_state **ret, const char *dir, const char *cpu_root, struct err *e)
{
	_cleanup_(state_freep) struct guard_state *s = xcalloc(1, sizeof(*s));
	int r;

	s->lock_fd = s->netns_fd = s->watch_fd = -1;
	s->dir_fd = statefile_dir(dir, e);
	if (s->dir_fd < 0)
		return s->dir_fd;
	r = statefile_lock(s->dir_fd, &s->lock_fd, e);
	if (r != 0) {
		err_wrap(e, "%s", dir);
		return r;
	}
	r = cpu_root ? statefile_lock_netns(cpu_root, &s->netns_fd, e) : 0;
	if (r != 0)
		return r;
	r = read_and_restore(s, e);
	if (r < 0)
		return err_wrap(e, "%s", dir);
	r = start_watcher(s, e);
	if (r == 0)
		*ret = take_ptr(s);
	return r;
}

struct guard_restored guard_state_restored(const struct guard_state *s)
{
	return s->restored;
}

static const struct err *failed(const struct guard_record *rec, uint32_t i)
{
	if (i < rec->n)
		return &rec->item[i].failed;
	return i - rec->n < rec->n_devices ? &rec->device[i - rec->n].failed : NULL;
}

const struct guard_entry *guard_state_noted(const struct guard_state *s, uint32_t i)
{
	return i < s->rec.n ? &s->rec.item[i] : NULL;
}

const struct err *guard_state_failed(const struct guard_state *s, uint32_t i)
{
	return failed(&s->rec, i);
}

bool guard_state_claim(struct guard_state *s, uint64_t id)
{
	return s->netns_fd < 0 || statefile_claim(s->netns_fd, id) != -EAGAIN;
}

void guard_state_unclaim(struct guard_state *s, uint64_t id)
{
	if (s->netns_fd >= 0)
		statefile_unclaim(s->netns_fd, id);
}

/* Full: it has not read the last ones. */
void guard_state_beat(struct guard_state *s, uint32_t within_ms)
{
	const uint32_t word = within_ms ? within_ms : 1;

	if (write(s->watch_fd, &word, sizeof(word)) >= 0 || (errno != EPIPE && errno != EBADF))
		return;
	await_watcher(s);
	(void)!start_watcher(s, NULL); /* tried again by the next beat */
}

int guard_state_note(struct guard_state *s, const char *dir, uint64_t id,
	const struct cpuquota *was, struct err *e)
{
	struct guard_entry x = {.id = id, .was = *was};
	struct guard_entry *known = guard_record_find(&s->rec, id);

	if (dir[0] != '/' || strchr(dir, '\n') || str_copy(x.dir, sizeof(x.dir), dir) < 0)
		return err_say(e, EINVAL, "%s is no path that can be written down", dir);
	if (known)
		*known = x;
	else
		guard_record_add(&s->rec, &x);
	return statefile_write(s->dir_fd, &s->rec, e);
}

int guard_state_note_device(struct guard_state *s, const struct guard_device *x, struct err *e)
{
	guard_record_add_device(&s->rec, x);
	return statefile_write(s->dir_fd, &s->rec, e);
}

int guard_state_undo(struct guard_state *s, uint64_t id, const struct cpuquota *last, struct err *e)
{
	struct guard_entry *x = guard_record_find(&s->rec, id);
	int r;

	if (!x)
		return 0;
	r = statefile_put_back(x, last, e);
	if (r < 0)
		return r;
	guard_record_remove(&s->rec, x);
	return statefile_write(s->dir_fd, &s->rec, e);
}

/* Return: 0, or negative errno of the first. */
static int left_over(const struct guard_record *rec, struct err *e)
{
	const struct err *first = failed(rec, 0);
	const uint32_t n = rec->n + rec->n_devices;

	if (!first)
		return 0;
	if (n == 1)
		return err_say(e, -first->code, "%s", first->text);
	return err_say(e, -first->code, "%s; nor %u more", first->text, n - 1);
}

int guard_state_close(struct guard_state *s, struct err *e)
{
	int r = statefile_restore(s->dir_fd, &s->rec, e);

	if (r == 0)
		r = left_over(&s->rec, e);
	/* What is left is tried once more by the watcher; else it ends, even a stopped one. */
	if (r == 0 && s->watch_pid > 0)
		(void)kill(s->watch_pid, SIGKILL);
	state_free(s);
	return r;
}
