#include "sys/nsref.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "sys/container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ref: include/linux/threads.h PID_MAX_LIMIT */
#define PID_MAX (4U << 20)

/* Ref: nsfs: this ioctl is known to nothing else. */
static int hold(const char *path, const char *words, int *ret_fd, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return err_say(e, EPERM,
			"'%s' is another user's, or of another user namespace: it takes root",
			words);
	if (fd < 0)
		return err_set(e, errno, "no network namespace '%s'", words);
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_say(e, EINVAL, "'%s' (%s) is not a network namespace", words, path);
	*ret_fd = take_fd(fd);
	return 0;
}

static int check_netns(const char *name, struct err *e)
{
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		strlen(name) > NAME_MAX)
		return err_say(e, EINVAL, "'%.100s' is not the name of a network namespace", name);
	return 0;
}

/* Ref: ip-netns(8) */
static int open_netns(const char *name, const char *words, int *ret_fd, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	return hold(path, words, ret_fd, e);
}

static int parse_pid(const char *text, uint64_t *ret, struct err *e)
{
	int r = num_parse(text, NUM_COUNT, ret, e);

	if (r < 0 || *ret < 1 || *ret > PID_MAX)
		return err_say(e, EINVAL, "'%.100s' is not the number of a process", text);
	return 0;
}

static int check_pid(const char *text, struct err *e)
{
	uint64_t pid;

	return parse_pid(text, &pid, e);
}

static int open_pid(const char *text, const char *words, int *ret_fd, struct err *e)
{
	char path[64];
	uint64_t pid;
	int r = parse_pid(text, &pid, e);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%llu", (unsigned long long)pid);
	if (access(path, F_OK) < 0)
		return err_say(e, ENOENT, "there is no process %llu", (unsigned long long)pid);
	snprintf(path, sizeof(path), "/proc/%llu/ns/net", (unsigned long long)pid);
	return hold(path, words, ret_fd, e);
}

static int open_container(const char *id, const char *words, int *ret_fd, struct err *e)
{
	char path[64];
	pid_t pid;
	int r = container_find(id, &pid, e);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return hold(path, words, ret_fd, e);
}

static int check_host(const char *rest, struct err *e)
{
	return *rest ? err_say(e, EINVAL, "nothing stands behind 'host'") : 0;
}

static int open_host(const char *rest, const char *words, int *ret_fd, struct err *e)
{
	(void)rest;
	return hold("/proc/thread-self/ns/net", words, ret_fd, e);
}

static const struct nsref_kind {
	const char *prefix;
	int (*check)(const char *rest, struct err *e);
	int (*open)(const char *rest, const char *words, int *ret_fd, struct err *e);
} nsref_kind[] = {
	{"netns:", check_netns, open_netns},
	{"pid:", check_pid, open_pid},
	{"container:", container_check, open_container},
	{"host", check_host, open_host},
};

static const struct nsref_kind *kind_of(const char *words, const char **ret_rest)
{
	for (size_t i = 0; i < ARRAY_SIZE(nsref_kind); i++) {
		size_t len = strlen(nsref_kind[i].prefix);

		if (strncmp(words, nsref_kind[i].prefix, len) != 0)
			continue;
		/* "host" stands alone; a machine may be called hosting. */
		if (words[len - 1] != ':' && words[len] && words[len] != ':')
			continue;
		*ret_rest = words + len;
		return &nsref_kind[i];
	}
	return NULL;
}

bool nsref_meant(const char *words)
{
	const char *rest;

	return kind_of(words, &rest) != NULL;
}

int nsref_check(const char *words, struct err *e)
{
	const char *rest;
	const struct nsref_kind *kind = kind_of(words, &rest);

	if (!kind)
		return err_say(e, EINVAL, "'%.100s' is not " NSREF_WORDS, words);
	return kind->check(rest, e);
}

int nsref_open(const char *words, int *ret_fd, struct err *e)
{
	const char *rest = "";
	const struct nsref_kind *kind = kind_of(words, &rest);
	int r = nsref_check(words, e);

	return r < 0 ? r : kind->open(rest, words, ret_fd, e);
}

bool nsref_same(int a_fd, int b_fd)
{
	struct stat a, b;

	return fstat(a_fd, &a) == 0 && fstat(b_fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}
