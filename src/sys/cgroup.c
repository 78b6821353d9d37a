#include "sys/cgroup.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

/* A handle that is the inode's number. Ref: include/linux/exportfs.h FILEID_KERNFS, v6.18 */
#define HANDLE_KERNFS 0xfe

/* Names in /proc/self/cgroup; "" is cgroup v2. Ref: cgroups(7). */
static const char *const hierarchy[] = {"", "cpu", "cpuacct", "memory", "pids"};

/* True if the comma-separated @list has @word. "" matches only the empty list. */
static bool list_has(const char *list, size_t len, const char *word)
{
	size_t wlen = strlen(word);

	if (len == 0 || wlen == 0)
		return len == wlen;
	for (const char *s = list; s < list + len; s += strcspn(s, ",:") + 1)
		if (strncmp(s, word, wlen) == 0 && (s[wlen] == ',' || s[wlen] == ':'))
			return true;
	return false;
}

/* The third field of the line "id:names:path". */
bool cgroup_path_of(const char *text, const char *name, char *ret, size_t size)
{
	for (const char *line = text; line && *line;) {
		const char *names = strchr(line, ':');
		const char *path = names ? strchr(names + 1, ':') : NULL;

		if (!path)
			return false;
		if (list_has(names + 1, (size_t)(path - names - 1), name)) {
			size_t len = strcspn(path + 1, "\n");

			if (len >= size)
				return false;
			memcpy(ret, path + 1, len);
			ret[len] = '\0';
			return true;
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return false;
}

struct cgroup_mount {
	char where[PATH_MAX], type[64], options[1024];
};

/*
 * The next hierarchy that is mounted whole.
 * Ref: proc(5), mountinfo: fields 4, 5, type, options.
 */
static bool next_mount(FILE *f, struct cgroup_mount *ret)
{
	char line[4096], root[PATH_MAX];

	while (f && fgets(line, sizeof(line), f)) {
		const char *dash = strstr(line, " - ");

		if (!dash || sscanf(line, "%*s %*s %*s %4095s %4095s", root, ret->where) != 2 ||
			sscanf(dash, " - %63s %*s %1023s", ret->type, ret->options) != 2)
			continue;
		if (strcmp(root, "/") == 0 && strncmp(ret->type, "cgroup", 6) == 0)
			return true;
	}
	return false;
}

bool cgroup_mount_point(const char *name, char *ret, size_t size)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	struct cgroup_mount m;

	while (next_mount(f, &m)) {
		str_addf(m.options, sizeof(m.options), ":");
		if (*name ? strcmp(m.type, "cgroup") == 0 &&
					list_has(m.options, strlen(m.options) - 1, name)
			  : strcmp(m.type, "cgroup2") == 0)
			return str_copy(ret, size, m.where) == 0;
	}
	return false;
}

bool cgroup_cpu_root(char *ret, size_t size)
{
	return cgroup_mount_point("cpu", ret, size) || cgroup_mount_point("", ret, size);
}

const char *cgroup_with(const struct cgroup *cg, const char *file)
{
	char path[PATH_MAX + 64];

	for (uint32_t i = 0; i < cg->n_dirs; i++) {
		snprintf(path, sizeof(path), "%s/%s", cg->dir[i], file);
		if (access(path, F_OK) == 0)
			return cg->dir[i];
	}
	return NULL;
}

/* Directory in hierarchy @name of the cgroup of a process, whose directory in /proc is @proc. */
static bool dir_of(const char *proc, const char *name, char *ret, size_t size)
{
	char text[8192], path[PATH_MAX / 2], where[PATH_MAX / 2];

	snprintf(path, sizeof(path), "%s/cgroup", proc);
	if (file_read(path, text, sizeof(text), NULL) < 0)
		return false;
	if (!cgroup_path_of(text, name, path, sizeof(path)) ||
		!cgroup_mount_point(name, where, sizeof(where)))
		return false;
	ret[0] = '\0';
	str_addf(ret, size, "%s%s", where, strcmp(path, "/") == 0 ? "" : path);
	return true;
}

/* Of the caller's own cgroup. */
static bool own_dir(const char *name, char *ret, size_t size)
{
	return dir_of("/proc/self", name, ret, size);
}

static uint64_t cpu_inode(const char *proc)
{
	char dir[PATH_MAX];
	struct stat st;

	return (dir_of(proc, "cpu", dir, sizeof(dir)) || dir_of(proc, "", dir, sizeof(dir))) &&
			       stat(dir, &st) == 0
		       ? st.st_ino
		       : 0;
}

uint64_t cgroup_cpu_id(const char *proc)
{
	uint64_t id = cpu_inode(proc);

	return id == cpu_inode("/proc/self") ? 0 : id;
}

/* Inode number of the caller's pid namespace. */
static unsigned long own_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

int cgroup_make(struct cgroup *ret, const char *name, struct janitor *j, struct err *e)
{
	struct cgroup cg = {0};
	int last_errno = 0;

	for (size_t i = 0; i < ARRAY_SIZE(hierarchy); i++) {
		char *dir = cg.dir[cg.n_dirs];
		int r;

		if (!own_dir(hierarchy[i], dir, PATH_MAX))
			continue;
		str_addf(dir, PATH_MAX, "/tare-%lu-%d-%s", own_pid_namespace(), getpid(), name);
		if (access(dir, F_OK) == 0)
			continue; /* two controllers, one mount */
		r = janitor_note(j, dir, e);
		if (r < 0)
			return r;
		if (mkdir(dir, 0755) == 0)
			cg.n_dirs++;
		else
			last_errno = errno;
	}
	if (cg.n_dirs == 0) {
		if (last_errno)
			err_set(e, last_errno, "no cgroup can be created");
		else
			err_say(e, ENOENT, "no cgroup can be created: no hierarchy is mounted");
		return CGROUP_UNAVAILABLE;
	}
	*ret = cg;
	return 0;
}

int cgroup_move(const struct cgroup *cg, pid_t pid, struct err *e)
{
	for (uint32_t i = 0; i < cg->n_dirs; i++) {
		char path[PATH_MAX + 16], text[16];
		int r;

		snprintf(path, sizeof(path), "%s/cgroup.procs", cg->dir[i]);
		snprintf(text, sizeof(text), "%d", pid);
		r = file_write(path, text, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int cgroup_join(const struct cgroup *cg, struct err *e)
{
	return cgroup_move(cg, 0, e); /* 0: who writes. Ref: cgroups(7) */
}

/* v1 has the controller's name for its hierarchy; v2 has its files where it is let down to. */
static const char *const cpuset_hierarchy[] = {"cpuset", ""};

/* One file of a new cpuset. A v1 cpuset has no CPUs and nodes until it is given some. */
static int cpuset_write(const char *dir, const char *file, const char *text, struct err *e)
{
	char path[PATH_MAX + 16], above[PATH_MAX + 32], value[1024];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (!text) {
		snprintf(above, sizeof(above), "%s/../%s", dir, file);
		if (file_read(above, value, sizeof(value), NULL) <= 0 || !*value)
			return 0; /* v2's root has none: nothing said is all of them */
		text = value;
	}
	return file_write(path, text, e);
}

static int cpuset_in(const char *hier, const char *name, struct cgroup *cg, struct janitor *j,
	struct err *e)
{
	char *dir = cg->dir[0], path[PATH_MAX + 16];
	int r;

	if (!own_dir(hier, dir, PATH_MAX))
		return CGROUP_UNAVAILABLE;
	str_addf(dir, PATH_MAX, "/tare-%lu-%d-%s", own_pid_namespace(), getpid(), name);
	r = janitor_note(j, dir, e);
	if (r < 0)
		return r;
	if (mkdir(dir, 0755) < 0)
		return CGROUP_UNAVAILABLE;
	cg->n_dirs = 1;
	snprintf(path, sizeof(path), "%s/cpuset.cpus", dir);
	if (access(path, W_OK) == 0)
		return 0;
	(void)rmdir(dir);
	return CGROUP_UNAVAILABLE;
}

int cgroup_cpuset(struct cgroup *ret, const char *name, const char *cpus, const char *mems,
	struct janitor *j, struct err *e)
{
	struct cgroup cg = {0};
	int r = CGROUP_UNAVAILABLE;

	for (size_t i = 0; r == CGROUP_UNAVAILABLE && i < ARRAY_SIZE(cpuset_hierarchy); i++)
		r = cpuset_in(cpuset_hierarchy[i], name, &cg, j, e);
	if (r == CGROUP_UNAVAILABLE)
		err_say(e, ENOENT, "no cpuset can be created");
	if (r == 0)
		r = cpuset_write(cg.dir[0], "cpuset.cpus", cpus, e);
	if (r == 0)
		r = cpuset_write(cg.dir[0], "cpuset.mems", mems, e);
	if (r == 0)
		*ret = cg;
	return r;
}

/* The initial pid namespace, which sees all others. Ref: include/linux/proc_ns.h */
#define INIT_PID_NAMESPACE 0xEFFFFFFCUL

/* Has a pid namespace no process any more? Only the initial one can tell. */
static bool namespace_is_gone(unsigned long ns)
{
	glob_t found = {0};
	bool gone = own_pid_namespace() == INIT_PID_NAMESPACE;

	(void)glob("/proc/[0-9]*/ns/pid", 0, NULL, &found);
	for (size_t i = 0; gone && i < found.gl_pathc; i++) {
		struct stat st;

		gone = stat(found.gl_pathv[i], &st) < 0 || st.st_ino != ns;
	}
	globfree(&found);
	return gone;
}

/* Is the maker of such a directory dead? Pids of another living namespace tell us nothing. */
static bool is_orphan(const char *entry)
{
	unsigned long ns;
	int pid;

	if (sscanf(entry, "tare-%lu-%d-", &ns, &pid) != 2 || pid <= 0)
		return false;
	if (ns != own_pid_namespace())
		return namespace_is_gone(ns);
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static void sweep(const char *dir)
{
	char path[PATH_MAX * 2];
	DIR *d = opendir(dir);

	for (struct dirent *x; d && (x = readdir(d));) {
		if (!is_orphan(x->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, x->d_name);
		(void)janitor_remove_tree(path); /* refused while anyone is in it */
	}
	if (d)
		closedir(d);
}

void cgroup_sweep(void)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	struct cgroup_mount m;

	for (size_t i = 0; i < ARRAY_SIZE(hierarchy); i++) {
		char dir[PATH_MAX];

		if (own_dir(hierarchy[i], dir, sizeof(dir)))
			sweep(dir);
		if (i == 0 && own_dir(cpuset_hierarchy[0], dir, sizeof(dir)))
			sweep(dir);
	}
	while (next_mount(f, &m))
		sweep(m.where);
}

int cgroup_note_trees(char *ret, size_t size, const char *name, struct janitor *j, struct err *e)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	struct cgroup_mount m;
	int r = 0;

	snprintf(ret, size, "/tare-%lu-%d-%s", own_pid_namespace(), getpid(), name);
	while (r == 0 && next_mount(f, &m)) {
		char dir[PATH_MAX * 2];

		snprintf(dir, sizeof(dir), "%s%s", m.where, ret);
		r = janitor_note_tree(j, dir, e);
	}
	return r;
}

/* Appends "label=value" if the file exists and does not say "no limit". */
static void add_limit(char *ret, size_t size, const char *name, const char *file, const char *label)
{
	char dir[PATH_MAX], path[PATH_MAX * 2], value[64];

	if (!own_dir(name, dir, sizeof(dir)))
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (file_read(path, value, sizeof(value), NULL) <= 0)
		return;
	/* v2 says "max", v1 says -1 or a number near 2^63. */
	if (strncmp(value, "max", 3) == 0 || value[0] == '-' || strlen(value) > 18)
		return;
	str_addf(ret, size, "%s%s=%s", *ret ? " " : "", label, value);
}

void cgroup_limits(char *ret, size_t size)
{
	ret[0] = '\0';
	add_limit(ret, size, "", "cpu.max", "cpu.max");
	add_limit(ret, size, "", "memory.max", "memory.max");
	add_limit(ret, size, "cpu", "cpu.cfs_quota_us", "cpu.cfs_quota_us");
	add_limit(ret, size, "memory", "memory.limit_in_bytes", "memory.limit_in_bytes");
	if (!*ret)
		str_addf(ret, size, "none");
}

/* Return: the next directory above @dir that is there, a descriptor; or negative errno. */
static int open_above(const char *dir)
{
	char path[PATH_MAX];
	char *slash;
	int fd;

	str_set(path, dir);
	do {
		slash = strrchr(path, '/');
		if (!slash || slash == path)
			return -ENOENT;
		*slash = '\0';
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} while (fd < 0 && (errno == ENOENT || errno == ENOTDIR));
	return fd < 0 ? -errno : fd;
}

static bool has_cgroups(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

int cgroup_open_renamed(const char *dir, uint64_t id)
{
	_cleanup_(closep) int above_fd = open_above(dir), fd = -1;
	_cleanup_(freep) struct file_handle *h = xcalloc(1, sizeof(*h) + sizeof(id));
	struct stat st;

	if (above_fd < 0 || !has_cgroups(above_fd))
		return -ENOENT;
	h->handle_bytes = sizeof(id);
	h->handle_type = HANDLE_KERNFS;
	memcpy(h->f_handle, &id, sizeof(id));
	fd = open_by_handle_at(above_fd, h, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == id ? take_fd(fd) : -ENOENT;
}
