/*
 * Who is there: one pass over /proc, which reads of each process its cgroups and the number of its
 * network namespace. What has a cgroup that container_of_path() knows is one, by that cgroup; a
 * namespace that none of these lives in is one by itself. A process that ends meanwhile was not
 * there.
 */
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "charge/container_priv.h"
#include "sys/cgroup.h"
#include "sys/ns.h"
#include "sys/nsref.h"
#include "sys/rtpeer.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of one file: up to 16 lines of hierarchies, each a path as long as the kernel tells. */
#define CGROUP_TEXT_BYTES (16U * (PATH_MAX + 64))

/* A namespace other than the host's, seen in a process. */
struct seen {
	uint32_t netns;
	pid_t pid;
};

/* What the pass over /proc has at hand. */
struct pass {
	struct scan *scan;
	const struct container_roots *roots;
	const struct container *extra; /* [n_extra], of --cgroup: cgroup and root */
	uint32_t n_extra;
	void *by_key;     /* tree of struct found */
	void *before;     /* tree of struct container */
	uint32_t n, room; /* seen */
	struct seen *seen;
	char *text;    /* [CGROUP_TEXT_BYTES] */
	int parent_fd; /* of the directory @parent; -1: none */
	char parent[PATH_MAX];
};

static void keep_node(void *node)
{
	(void)node;
}

static void pass_fini(struct pass *p)
{
	tdestroy(p->by_key, keep_node);
	tdestroy(p->before, keep_node);
	free(p->seen);
	free(p->text);
	closep(&p->parent_fd);
}

static void tree_add(void **tree, const void *item)
{
	if (!tsearch(item, tree, container_by_key))
		abort(); /* no memory */
}

static void *tree_find(void *const *tree, const struct container *c)
{
	void *node = tfind(c, tree, container_by_key);

	return node ? *(void **)node : NULL;
}

static struct found *scan_add(struct scan *s, const struct container *c)
{
	struct found *f = xcalloc(1, sizeof(*f));

	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->item = xreallocarray(s->item, s->room, sizeof(struct found *));
	}
	f->c = *c;
	f->c.nsid = RT_NSID_NONE;
	f->netns_fd = -1;
	s->item[s->n++] = f;
	return f;
}

static void scan_fini(struct scan *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		closep(&s->item[i]->netns_fd);
		free(s->item[i]);
	}
	free(s->item);
	free(s->peer);
}

/*
 * A container's directory, by the one above it, which is kept open: others of its runtime are
 * beside it, and a path through cgroups is long. Return: false: it is gone.
 */
static bool stat_dir(struct pass *p, const char *root, const char *cgroup, struct stat *ret)
{
	char dir[PATH_MAX], *name;

	snprintf(dir, sizeof(dir), "%s%s", root, cgroup);
	name = strrchr(dir, '/');
	*name++ = '\0';
	if (p->parent_fd < 0 || strcmp(p->parent, dir) != 0) {
		closep(&p->parent_fd);
		p->parent_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		str_set(p->parent, dir);
	}
	return p->parent_fd >= 0 && fstatat(p->parent_fd, name, ret, 0) == 0;
}

/* Is @path @cgroup, or below it? */
static bool is_below(const char *path, const char *cgroup)
{
	size_t len = strlen(cgroup);

	return strncmp(path, cgroup, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool is_gone(const char *path)
{
	static const char deleted[] = " (deleted)";
	size_t len = strlen(path);

	return len > strlen(deleted) && strcmp(path + len - strlen(deleted), deleted) == 0;
}

/* What was asked for by name is one, and else what the path says. */
static bool what_is(const struct pass *p, const char *root, const char *path, struct container *ret)
{
	bool is_one = !is_gone(path) && container_of_path(path, ret);
	bool known = is_one && (ret->kind != CONTAINER_SERVICE || p->scan->cfg->services);

	for (uint32_t i = 0; i < p->n_extra; i++) {
		const struct container *x = &p->extra[i];

		if (strcmp(root, x->root) != 0 || !is_below(path, x->cgroup))
			continue;
		if (!is_one || strcmp(ret->cgroup, x->cgroup) != 0)
			*ret = *x;
		known = true;
	}
	if (known)
		str_set(ret->root, root);
	return known;
}

/* In the cpu hierarchy, or in that of v2. Return: false: of the host. */
static bool identify(const struct pass *p, const char *text, struct container *ret)
{
	char path[PATH_MAX];

	if (*p->roots->cpu && cgroup_path_of(text, "cpu", path, sizeof(path)) &&
		what_is(p, p->roots->cpu, path, ret)) {
		str_set(ret->usage_root, p->roots->usage);
		return true;
	}
	return *p->roots->v2 && cgroup_path_of(text, "", path, sizeof(path)) &&
	       what_is(p, p->roots->v2, path, ret);
}

/* What its directories are; false when it is gone. */
static bool find_dirs(struct pass *p, const char *text, struct container *c)
{
	struct container there;
	struct stat st;
	char path[PATH_MAX];

	if (!stat_dir(p, c->root, c->cgroup, &st))
		return false;
	/* A link each for itself, "." and the directories in it. Ref: kernfs_refresh_inode */
	c->is_leaf = st.st_nlink <= 2;
	if (strcmp(c->root, p->roots->v2) == 0) {
		c->cgroup2_id = st.st_ino;
		c->cgroup_id = *p->roots->cpu ? 0 : st.st_ino;
		return true;
	}
	c->cgroup_id = st.st_ino;
	if (*p->roots->v2 && cgroup_path_of(text, "", path, sizeof(path)) &&
		what_is(p, p->roots->v2, path, &there) && there.kind == c->kind &&
		stat_dir(p, p->roots->v2, there.cgroup, &st))
		c->cgroup2_id = st.st_ino;
	return true;
}

/* The one that a process with this cgroup is in; NULL: it is gone by now. */
static struct found *found_of(struct pass *p, const char *text, struct container *c)
{
	struct found *f = tree_find(&p->by_key, c);
	const struct container *b;

	if (f)
		return f;
	if (!find_dirs(p, text, c))
		return NULL;
	f = scan_add(p->scan, c);
	b = tree_find(&p->before, c);
	if (b && container_same_cgroup(b, c))
		f->before = b;
	tree_add(&p->by_key, f);
	return f;
}

/*
 * Which process a container's namespace is taken from. What watches a container may be in its
 * cgroup and in the host's namespace, a container within it has one of its own, and processes move:
 * it is the one known, if any of it is still there; else the first other than the host's.
 */
enum rank {
	RANK_NONE,
	RANK_HIDDEN, /* of another user: no namespace is seen */
	RANK_HOST,
	RANK_OWN,
	RANK_NS_BEFORE,  /* in the namespace it had before */
	RANK_PID_BEFORE, /* the very process */
};

static enum rank rank_of(const struct scan *s, const struct found *f, pid_t pid, uint32_t netns)
{
	const struct container *b = f->before;

	if (b && netns && b->netns == netns && (netns != s->host_netns))
		return b->pid == pid ? RANK_PID_BEFORE : RANK_NS_BEFORE;
	if (netns != s->host_netns)
		return netns ? RANK_OWN : RANK_HIDDEN;
	return RANK_HOST;
}

static void add_process(const struct pass *p, struct found *f, pid_t pid, uint32_t netns)
{
	enum rank rank = rank_of(p->scan, f, pid, netns);

	if ((int)rank <= f->rank)
		return;
	f->rank = rank;
	f->c.pid = pid;
	f->c.netns = netns;
	f->c.host_netns = netns == p->scan->host_netns;
}

static void see_netns(struct pass *p, pid_t pid, uint32_t netns)
{
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 64;
		p->seen = xreallocarray(p->seen, p->room, sizeof(struct seen));
	}
	p->seen[p->n++] = (struct seen){netns, pid};
}

static ssize_t read_at(int dir, const char *path, char *ret, size_t size)
{
	_cleanup_(closep) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1); /* all of it, or cut: seq_file */

	ret[n > 0 ? n : 0] = '\0';
	return n;
}

/* Ref: include/linux/sched.h PF_EXITING; proc(5): field 9 of stat */
#define EXITING 4U

/* One that ends is in v1's roots, but in its own cgroup of v2; then it has no namespace. */
static bool is_ending(int proc, pid_t pid)
{
	char path[32], text[512];
	const char *s;
	unsigned flags;

	snprintf(path, sizeof(path), "%d/stat", pid);
	if (read_at(proc, path, text, sizeof(text)) <= 0)
		return true;
	s = strrchr(text, ')');
	return !s || sscanf(s + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || flags & EXITING;
}

/* Is it one whose cgroups and namespace can't be taken for what they say? */
static bool is_doubtful(const struct pass *p, const struct container *c, uint32_t netns)
{
	return !netns || (*p->roots->cpu && strcmp(c->root, p->roots->v2) == 0);
}

/* By the words of the link: a stat() makes an inode. Return: false: the process ended. */
static bool read_netns(int proc, pid_t pid, uint32_t *ret)
{
	char path[32], text[64];
	ssize_t n;

	*ret = 0; /* another user's: hidden */
	snprintf(path, sizeof(path), "%d/ns/net", pid);
	n = readlinkat(proc, path, text, sizeof(text) - 1);
	if (n < 0)
		return errno == EACCES || errno == EPERM;
	text[n] = '\0';
	return sscanf(text, "net:[%" SCNu32 "]", ret) == 1;
}

static void look_at(struct pass *p, int proc, pid_t pid)
{
	char path[32];
	struct container c;
	struct found *f = NULL;
	uint32_t netns;

	snprintf(path, sizeof(path), "%d/cgroup", pid);
	if (read_at(proc, path, p->text, CGROUP_TEXT_BYTES) < 0)
		return;
	if (!read_netns(proc, pid, &netns))
		return;
	if (identify(p, p->text, &c) && !(is_doubtful(p, &c, netns) && is_ending(proc, pid)))
		f = found_of(p, p->text, &c);
	if (f)
		add_process(p, f, pid, netns);
	if (netns && netns != p->scan->host_netns)
		see_netns(p, pid, netns);
}

static int look_at_all(struct pass *p, struct err *e)
{
	_cleanup_(dir_closep) DIR *dir = opendir("/proc");
	struct dirent *entry;

	if (!dir)
		return err_set(e, errno, "cannot open /proc");
	while ((entry = readdir(dir))) {
		uint64_t pid;

		if (isdigit((unsigned char)*entry->d_name) &&
			num_parse(entry->d_name, NUM_COUNT, &pid, NULL) == 0)
			look_at(p, dirfd(dir), (pid_t)pid);
	}
	return 0;
}

static int by_netns(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->netns != y->netns)
		return x->netns < y->netns ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static const struct container *before_of_netns(const struct pass *p, uint32_t netns)
{
	return tree_find(&p->before, &(struct container){.netns = netns});
}

/* The process that a namespace was known by, if it is still there; else its first. */
static pid_t witness(const struct pass *p, const struct seen *first, uint32_t n)
{
	const struct container *b = before_of_netns(p, first->netns);

	for (uint32_t i = 0; b && i < n; i++)
		if (first[i].pid == b->pid)
			return b->pid;
	return first->pid;
}

static void add_netns(struct pass *p, uint32_t netns, pid_t pid)
{
	struct found *f = scan_add(p->scan,
		&(struct container){.kind = CONTAINER_NETNS, .netns = netns, .pid = pid});

	f->before = before_of_netns(p, netns);
	tree_add(&p->by_key, f);
}

/* Namespaces that no container lives in. */
static void add_others(struct pass *p)
{
	uint32_t n = p->scan->n, end;
	_cleanup_(freep) struct seen *theirs = xcalloc(n, sizeof(*theirs));

	for (uint32_t i = 0; i < n; i++)
		theirs[i].netns = p->scan->item[i]->c.netns;
	if (n > 0)
		qsort(theirs, n, sizeof(*theirs), by_netns);
	if (p->n > 0)
		qsort(p->seen, p->n, sizeof(*p->seen), by_netns);
	for (uint32_t i = 0; i < p->n; i = end) {
		const struct seen key = {p->seen[i].netns, 0};

		for (end = i; end < p->n && p->seen[end].netns == key.netns; end++)
			;
		if (!bsearch(&key, theirs, n, sizeof(*theirs), by_netns))
			add_netns(p, key.netns, witness(p, &p->seen[i], end - i));
	}
}

/* A directory that has been asked for, as a cgroup of a hierarchy. */
static int read_extra(struct container *ret, const char *dir, const struct container_roots *roots,
	struct err *e)
{
	const char *const root[] = {roots->cpu, roots->v2};
	_cleanup_(freep) char *real = realpath(dir, NULL);
	size_t len;

	if (!real)
		return err_set(e, errno, "no cgroup '%s'", dir);
	*ret = (struct container){.kind = CONTAINER_CGROUP};
	for (size_t i = 0; i < ARRAY_SIZE(root); i++) {
		len = strlen(root[i]);
		if (len == 0 || !is_below(real, root[i]) || !real[len])
			continue;
		if (str_copy(ret->cgroup, sizeof(ret->cgroup), real + len) < 0)
			return err_say(e, ENAMETOOLONG,
				"the path of the cgroup '%.100s' is too long", dir);
		str_set(ret->root, root[i]);
		if (i == 0)
			str_set(ret->usage_root, roots->usage);
		str_set(ret->name, strrchr(real, '/') + 1);
		str_one_line(ret->name);
		return 0;
	}
	return err_say(e, EINVAL, "'%s' is no cgroup below %s", dir,
		*roots->cpu ? roots->cpu : roots->v2);
}

static int read_extras(struct container **ret, uint32_t *ret_n, const struct container_cfg *cfg,
	const struct container_roots *roots, struct err *e)
{
	uint32_t n = 0;
	int r = 0;

	while (cfg->cgroup && cfg->cgroup[n])
		n++;
	*ret = xcalloc(n, sizeof(**ret));
	*ret_n = 0;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = read_extra(&(*ret)[*ret_n], cfg->cgroup[i], roots, e);
		if (r == 0)
			(*ret_n)++;
		else if (r == -ENOENT && cfg->gone_ok)
			r = 0;
	}
	return r;
}

/* One without a process is there, too. */
static void add_extras(struct pass *p)
{
	for (uint32_t i = 0; i < p->n_extra; i++) {
		struct found *f = tree_find(&p->by_key, &p->extra[i]);
		struct container c = {0};

		if (!f && container_of_path(p->extra[i].cgroup, &c) &&
			strcmp(c.cgroup, p->extra[i].cgroup) == 0) {
			str_set(c.root, p->extra[i].root);
			str_set(c.usage_root, p->extra[i].usage_root);
			f = found_of(p, "", &c);
		} else if (!f) {
			c = p->extra[i];
			f = found_of(p, "", &c);
		}
		if (f)
			f->wanted = true;
	}
}

static int add_wanted_netns(struct pass *p, const char *words, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	struct found *f = NULL;
	struct stat st;
	uint32_t netns;
	int r = nsref_open(words, &fd, e);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot stat the network namespace '%s'", words);
	netns = (uint32_t)st.st_ino;
	if (netns == p->scan->host_netns)
		return err_say(e, EINVAL, "'%s' is the network namespace of the host itself",
			words);
	for (uint32_t i = 0; i < p->scan->n; i++) {
		if (p->scan->item[i]->c.netns != netns)
			continue;
		f = p->scan->item[i];
		f->wanted = true;
	}
	if (!f) {
		add_netns(p, netns, 0);
		f = p->scan->item[p->scan->n - 1];
		f->wanted = true;
		f->netns_fd = take_fd(fd);
	}
	if (f->c.kind == CONTAINER_NETNS) {
		str_set(f->c.name, words);
		str_one_line(f->c.name);
	}
	return 0;
}

/* Kept from scan to scan: on a host of many containers there are thousands of mounts to look at. */
static void find_roots(struct container_roots *ret, const struct container_list *before)
{
	if (before && (*before->roots.cpu || *before->roots.v2)) {
		*ret = before->roots;
		return;
	}
	*ret = (struct container_roots){0};
	if (!cgroup_mount_point("cpu", ret->cpu, sizeof(ret->cpu)))
		*ret->cpu = '\0';
	if (!cgroup_mount_point("cpuacct", ret->usage, sizeof(ret->usage)))
		*ret->usage = '\0';
	if (!cgroup_mount_point("", ret->v2, sizeof(ret->v2)))
		*ret->v2 = '\0';
}

/* All that is there, put together. */
static int look(struct pass *p, struct err *e)
{
	const struct container_cfg *cfg = p->scan->cfg;
	int r;

	for (uint32_t i = 0; cfg->before && i < cfg->before->n; i++)
		tree_add(&p->before, &cfg->before->item[i]);
	r = look_at_all(p, e);
	if (r < 0)
		return r;
	add_extras(p);
	add_others(p);
	for (size_t i = 0; r == 0 && cfg->netns && cfg->netns[i]; i++) {
		r = add_wanted_netns(p, cfg->netns[i], e);
		if (r == -ENOENT && cfg->gone_ok)
			r = 0;
	}
	return r;
}

int containers_scan(struct container_list *ret, const struct container_cfg *cfg, struct err *e)
{
	_cleanup_(scan_fini) struct scan s = {.cfg = cfg};
	_cleanup_(pass_fini) struct pass p = {.scan = &s, .parent_fd = -1};
	_cleanup_(freep) struct container *extra = NULL;
	struct container_roots roots;
	int r = ns_net_own(&s.host_netns, e);

	if (r < 0)
		return r;
	find_roots(&roots, cfg->before);
	r = read_extras(&extra, &p.n_extra, cfg, &roots, e);
	if (r < 0)
		return r;
	p.extra = extra;
	p.roots = &roots;
	p.text = xcalloc(1, CGROUP_TEXT_BYTES);
	r = look(&p, e);
	if (r < 0)
		return r;
	scan_mark_shared(&s);
	r = scan_devices(&s, e);
	if (r < 0)
		return r;
	scan_names(&s, "");
	scan_make_list(&s, &roots, ret);
	return 0;
}
