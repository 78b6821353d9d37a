/* What a container's directory says: CPU time, and the cgroups below it. */
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "charge/container.h"
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
static int read_v2(const char *path, uint64_t *ret, struct err *e)
{
	static const char key[] = "usage_usec ";
	char text[2048], *at;
	uint64_t us;
	int r = file_read(path, text, sizeof(text), e);

	if (r < 0)
		return r;
	at = strstr(text, key);
	if (!at || (at != text && at[-1] != '\n'))
		return err_say(e, EPROTO, "%s has no usage_usec", path);
	at += strlen(key);
	at[strcspn(at, "\n")] = '\0';
	r = num_parse(at, NUM_COUNT, &us, e);
	if (r == 0)
		*ret = us * NSEC_PER_USEC;
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

int container_usage(const struct container *c, uint64_t *ret, struct err *e)
{
	bool v1 = *c->usage_root;
	char path[PATH_MAX], text[32];
	int r;

	if (!*c->cgroup)
		return no_cgroup(c, e);
	snprintf(path, sizeof(path), "%s%s/%s", v1 ? c->usage_root : c->root, c->cgroup,
		v1 ? "cpuacct.usage" : "cpu.stat");
	if (!v1)
		return read_v2(path, ret, e);
	r = file_read(path, text, sizeof(text), e);
	if (r >= 0)
		r = num_parse(text, NUM_COUNT, ret, e);
	return r < 0 ? err_wrap(e, "%s '%s'", container_kind_name[c->kind], c->name) : 0;
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
	walk_below(&w, path, strlen(path), MAX_DEPTH);
	return (int)w.n;
}
