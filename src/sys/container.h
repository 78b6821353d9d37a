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

/*
 * container_of_cgroup() - the container's id in the text of /proc/PID/cgroup.
 *
 * Runtimes name a container's cgroup by its id of 64 hex digits, alone ("/docker/ID") or between
 * their name and a suffix ("/system.slice/docker-ID.scope"); what watches it has one of its own
 * ("libpod-conmon-ID.scope"), which is not the container's.
 */
bool container_of_cgroup(const char *text, char *ret, size_t size);
