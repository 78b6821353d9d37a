/* Containers of any engine, found by their id in the cgroups of processes, or by asking engines. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* May @id be a container's id or name? Return: 0 or -EINVAL. */
int container_check(const char *id, struct err *e) must_check_;

/*
 * container_find() - a process of the container whose id starts with @id, or whom docker, podman or
 *                    crictl know as @id.
 *
 * Return: 0, -ENOENT, -EEXIST when several containers' ids start so, or another errno.
 */
int container_find(const char *id, pid_t *ret, struct err *e) must_check_;

#define CONTAINER_ID_DIGITS 64

/* The name of a container's cgroup, taken apart. */
struct container_words {
	const char *runtime; /* "docker", "libpod", "cri-containerd"; not terminated */
	size_t runtime_len;  /* 0: the id stands alone */
	char id[CONTAINER_ID_DIGITS + 1];
};

/*
 * container_split() - is a cgroup's name, @len long, a container's?
 *
 * Runtimes name a container's cgroup by its id of 64 hex digits, alone ("ID") or behind their own
 * name ("docker-ID.scope", "libpod-ID", "SLICE:cri-containerd:ID"); what watches it has one of its
 * own ("libpod-conmon-ID.scope"), which is not the container's.
 */
bool container_split(const char *name, size_t len, struct container_words *ret);

/* container_of_cgroup() - the first container's id in the text of /proc/PID/cgroup. */
bool container_of_cgroup(const char *text, char *ret, size_t size);
