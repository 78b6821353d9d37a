#include "sys/ns.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_proc(const char *path, const char *text, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "cannot open %s", path);
	if (write(fd, text, strlen(text)) < 0)
		return err_set(e, errno, "cannot write %s", path);
	return 0;
}

int ns_user_enter(struct err *e)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];
	int r;

	if (unshare(CLONE_NEWUSER) < 0)
		return err_set(e, errno,
			"the kernel refuses a user namespace (run as root, or see "
			"kernel.unprivileged_userns_clone and user.max_user_namespaces)");

	/* Ref: user_namespaces(7): gid_map needs setgroups denied first. */
	r = write_proc("/proc/self/setgroups", "deny", e);
	if (r < 0)
		return r;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	r = write_proc("/proc/self/uid_map", map, e);
	if (r < 0)
		return r;
	snprintf(map, sizeof(map), "0 %u 1", gid);
	r = write_proc("/proc/self/gid_map", map, e);
	if (r < 0)
		return r;

	/* A home network namespace owned by this user namespace: setns() back to it is allowed. */
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return err_set(e, errno, "cannot create namespaces inside the user namespace");
	return 0;
}

static int loopback_up(struct err *e)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return err_set(e, errno, "cannot set loopback up");
	return 0;
}

static int open_own_netns(struct err *e)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_set(e, errno, "cannot open /proc/thread-self/ns/net") : fd;
}

/*
 * Who may not enter his own namespace could leave it, but not come back: root of a user namespace
 * whose network is still somebody else's. Ref: user_namespaces(7); net/core/net_namespace.c
 * netns_install
 */
static int may_come_back(int home_fd, struct err *e)
{
	if (setns(home_fd, CLONE_NEWNET) < 0)
		return err_set(e, errno,
			"cannot leave this network namespace and come back, as it is of another "
			"user namespace (unshare with -n, too)");
	return 0;
}

int ns_net_new(int *ret, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int home_fd = open_own_netns(e);
	int fd, r;

	if (home_fd < 0)
		return home_fd;
	r = may_come_back(home_fd, e);
	if (r < 0)
		return r;
	if (unshare(CLONE_NEWNET) < 0)
		return err_set(e, errno, "cannot create a network namespace");
	scope.home_fd = take_fd(home_fd);
	r = loopback_up(e);
	if (r < 0)
		return r;

	fd = open_own_netns(e);
	if (fd < 0)
		return fd;
	*ret = fd;
	return 0;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

int ns_scope_enter(struct ns_scope *s, int netns_fd, struct err *e)
{
	_cleanup_(closep) int fd = open_own_netns(e);
	int r;

	if (fd < 0)
		return fd;
	if (same_file(fd, netns_fd)) /* entering where one is takes CAP_SYS_ADMIN, too */
		return 0;
	r = may_come_back(fd, e);
	if (r < 0)
		return r;
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_set(e, errno, "cannot enter the network namespace");
	s->home_fd = take_fd(fd);
	return 0;
}

void ns_scope_leave(struct ns_scope *s)
{
	if (s->home_fd < 0)
		return;
	/* Going on in the wrong namespace would change somebody else's network. */
	if (setns(s->home_fd, CLONE_NEWNET) < 0)
		abort();
	closep(&s->home_fd);
}

int ns_net_own(uint32_t *ret, struct err *e)
{
	struct stat st;

	if (stat("/proc/thread-self/ns/net", &st) < 0)
		return err_set(e, errno, "cannot stat /proc/thread-self/ns/net");
	*ret = (uint32_t)st.st_ino;
	return 0;
}

/* Of the entries of a directory, by @below. Return: a descriptor, or -ENOENT. */
static int find_below(const char *dir, const char *below, const struct stat *want)
{
	_cleanup_(dir_closep) DIR *d = opendir(dir);
	const struct dirent *x;

	while (d && (x = readdir(d))) {
		_cleanup_(closep) int fd = -1;
		char path[PATH_MAX];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s%s", dir, x->d_name, below);
		if (stat(path, &st) < 0 || st.st_dev != want->st_dev || st.st_ino != want->st_ino)
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC);
		/* It may have been another's since. */
		if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == want->st_ino)
			return take_fd(fd);
	}
	return -ENOENT;
}

int ns_net_find(uint32_t inode)
{
	struct stat want;
	int fd = open_own_netns(NULL);

	/* All are files of one file system. */
	if (fd < 0 || fstat(fd, &want) < 0 || want.st_ino == inode)
		return fd < 0 ? -ENOENT : fd;
	close(fd);
	want.st_ino = inode;
	fd = find_below("/run/netns", "", &want);
	return fd >= 0 ? fd : find_below("/proc", "/ns/net", &want);
}

/* Ref: since v5.14, net/core/sock.c SO_NETNS_COOKIE */
uint64_t ns_net_cookie(int netns_fd)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	uint64_t ret = 0;
	socklen_t len = sizeof(ret);

	if (ns_scope_enter(&scope, netns_fd, NULL) < 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &ret, &len) == 0 ? ret : 0;
}
