/*
 * What the path of a cgroup says about who lives in it. Runtimes and Kubernetes write the same id
 * in a dozen ways; each row and rule below has one of them.
 *
 * Ref: runc libcontainer/cgroups/systemd/common.go getUnitName ("<prefix>-<id>.scope");
 * kubernetes pkg/kubelet/cm/cgroup_manager_linux.go ToSystemd, ToCgroupfs; libpod
 * container_internal_linux.go ("libpod-<id>"); containerd pkg/cri/server getCgroupsPath.
 */
#include "charge/container.h"

#include "base/macro.h"
#include "base/str.h"
#include "sys/container.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A name that a path consists of. */
struct part {
	const char *at;
	size_t len;
	const char *before; /* the one above it; NULL: the root */
	size_t before_len;
};

static bool next_part(const char *path, struct part *p)
{
	const char *at = p->at ? p->at + p->len : path;

	at += strspn(at, "/");
	if (!*at)
		return false;
	*p = (struct part){.at = at,
		.len = strcspn(at, "/"),
		.before = p->at,
		.before_len = p->len};
	return true;
}

static bool is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

static bool starts(const char *s, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(s, word, strlen(word)) == 0;
}

static bool ends(const char *s, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(s + len - strlen(word), word, strlen(word)) == 0;
}

struct word_kind {
	const char *word;
	enum container_kind kind;
};

/* What stands before an id. */
static const struct word_kind runtimes[] = {
	{"docker", CONTAINER_DOCKER},
	{"libpod", CONTAINER_PODMAN},
	{"libpod-payload", CONTAINER_PODMAN}, /* split off by crun. Ref: podman --cgroups=split */
	{"cri-containerd", CONTAINER_CONTAINERD},
	{"nerdctl", CONTAINER_CONTAINERD},
	{"crio", CONTAINER_CRIO},
};

/* The directory in which an id stands alone. */
static const struct word_kind parents[] = {
	{"docker", CONTAINER_DOCKER},
	{"libpod_parent", CONTAINER_PODMAN},
	/* Namespaces of containerd. */
	{"default", CONTAINER_CONTAINERD},
	{"k8s.io", CONTAINER_CONTAINERD},
	{"moby", CONTAINER_CONTAINERD},
};

static const struct word_kind *find_word(const struct word_kind *t, size_t n, const char *s,
	size_t len)
{
	for (size_t i = 0; s && i < n; i++)
		if (is_word(s, len, t[i].word))
			return &t[i];
	return NULL;
}

/* "docker-<id>.scope", "<id>" */
static bool is_container(const struct part *p, struct container *ret)
{
	const struct word_kind *row;
	struct container_words w;

	if (!container_split(p->at, p->len, &w))
		return false;
	if (w.runtime_len > 0) {
		row = find_word(runtimes, ARRAY_SIZE(runtimes), w.runtime, w.runtime_len);
		if (!row)
			return false;
	} else {
		row = find_word(parents, ARRAY_SIZE(parents), p->before, p->before_len);
	}
	/* Docker alone lets people choose the parent and adds nothing to the id: --cgroup-parent */
	ret->kind = row ? row->kind : CONTAINER_DOCKER;
	str_set(ret->id, w.id);
	return true;
}

/*
 * "/default/<name>": containerd leaves the id to its user.
 * Ref: containerd identifiers/validate.go, of which longer ones don't fit an id here.
 */
static bool is_named(const char *path, const struct part *p, struct container *ret)
{
	char id[sizeof(ret->id)] = "";

	if (!is_word(p->before, p->before_len, "default") || p->before != path + 1 ||
		p->len >= sizeof(id))
		return false;
	memcpy(id, p->at, p->len);
	if (container_check(id, NULL) < 0 || strstr(id, ".slice") || strstr(id, ".service"))
		return false;
	ret->kind = CONTAINER_CONTAINERD;
	str_set(ret->id, id);
	str_set(ret->name, id);
	return true;
}

/* "machine-libpod_pod_<id>.slice"; below libpod_parent a pod is an id alone. */
static bool is_podman_pod(const struct part *p, struct container *ret)
{
	static const char mark[] = "libpod_pod_", slice[] = ".slice";
	const size_t tail = strlen(mark) + CONTAINER_ID_DIGITS + strlen(slice);
	struct container_words w;
	const char *at;

	if (p->len < tail || !ends(p->at, p->len, slice))
		return false;
	at = p->at + p->len - tail;
	if (!starts(at, tail, mark) || !container_split(at + strlen(mark), CONTAINER_ID_DIGITS, &w))
		return false;
	ret->kind = CONTAINER_PODMAN;
	str_set(ret->id, w.id);
	return true;
}

/*
 * A pod's uid at @s: a UUID; of pods from a file the MD5 of it. systemd's names have "_" for "-".
 * Ref: kubernetes pkg/kubelet/config/common.go applyDefaults
 */
static bool read_uid(const char *s, size_t len, char ret[static 37])
{
	static const size_t dash[] = {8, 13, 18, 23};
	size_t n = 0, n_dashes = 0;

	while (n < len && n < 36 && (isxdigit((unsigned char)s[n]) || s[n] == '-' || s[n] == '_')) {
		ret[n] = s[n] == '_' ? '-' : s[n];
		n_dashes += ret[n] == '-';
		n++;
	}
	ret[n] = '\0';
	if (n != len || (n_dashes ? n != 36 || n_dashes != ARRAY_SIZE(dash) : n != 32))
		return false;
	for (size_t i = 0; n_dashes && i < ARRAY_SIZE(dash); i++)
		if (ret[dash[i]] != '-')
			return false;
	return true;
}

/* "kubepods-burstable-pod<uid>.slice", with ":cri-containerd:<id>" or without; "pod<uid>" */
static bool is_pod(const char *path, const struct part *p, struct container *ret)
{
	static const char kube[] = "kubepods", mark[] = "-pod", slice[] = ".slice";
	const char *colon = memchr(p->at, ':', p->len);
	size_t len = colon ? (size_t)(colon - p->at) : p->len;
	const char *at = memmem(p->at, len, kube, strlen(kube));
	char uid[37];

	if (at && ends(p->at, len, slice)) {
		len -= strlen(slice);
		at = memmem(at, (size_t)(p->at + len - at), mark, strlen(mark));
		if (!at)
			return false;
		at += strlen(mark);
	} else if (!colon && starts(p->at, len, mark + 1) &&
		   memmem(path, (size_t)(p->at - path), kube, strlen(kube))) {
		at = p->at + strlen(mark + 1);
	} else {
		return false;
	}
	if (at > p->at + len || !read_uid(at, (size_t)(p->at + len - at), uid))
		return false;
	ret->kind = CONTAINER_POD;
	str_set(ret->id, uid);
	return true;
}

static bool is_engine(const char *path, const struct part *p, struct container *ret)
{
	return is_pod(path, p, ret) || is_podman_pod(p, ret) || is_container(p, ret) ||
	       (p->before && is_named(path, p, ret));
}

/* "tare-<pid namespace>-<pid>-<name>", see sys/cgroup.h */
static bool is_lab(const struct part *p, struct container *ret)
{
	const char *at = p->at, *end = p->at + p->len;

	if (!starts(at, p->len, "tare-"))
		return false;
	at += strlen("tare-");
	for (int i = 0; i < 2; i++) {
		const char *digits = at;

		while (at < end && isdigit((unsigned char)*at))
			at++;
		if (at == digits || at == end || *at++ != '-')
			return false;
	}
	if (at == end)
		return false;
	ret->kind = CONTAINER_LAB;
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(end - at), at);
	return true;
}

/* A user's manager is no service of its own: those it runs are. */
static bool is_service(const struct part *p, struct container *ret)
{
	static const char service[] = ".service";

	if (p->len <= strlen(service) || !ends(p->at, p->len, service) ||
		starts(p->at, p->len, "user@"))
		return false;
	ret->kind = CONTAINER_SERVICE;
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)(p->len - strlen(service)), p->at);
	return true;
}

static void charge_to(const char *path, const struct part *p, struct container *ret)
{
	size_t len = (size_t)(p->at + p->len - path);

	memcpy(ret->cgroup, path, len);
	ret->cgroup[len] = '\0';
	if (!*ret->name)
		snprintf(ret->name, sizeof(ret->name), "%.12s", ret->id);
	str_one_line(ret->name);
	if (!*ret->name)
		str_set(ret->name, "(no name)"); /* of blanks */
}

/* How deep a process is below what is charged is its own choice: that must not set it free. */
static bool fits(const char *path, const struct part *p)
{
	return (size_t)(p->at + p->len - path) < sizeof(((struct container *)0)->cgroup);
}

bool container_of_path(const char *path, struct container *ret)
{
	struct part p = {0}, lab = {0}, service = {0};
	struct container of_lab = {0}, of_service = {0};

	*ret = (struct container){0};
	if (*path != '/')
		return false;
	while (next_part(path, &p) && fits(path, &p))
		if (is_lab(&p, &of_lab))
			lab = p;
	p = lab; /* an engine that the lab runs is below it */
	while (next_part(path, &p) && fits(path, &p)) {
		if (is_engine(path, &p, ret)) {
			charge_to(path, &p, ret);
			return true;
		}
		if (!service.at && is_service(&p, &of_service))
			service = p;
	}
	if (!lab.at && !service.at)
		return false;
	*ret = lab.at ? of_lab : of_service;
	charge_to(path, lab.at ? &lab : &service, ret);
	return true;
}
