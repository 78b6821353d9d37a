/*
 * What people call a container, from the files in which its runtime keeps that; what is there in
 * one scan is not looked for in the next. Where no file tells: what conmon was told, the host name
 * it gave itself, which of a pod is the pod's name, or for podman, if wanted, "podman ps".
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "charge/container_priv.h"
#include "sys/exec.h"
#include "sys/file.h"
#include "sys/procid.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <jansson.h>

DEFINE_CLEANUP(json_t *, json_decref, json_freep)

/* Of a container's configuration: some 10 KiB. Of the list of all: 1 KiB for each. */
#define STATE_MAX_BYTES ((off_t)16 << 20)
/* Podman reads its database in some 100 ms; one that hangs must not hang us. */
#define PODMAN_NS (5 * NSEC_PER_SEC)

struct names {
	const char *root; /* before each path */
	bool ask;
	json_t *stored; /* id: name, of containers/storage and of podman; NULL: not read yet */
	json_t *pods;   /* uid: "<namespace>_<name>"; the same */
	json_t *netns;  /* inode: name by ip-netns(8); the same */
};

static void names_fini(struct names *n)
{
	json_freep(&n->stored);
	json_freep(&n->pods);
	json_freep(&n->netns);
}

static json_t *load(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > STATE_MAX_BYTES)
		return NULL;
	return json_loadfd(fd, 0, NULL);
}

static bool take(char *ret, size_t size, const char *name)
{
	if (!name || !*name)
		return false;
	(void)str_copy(ret, size, name); /* cut is fine: it is for people */
	str_one_line(ret);
	return true;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* [{"id": "<id>", "names": ["web"], ...}]. Ref: containers/storage containers.go Container */
static void read_stored(json_t *ret, const char *path)
{
	_cleanup_(json_freep) json_t *all = load(path);
	json_t *one;
	size_t i;

	json_array_foreach(all, i, one)
	{
		const char *id = text_of(one, "id");
		json_t *name = json_array_get(json_object_get(one, "names"), 0);

		if (id && json_is_string(name))
			(void)json_object_set(ret, id, name);
	}
}

/* A line each: "<id> <name>". */
static void ask_podman(json_t *ret, const char *const *argv)
{
	const struct exec_args args = {.argv = argv,
		.netns_fd = -1,
		.timeout_ns = PODMAN_NS,
		.cancel_fd = -1};
	_cleanup_(freep) struct exec_result *x = NULL;
	char *save = NULL;

	if (!exec_find(argv[0], NULL, 0) || exec_run(&x, &args, NULL) != 0)
		return;
	for (char *line = strtok_r(x->out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *name = strchr(line, ' ');

		if (!name)
			continue;
		*name++ = '\0';
		(void)json_object_set_new(ret, line, json_string(name));
	}
}

static const char *stored_name(struct names *n, const char *id, bool podman)
{
	static const char *const file[] = {"overlay-containers/containers.json",
		"overlay-containers/volatile-containers.json", "vfs-containers/containers.json",
		"vfs-containers/volatile-containers.json", "btrfs-containers/containers.json"};
	static const char *const ps[] = {"podman", "ps", "--no-trunc", "--format",
		"{{.ID}} {{.Names}}", NULL};
	static const char *const pod_ps[] = {"podman", "pod", "ps", "--no-trunc", "--format",
		"{{.Id}} {{.Name}}", NULL};
	char path[PATH_MAX];

	if (!n->stored) {
		n->stored = json_object();
		for (size_t i = 0; i < ARRAY_SIZE(file); i++) {
			snprintf(path, sizeof(path), "%s/var/lib/containers/storage/%s", n->root,
				file[i]);
			read_stored(n->stored, path);
		}
	}
	if (podman && n->ask && !json_object_get(n->stored, id)) {
		n->ask = false; /* once a scan */
		ask_podman(n->stored, ps);
		ask_podman(n->stored, pod_ps);
	}
	return text_of(n->stored, id);
}

/* "conmon ... -c <id> ... -n <name> ...". Ref: conmon src/cli.c; podman and CRI-O write both. */
static const char *named_by(const char *words, size_t len, const char *id)
{
	const char *end = words + len, *last = "", *name = NULL;
	const char *file = strrchr(words, '/');
	bool is_its = false;

	if (strcmp(file ? file + 1 : words, "conmon") != 0)
		return NULL;
	for (const char *w = words; w < end; last = w, w += strlen(w) + 1) {
		is_its |= strcmp(last, "-c") == 0 && strcmp(w, id) == 0;
		if (!name && strcmp(last, "-n") == 0)
			name = w;
	}
	return is_its ? name : NULL;
}

#define MAX_PARENTS 32 /* a container's own may stand between */
#define PARENT      4  /* a field of /proc/PID/stat. Ref: proc(5) */

/*
 * The engine's files may be anywhere (of a user without root, or --root); its process above the
 * container is not. What is further up is believed, for it is not the container's own.
 */
static bool name_conmon(const struct names *n, struct container *c)
{
	char path[PATH_MAX], words[4096];
	pid_t pid = c->pid;
	bool done = false;

	for (int i = 0; pid > 1 && i < MAX_PARENTS;
		i++, pid = (pid_t)procid_stat(n->root, pid, PARENT)) {
		int len;

		snprintf(path, sizeof(path), "%s/proc/%d/cmdline", n->root, pid);
		len = file_read(path, words, sizeof(words), NULL);
		if (len > 0)
			done |= take(c->name, sizeof(c->name), named_by(words, (size_t)len, c->id));
	}
	return done;
}

static bool name_stored(struct names *n, struct container *c)
{
	const bool podman = c->kind == CONTAINER_PODMAN;

	return take(c->name, sizeof(c->name), stored_name(n, c->id, false)) || name_conmon(n, c) ||
	       take(c->name, sizeof(c->name), stored_name(n, c->id, podman));
}

/* "Name": "/web". Ref: moby daemon/container/container.go Container */
static bool name_docker(struct names *n, struct container *c)
{
	_cleanup_(json_freep) json_t *state = NULL;
	char path[PATH_MAX];
	const char *name;

	snprintf(path, sizeof(path), "%s/var/lib/docker/containers/%s/config.v2.json", n->root,
		c->id);
	state = load(path);
	name = text_of(state, "Name");
	return take(c->name, sizeof(c->name), name && *name == '/' ? name + 1 : name);
}

/*
 * What those above containerd note in the container's configuration.
 * Ref: nerdctl pkg/labels/labels.go Name; containerd pkg/cri/annotations/annotations.go
 */
static bool name_containerd(struct names *n, struct container *c)
{
	static const char *const space[] = {"default", "k8s.io", "moby"};
	static const char *const key[] = {"nerdctl/name", "io.kubernetes.cri.container-name"};
	bool done = false;

	for (size_t i = 0; !done && i < ARRAY_SIZE(space); i++) {
		_cleanup_(json_freep) json_t *config = NULL;
		const json_t *notes;
		char path[PATH_MAX];

		snprintf(path, sizeof(path),
			"%s/run/containerd/io.containerd.runtime.v2.task/%s/%s/config.json",
			n->root, space[i], c->id);
		config = load(path);
		notes = json_object_get(config, "annotations");
		for (size_t k = 0; !done && k < ARRAY_SIZE(key); k++)
			done = take(c->name, sizeof(c->name), text_of(notes, key[k]));
	}
	return done;
}

/* "<namespace>_<name>_<uid>". Ref: kubernetes pkg/kubelet/kuberuntime BuildPodLogsDirectory */
static void read_pods(json_t *ret, const char *path)
{
	_cleanup_(dir_closep) DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *uid = strrchr(entry->d_name, '_');

		if (!uid)
			continue;
		*uid++ = '\0';
		(void)json_object_set_new(ret, uid, json_string(entry->d_name));
	}
}

static bool name_pod(struct names *n, struct container *c)
{
	char words[512] = "", *name;
	const char *found;

	if (!n->pods) {
		char path[PATH_MAX];

		n->pods = json_object();
		snprintf(path, sizeof(path), "%s/var/log/pods", n->root);
		read_pods(n->pods, path);
	}
	found = text_of(n->pods, c->id);
	if (!found)
		return false;
	str_set(words, found);
	name = strchr(words, '_');
	if (!name)
		return false;
	*name++ = '\0';
	return take(c->k8s_ns, sizeof(c->k8s_ns), words) && take(c->name, sizeof(c->name), name);
}

static void read_netns(json_t *ret, const char *path)
{
	_cleanup_(dir_closep) DIR *dir = opendir(path);
	struct dirent *entry;
	struct stat st;
	char inode[24];

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0) < 0)
			continue;
		snprintf(inode, sizeof(inode), "%llu", (unsigned long long)st.st_ino);
		(void)json_object_set_new(ret, inode, json_string(entry->d_name));
	}
}

static bool name_netns(struct names *n, struct container *c)
{
	char inode[24];

	if (!n->netns) {
		char path[PATH_MAX];

		n->netns = json_object();
		snprintf(path, sizeof(path), "%s/run/netns", n->root);
		read_netns(n->netns, path);
	}
	snprintf(inode, sizeof(inode), "%u", c->netns);
	if (take(c->name, sizeof(c->name), text_of(n->netns, inode)))
		return true;
	snprintf(c->name, sizeof(c->name), "netns-%u", c->netns);
	return true;
}

static bool (*const name_of[CONTAINER_KIND_N])(struct names *n, struct container *c) = {
	[CONTAINER_DOCKER] = name_docker,
	[CONTAINER_PODMAN] = name_stored,
	[CONTAINER_CONTAINERD] = name_containerd,
	[CONTAINER_CRIO] = name_stored,
	[CONTAINER_POD] = name_pod,
	[CONTAINER_NETNS] = name_netns,
};

/* Engines make the id a container's host name, which says nothing; the host's own says less. */
static void name_by_host(struct container *c)
{
	char name[sizeof(c->name)];
	struct utsname own;

	if (!c->pid || c->host_netns || !procid_hostname(c->pid, name, sizeof(name)))
		return;
	if (uname(&own) == 0 && strcmp(own.nodename, name) == 0)
		return;
	if (strncmp(c->id, name, strlen(name)) != 0)
		(void)take(c->name, sizeof(c->name), name);
}

static void name_one(struct names *n, struct found *f)
{
	struct container *c = &f->c;

	if (c->kind == CONTAINER_NETNS && *c->name)
		return; /* by the words of --netns */
	if (f->before && f->before->kind == c->kind && *f->before->name) {
		str_set(c->name, f->before->name);
		str_set(c->k8s_ns, f->before->k8s_ns);
		return;
	}
	if (name_of[c->kind] && !name_of[c->kind](n, c))
		name_by_host(c);
}

void scan_names(struct scan *s, const char *root)
{
	_cleanup_(names_fini) struct names n = {.root = root, .ask = s->cfg->ask};

	for (uint32_t i = 0; i < s->n; i++)
		if (scan_keeps(s, s->item[i]))
			name_one(&n, s->item[i]);
}
