#include "sys/container.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "sys/exec.h"
#include "sys/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fewer may be a name ("db"), and the start of somebody else's id: what it is the engine knows. */
#define CONTAINER_MIN_DIGITS 6
/* Of one file: up to 16 lines of hierarchies, each a path. */
#define CGROUP_TEXT_BYTES (16U << 10)
/* An engine's daemon answers in milliseconds; one that hangs must not hang us. */
#define ENGINE_NS (5 * NSEC_PER_SEC)

int container_check(const char *id, struct err *e)
{
	size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	if (!isalnum((unsigned char)*id) || id[n] || n > 128)
		return err_say(e, EINVAL, "'%.100s' is not the id or name of a container", id);
	return 0;
}

bool container_split(const char *name, size_t len, struct container_words *ret)
{
	static const char scope[] = ".scope";
	size_t digits = 0;

	if (len > strlen(scope) && strncmp(name + len - strlen(scope), scope, strlen(scope)) == 0)
		len -= strlen(scope);
	while (digits < len && isxdigit((unsigned char)name[len - digits - 1]))
		digits++;
	if (digits != CONTAINER_ID_DIGITS || memmem(name, len, "conmon", strlen("conmon")))
		return false;
	*ret = (struct container_words){.runtime = name};
	memcpy(ret->id, name + len - digits, digits);
	len -= digits;
	if (len == 0)
		return true;
	if (name[len - 1] == ':') {
		const char *slice = memrchr(name, ':', len - 1);

		ret->runtime = slice ? slice + 1 : name;
	} else if (name[len - 1] != '-') {
		return false;
	}
	ret->runtime_len = (size_t)(name + len - 1 - ret->runtime);
	return true;
}

bool container_of_cgroup(const char *text, char *ret, size_t size)
{
	while (*text) {
		size_t len = strcspn(text, "/\n");
		struct container_words words;

		if (container_split(text, len, &words))
			return str_copy(ret, size, words.id) == 0;
		text += len + (text[len] != '\0');
	}
	return false;
}

/* Which container a process is in, if in any. */
static bool container_of(const char *pid, char *ret, size_t size)
{
	_cleanup_(freep) char *text = xcalloc(1, CGROUP_TEXT_BYTES);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.20s/cgroup", pid);
	return file_read(path, text, CGROUP_TEXT_BYTES, NULL) >= 0 &&
	       container_of_cgroup(text, ret, size);
}

/* Return: 0 with *ret = 0 when no process is in such a container. */
static int find_by_cgroup(const char *id, pid_t *ret, struct err *e)
{
	char found[CONTAINER_ID_DIGITS + 1] = "", this[CONTAINER_ID_DIGITS + 1];
	_cleanup_(dir_closep) DIR *dir = opendir("/proc");
	struct dirent *entry;

	*ret = 0;
	if (strlen(id) < CONTAINER_MIN_DIGITS)
		return 0;
	if (!dir)
		return err_set(e, errno, "cannot open /proc");
	while ((entry = readdir(dir))) {
		uint64_t pid;

		if (num_parse(entry->d_name, NUM_COUNT, &pid, NULL) < 0 ||
			!container_of(entry->d_name, this, sizeof(this)) ||
			strncmp(this, id, strlen(id)) != 0)
			continue;
		if (*found && strcmp(found, this) != 0)
			return err_say(e, EEXIST,
				"'%s' is not one container: %.12s and %.12s both start so", id,
				found, this);
		str_set(found, this);
		/* The first one of all: the others are its children, or came in later. */
		if (!*ret || (pid_t)pid < *ret)
			*ret = (pid_t)pid;
	}
	return 0;
}

static const struct engine {
	const char *name;
	const char *argv[6]; /* before the id */
} engines[] = {
	{"docker", {"docker", "inspect", "--format", "{{.State.Pid}}"}},
	{"podman", {"podman", "inspect", "--format", "{{.State.Pid}}"}},
	{"crictl", {"crictl", "inspect", "--output=go-template", "--template={{.info.pid}}"}},
};

/* Return: 0 when this engine does not know it, or is not installed. */
static pid_t ask(const struct engine *engine, const char *id)
{
	const char *argv[ARRAY_SIZE(engine->argv) + 2] = {NULL};
	struct exec_args args = {.argv = argv,
		.netns_fd = -1,
		.timeout_ns = ENGINE_NS,
		.cancel_fd = -1};
	_cleanup_(freep) struct exec_result *out = NULL;
	uint64_t pid;
	size_t n = 0;

	if (!exec_find(engine->name, NULL, 0))
		return 0;
	while (engine->argv[n]) {
		argv[n] = engine->argv[n];
		n++;
	}
	argv[n] = id;
	if (exec_run(&out, &args, NULL) != 0)
		return 0;
	out->out[strcspn(out->out, "\n")] = '\0';
	return num_parse(out->out, NUM_COUNT, &pid, NULL) == 0 ? (pid_t)pid : 0;
}

int container_find(const char *id, pid_t *ret, struct err *e)
{
	int r = find_by_cgroup(id, ret, e);

	for (size_t i = 0; r == 0 && !*ret && i < ARRAY_SIZE(engines); i++)
		*ret = ask(&engines[i], id);
	if (r < 0 || *ret)
		return r;
	return err_say(e, ENOENT,
		"no process is in a container '%s', nor does docker, podman or crictl know one "
		"that runs",
		id);
}
