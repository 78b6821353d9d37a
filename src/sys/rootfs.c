#include "sys/rootfs.h"

#include "base/cleanup.h"
#include "sys/selfexe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

struct rootfs {
	const char *dir;
	uid_t uid;
	gid_t gid;
};

static int make_dir(const struct rootfs *fs, const char *path, struct err *e)
{
	if (mkdir(path, 0755) < 0)
		return errno == EEXIST ? 0 : err_set(e, errno, "cannot create %s", path);
	return chown(path, fs->uid, fs->gid) < 0 ? err_set(e, errno, "cannot give %s away", path)
						 : 0;
}

/* All directories of @name, which has no leading "/", and those above it. */
static int make_parents(const struct rootfs *fs, const char *name, struct err *e)
{
	char path[PATH_MAX];
	int r = 0;

	for (const char *p = strchr(name, '/'); r == 0 && p; p = strchr(p + 1, '/')) {
		snprintf(path, sizeof(path), "%s/%.*s", fs->dir, (int)(p - name), name);
		r = make_dir(fs, path, e);
	}
	return r;
}

static int put_file(void *ctx, const char *source, const char *name, struct err *e)
{
	const struct rootfs *fs = ctx;
	_cleanup_(closep) int in = open(source, O_RDONLY | O_CLOEXEC);
	_cleanup_(closep) int out = -1;
	char path[PATH_MAX];
	int r = make_parents(fs, name, e);
	ssize_t n;

	if (r < 0)
		return r;
	if (in < 0)
		return err_set(e, errno, "cannot open %s", source);
	snprintf(path, sizeof(path), "%s/%s", fs->dir, name);
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (out < 0 || fchown(out, fs->uid, fs->gid) < 0)
		return err_set(e, errno, "cannot create %s", path);
	do
		n = sendfile(out, in, NULL, INT_MAX);
	while (n > 0);
	return n < 0 ? err_set(e, errno, "cannot copy %s to %s", source, path) : 0;
}

int rootfs_of_self(const char *dir, uid_t uid, gid_t gid, struct err *e)
{
	static const char *const below[] = {"dev/", "etc/", "proc/", "run/", "sys/", "tmp/"};
	struct rootfs fs = {dir, uid, gid};
	int r = make_dir(&fs, dir, e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(below); i++)
		r = make_parents(&fs, below[i], e);
	return r < 0 ? r : self_files(&ROOTFS_EXE[1], put_file, &fs, e);
}
