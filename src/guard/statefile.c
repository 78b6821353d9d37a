#include "guard/statefile.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "guard/moderate.h"
#include "guard/state.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define LOCK_FILE  "lock"
#define STATE_FILE "state"
#define NEW_FILE   "state.new"
/* 4096 containers of a kilobyte each, twice. */
#define MAX_BYTES (8 << 20)
/* A guard that was killed: its quotas are being put back meanwhile. */
#define DYING_NS (5 * NSEC_PER_SEC)
#define LOOK_MS  10
/* Above all numbers of cgroups, each of which is a byte of the same file. */
#define NETNS_LOCKS ((off_t)1 << 62)
/* Of the largest pid, and one more. Ref: include/linux/threads.h PID_MAX_LIMIT, v6.18 */
#define PID_BITS 23

static int make_parents(const char *dir, struct err *e)
{
	char path[PATH_MAX];

	if (str_copy(path, sizeof(path), dir) < 0)
		return err_say(e, ENAMETOOLONG, "path too long: %s", dir);
	for (char *s = strchr(path + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return err_set(e, errno, "cannot create %s", path);
		*s = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "cannot create %s", path);
	return 0;
}

int statefile_dir(const char *dir, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;
	int r = make_parents(dir, e);

	if (r < 0)
		return r;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot open %s", dir);
	/* Whoever can write there says what quotas were. */
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_say(e, EPERM,
			"%s must be owned by the user of the guard, and be "
			"writable by nobody else",
			dir);
	return take_fd(fd);
}

static bool is_dead(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* So many bytes from @at on that their number says who has locked them. */
static struct flock lock_at(off_t at)
{
	return (struct flock){.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = at,
		.l_len = getpid() + 1};
}

/* 0: nobody has it. As its own pid namespace has it. */
static pid_t holder_of(int fd, off_t at)
{
	struct flock there = lock_at(at);

	if (fcntl(fd, F_OFD_GETLK, &there) < 0 || there.l_type == F_UNLCK)
		return 0;
	return (pid_t)(there.l_len - 1);
}

/* Of the open file, not of the process: a copy of its descriptor holds it, too. Ref: fcntl(2) */
static int lock(int fd, off_t at, const char *where, struct err *e)
{
	const struct flock own = lock_at(at);
	const uint64_t deadline_ns = clock_now_ns() + DYING_NS;

	while (fcntl(fd, F_OFD_SETLK, &own) < 0) {
		pid_t pid;

		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_set(e, errno, "cannot take the lock");
		pid = holder_of(fd, at);
		if ((pid && !is_dead(pid)) || clock_left_ms(deadline_ns) == 0) {
			err_say(e, EBUSY, "another guard is at work%s: process %d", where, pid);
			return STATEFILE_BUSY;
		}
		poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

int statefile_lock(int dir_fd, int *ret_fd, struct err *e)
{
	_cleanup_(closep) int fd =
		openat(dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return err_set(e, errno, "cannot open the lock");
	r = lock(fd, 0, "", e);
	if (r == 0)
		*ret_fd = take_fd(fd);
	return r;
}

/*
 * On a file that only who may write quotas can open for writing, unlike a socket's name, which
 * anybody could take first and so keep all guards out.
 */
int statefile_lock_netns(const char *cpu_root, int *ret_fd, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	char path[PATH_MAX];
	uint32_t netns;
	int r;

	*ret_fd = -1;
	snprintf(path, sizeof(path), "%s/cgroup.procs", cpu_root);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	r = ns_net_own(&netns, e);
	if (r == 0)
		r = lock(fd, NETNS_LOCKS + ((off_t)netns << PID_BITS), " in this network namespace",
			e);
	if (r == 0)
		*ret_fd = take_fd(fd);
	return r;
}

static int set_byte(int fd, uint64_t at, short type)
{
	const struct flock one = {.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(at % (uint64_t)NETNS_LOCKS),
		.l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &one) < 0 ? -errno : 0;
}

int statefile_claim(int netns_lock_fd, uint64_t id)
{
	const int r = set_byte(netns_lock_fd, id, F_WRLCK);

	return r == -EACCES ? -EAGAIN : r;
}

void statefile_unclaim(int netns_lock_fd, uint64_t id)
{
	(void)set_byte(netns_lock_fd, id, F_UNLCK); /* it goes with the file, then */
}

/* Return: 1 when there is none. */
static int read_text(int dir_fd, char **ret, size_t *ret_len, struct err *e)
{
	_cleanup_(closep) int fd = openat(dir_fd, STATE_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot open it");
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_BYTES)
		return err_say(e, EBADMSG, "damaged: it is no file of a guard's size");
	text = xcalloc((size_t)st.st_size + 1, 1);
	while (len < (size_t)st.st_size &&
		(n = read(fd, text + len, (size_t)st.st_size - len)) != 0) {
		if (n < 0)
			return err_set(e, errno, "cannot read it");
		len += (size_t)n;
	}
	*ret = take_ptr(text);
	*ret_len = len;
	return 0;
}

int statefile_read(int dir_fd, struct guard_record *ret, struct err *e)
{
	_cleanup_(guard_record_fini) struct guard_record old = {0};
	_cleanup_(freep) char *text = NULL;
	struct guard_record now = {0};
	size_t len = 0;
	int r = file_read("/proc/sys/kernel/random/boot_id", now.boot, sizeof(now.boot), e);

	if (r < 0)
		return r;
	r = read_text(dir_fd, &text, &len, e);
	if (r == 0)
		r = guard_record_parse(&old, text, len, e);
	if (r < 0)
		return err_wrap(e, "what was before, file '" STATE_FILE "'");
	if (r == 0 && strcmp(old.boot, now.boot) == 0) {
		*ret = old;
		old = (struct guard_record){0};
	} else {
		*ret = now;
	}
	return 0;
}

static int write_new(int dir_fd, const char *text)
{
	_cleanup_(closep) int fd = openat(dir_fd, NEW_FILE,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	for (size_t len = strlen(text); len > 0;) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_text(int dir_fd, const char *text)
{
	int r = write_new(dir_fd, text);

	if (r == 0 && renameat(dir_fd, NEW_FILE, dir_fd, STATE_FILE) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir_fd, NEW_FILE, 0); /* the disk is full, most probably */
	else if (fsync(dir_fd) < 0)
		r = -errno;
	return r;
}

/* Of a guard that was killed while it wrote, there may be a new one, too. */
static int remove_all(int dir_fd)
{
	(void)unlinkat(dir_fd, NEW_FILE, 0);
	return unlinkat(dir_fd, STATE_FILE, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int statefile_write(int dir_fd, const struct guard_record *rec, struct err *e)
{
	_cleanup_(freep) char *text = guard_record_text(rec);
	int r = rec->n || rec->n_devices ? write_text(dir_fd, text) : remove_all(dir_fd);

	return r < 0 ? err_set(e, -r, "cannot write down what was before") : 0;
}

int guard_cgroup_open(const char *dir, uint64_t id)
{
	_cleanup_(closep) int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return -errno;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == id)
		return take_fd(fd);
	return cgroup_open_renamed(dir, id);
}

void guard_cgroup_path(int fd, char ret[static GUARD_FD_PATH])
{
	snprintf(ret, GUARD_FD_PATH, "/proc/self/fd/%d", fd);
}

/* Of the next cgroup above that has a quota. Return: false: there is none. */
static bool quota_above(const char *path, struct cpuquota *ret)
{
	char dir[PATH_MAX];

	str_set(dir, path);
	do
		str_addf(dir, sizeof(dir), "/..");
	while (strlen(dir) < sizeof(dir) - 4 && cpuquota_read(dir, ret, NULL) == 0 &&
		ret->quota_us == CPUQUOTA_NONE);
	return ret->quota_us != CPUQUOTA_NONE;
}

/*
 * What it had is more than one above has by now, which v1 refuses. It is not left with what the
 * guard has made of it, but has as much as it may.
 */
static void give_what_is_allowed(const char *path, const struct cpuquota *was)
{
	struct cpuquota above = {.quota_us = CPUQUOTA_NONE}, q = *was;

	if (!quota_above(path, &above))
		return;
	q.quota_us = (int64_t)((double)above.quota_us / (double)above.period_us *
			       (double)was->period_us);
	(void)!cpuquota_write(path, &q, NULL);
}

int statefile_put_back(const struct guard_entry *x, const struct cpuquota *last, struct err *e)
{
	_cleanup_(closep) int fd = guard_cgroup_open(x->dir, x->id);
	struct cpuquota now, then = x->was;
	char path[GUARD_FD_PATH];
	int r = 0;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_set(e, -fd, "%s", x->dir);
	guard_cgroup_path(fd, path);
	if (last) {
		r = cpuquota_read(path, &now, e);
		if (r == 0)
			then = cpuquota_kept(&x->was, last, &now);
	}
	if (r == 0)
		r = cpuquota_write(path, &then, e);
	if (r == -EINVAL)
		give_what_is_allowed(path, &then);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? err_wrap(e, "%s", x->dir) : 0;
}

void statefile_put_back_quotas(struct guard_record *rec)
{
	uint32_t n_before;

	/* Again for as long as that helps: one that is back may have stood in another's way. */
	do {
		n_before = rec->n;
		for (uint32_t i = rec->n; i-- > 0;)
			if (statefile_put_back(&rec->item[i], NULL, &rec->item[i].failed) == 0)
				guard_record_remove(rec, &rec->item[i]);
	} while (rec->n > 0 && rec->n < n_before);
}

static void put_back_devices(struct guard_record *rec)
{
	for (uint32_t i = rec->n_devices; i-- > 0;)
		if (moderate_put_back(&rec->device[i], &rec->device[i].failed) == 0)
			guard_record_remove_device(rec, &rec->device[i]);
}

int statefile_restore(int dir_fd, struct guard_record *rec, struct err *e)
{
	statefile_put_back_quotas(rec);
	put_back_devices(rec);
	return statefile_write(dir_fd, rec, e);
}
