/*
 * An agent process inside a network namespace, plain or as a container. It ends with its parent:
 * by SIGKILL on the parent's death and by end-of-file on its control socket.
 */
#pragma once

#include "base/err.h"
#include "sys/cgroup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_MAX_PASS 2

struct spawn_args {
	int netns_fd;                /* -1: the caller's */
	bool container;              /* with mount, pid, ipc and uts namespaces of its own */
	const struct cgroup *cgroup; /* joined first; NULL: stay in the caller's */
	const int *pass_fd;          /* [n_pass]: it gets copies of these as ctl_fd + 1, ... */
	uint32_t n_pass;             /* at most SPAWN_MAX_PASS */
	int (*main)(int ctl_fd);     /* its return value is the exit status */
};

struct spawned {
	pid_t pid;
	int ctl_fd; /* our end of the control socket; owned by the caller */
};

int spawn_agent(struct spawned *ret, const struct spawn_args *args, struct err *e) must_check_;

/* The same with the agent's end of a channel that there is; it is borrowed. Return: pid. */
pid_t spawn_agent_on(int ctl_fd, const struct spawn_args *args, struct err *e) must_check_;

/*
 * spawn_reap() - reap an agent whose control socket has been closed; kills it if it does not end
 * by itself. pid <= 0 is fine.
 *
 * Return: the step at which it failed to start, in words, or NULL.
 */
const char *spawn_reap(pid_t pid);
