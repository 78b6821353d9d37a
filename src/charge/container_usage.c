/* What a container's directory says: CPU time, and the cgroups below it. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "charge/container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Deeper ones have no processes that anybody meant to charge; and a path has an end. */
#define MAX_DEPTH 8

bool container_dir(const struct container *c, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%s%s", c->root, c->cgroup);

	return *c->cgroup && n > 0 && (size_t)n < size;
}

static int no_cgroup(const struct container *c, struct err *e)
{
	return err_say(e, EOPNOTSUPP, "%s '%s' has no cgroup", container_kind_name[c->kind],
		c->name);
}

/* The line "usage_usec <n>". Ref: Documentation/admin-guide/cgroup-v2.rst, cpu.stat */
static int parse_v2(char *text, uint64_t *ret, struct err *e)
{
	static const char key[] = "usage_usec ";
	char *at = strstr(text, key);
	uint64_t us;
	int r;

	if (!at || (at != text && at[-1] != '\n'))
		return err_say(e, EPROTO, "cpu.stat has no usage_usec");
	at += strlen(key);
	at[strcspn(at, "\n")] = '\0';
	r = num_parse(at, NUM_COUNT, &us, e);
	if (r == 0)
		*ret = us * NSEC_PER_USEC;
	return r;
}

int container_usage_open(const struct container *c, struct err *e)
{
	bool v1 = *c->usage_root;
	char path[PATH_MAX];
	int fd;

	if (!*c->cgroup)
		return no_cgroup(c, e);
	snprintf(path, sizeof(path), "%s%s/%s", v1 ? c->usage_root : c->root, c->cgroup,
		v1 ? "cpuacct.usage" : "cpu.stat");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "cannot open %s", path) : fd;
}

int container_usage_read(const struct container *c, int fd, uint64_t *ret, struct err *e)
{
	char text[2048];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int r;

	if (n < 0)
		return err_set(e, errno, "cannot read the CPU time of %s '%s'",
			container_kind_name[c->kind], c->name);
	text[n] = '\0';
	if (!*c->usage_root) {
		r = parse_v2(text, ret, e);
	} else {
		text[strcspn(text, "\n")] = '\0';
		r = num_parse(text, NUM_COUNT, ret, e);
	}
	return r < 0 ? err_wrap(e, "%s '%s'", container_kind_name[c->kind], c->name) : 0;
}

int container_usage(const struct container *c, uint64_t *ret, struct err *e)
{
	_cleanup_(closep) int fd = container_usage_open(c, e);

	return fd < 0 ? fd : container_usage_read(c, fd, ret, e);
}

struct walk {
	uint64_t *id; /* [max] */
	uint32_t n, max;
};

/*
 * Cgroups come and go under it: what is gone is not counted. Their inodes are their ids.
 * Ref: fs/kernfs/dir.c kernfs_fop_readdir
 */
static void walk_below(struct walk *w, char *path, size_t len, int depth)
{
	_cleanup_(dir_closep) DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) && w->n < w->max) {
		size_t more = strlen(entry->d_name) + 1;

		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0 || len + more >= PATH_MAX)
			continue;
		w->id[w->n++] = entry->d_ino;
		if (depth == 0)
			continue;
		path[len] = '/';
		memcpy(path + len + 1, entry->d_name, more);
		walk_below(w, path, len + more, depth - 1);
		path[len] = '\0';
	}
}

int container_cgroups(const struct container *c, uint64_t *ret, uint32_t max, struct err *e)
{
	struct walk w = {.id = ret, .max = max};
	char path[PATH_MAX];
	struct stat st;

	assert(max > 0);
	if (!container_dir(c, path, sizeof(path)))
		return no_cgroup(c, e);
	if (stat(path, &st) < 0)
		return err_set(e, errno, "no cgroup %s", path);
	w.id[w.n++] = st.st_ino;
	/* A link each for itself, "." and the directories in it. Ref: kernfs_refresh_inode */
	if (st.st_nlink > 2)
		walk_below(&w, path, strlen(path), MAX_DEPTH);
	return (int)w.n;
}
