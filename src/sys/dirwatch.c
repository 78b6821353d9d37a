#include "sys/dirwatch.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* Levels below the root: a loop of bind mounts has no end. */
#define MAX_DEPTH 16

struct watched {
	int wd;
	uint32_t depth;
	char *path; /* below the root, "" itself */
};

struct dirwatch {
	int fd;
	struct dirwatch_args args;
	char *root;
	uint32_t n;
	struct watched *dir; /* [args.max] */
	bool is_short;
};

static struct watched *find(const struct dirwatch *w, int wd)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->dir[i].wd == wd)
			return &w->dir[i];
	return NULL;
}

static void forget(struct dirwatch *w, struct watched *x)
{
	free(x->path);
	*x = w->dir[--w->n];
}

/* Return: false when it is watched already, is gone, or there is no room. */
static bool add_one(struct dirwatch *w, const char *path, uint32_t depth)
{
	_cleanup_(freep) char *full = xasprintf("%s%s", w->root, path);
	int wd;

	if (w->n == w->args.max || depth > MAX_DEPTH) {
		w->is_short = true;
		return false;
	}
	wd = inotify_add_watch(w->fd, full,
		IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW);
	if (wd < 0) {
		w->is_short |= errno == ENOSPC || errno == ENOMEM;
		return false;
	}
	if (find(w, wd))
		return false;
	w->dir[w->n++] = (struct watched){wd, depth, xstrdup(path)};
	return true;
}

/* Watched first and read then, so that nothing comes in between unseen. */
static void add_tree(struct dirwatch *w, const char *path, uint32_t depth)
{
	_cleanup_(freep) char *full = xasprintf("%s%s", w->root, path);
	_cleanup_(dir_closep) DIR *dir = NULL;
	struct dirent *entry;

	if (!add_one(w, path, depth))
		return;
	dir = opendir(full);
	while (dir && (entry = readdir(dir))) {
		_cleanup_(freep) char *below = NULL;

		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0)
			continue;
		below = xasprintf("%s/%s", path, entry->d_name);
		if (w->args.enter(below))
			add_tree(w, below, depth + 1);
	}
}

int dirwatch_open(struct dirwatch **ret, const struct dirwatch_args *args, struct err *e)
{
	_cleanup_(dirwatch_closep) struct dirwatch *w = xcalloc(1, sizeof(*w));

	w->args = *args;
	w->root = xstrdup(args->root);
	w->dir = xcalloc(args->max, sizeof(*w->dir));
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0)
		return err_set(e, errno, "cannot watch directories");
	add_tree(w, "", 0);
	if (w->n == 0)
		return err_say(e, ENOENT, "cannot watch the directory %s", args->root);
	*ret = take_ptr(w);
	return 0;
}

void dirwatch_close(struct dirwatch *w)
{
	if (!w)
		return;
	closep(&w->fd);
	for (uint32_t i = 0; i < w->n; i++)
		free(w->dir[i].path);
	free(w->dir);
	free(w->root);
	free(w);
}

int dirwatch_fd(const struct dirwatch *w)
{
	return w->fd;
}

bool dirwatch_is_short(const struct dirwatch *w)
{
	return w->is_short;
}

/* Return: did a directory come or go? */
static bool handle(struct dirwatch *w, const struct inotify_event *ev)
{
	struct watched *x = find(w, ev->wd);
	_cleanup_(freep) char *below = NULL;

	if (ev->mask & IN_Q_OVERFLOW) { /* some went unsaid; those that came have to be found */
		for (uint32_t i = 0; i < w->n; i++)
			(void)inotify_rm_watch(w->fd, w->dir[i].wd);
		while (w->n > 0)
			forget(w, &w->dir[0]);
		add_tree(w, "", 0);
		return true;
	}
	if (!x)
		return false;
	if (ev->mask & IN_IGNORED) {
		forget(w, x);
		return false;
	}
	if (!(ev->mask & IN_ISDIR) || !ev->len)
		return false;
	below = xasprintf("%s/%s", x->path, ev->name);
	if (ev->mask & (IN_CREATE | IN_MOVED_TO) && w->args.enter(below))
		add_tree(w, below, x->depth + 1);
	return true;
}

bool dirwatch_take(struct dirwatch *w)
{
	_Alignas(struct inotify_event) char text[16384];
	bool any = false;
	ssize_t n;

	/* Each read takes a part, and events that go on meanwhile wait for the next call. */
	n = read(w->fd, text, sizeof(text));
	for (const char *at = text; n > 0 && at < text + n;) {
		const struct inotify_event *ev = (const struct inotify_event *)(const void *)at;

		any |= handle(w, ev);
		at += sizeof(*ev) + ev->len;
	}
	return any;
}
