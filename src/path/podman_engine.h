/*
 * A podman of tare's own: storage, sockets, configuration and processes live in a room; bridges,
 * rules and containers live on the lab's host. The user's engine, images and networks are not
 * touched, and kill -9 of tare leaves nothing.
 */
#pragma once

#include "path/engine.h"
#include "path/lab.h"

struct podman {
	struct room *room;
	struct janitor *janitor;
	int host_fd, cancel_fd; /* borrowed */
	const char *user;       /* whose engine it is; NULL: root's. Borrowed. */
	char cgroup[96];
	char nofile[64], nproc[64]; /* "--ulimit" of the containers */
	struct engine_container box[LAB_N_PODS];
};

/*
 * podman_open() - an engine without networks of its own, and a root file system of this program.
 * @user: NULL: root's; else a user with subordinate ids
 */
int podman_open(struct podman **ret, const struct path *p, const char *user, struct err *e)
	must_check_;
/* Kills its containers, and removes all of it. */
void podman_free(struct podman *pod);

/* podman_do() - run podman with these arguments behind its own. @words: NULL-terminated */
int podman_do(const struct podman *pod, const char *const *words, struct err *e) must_check_;

/* Starts container @i with an agent in it. @words: what else "podman run" is told */
int podman_start(struct podman *pod, uint32_t i, const char *const *words, struct err *e)
	must_check_;

/* Its version as 100 * major + minor, or negative errno. */
int podman_version(struct err *e) must_check_;
