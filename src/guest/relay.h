/*
 * What a command says, from pipes to the ports that carry it to the host, while it runs. Pipes,
 * not the ports themselves: a port can't be opened again (/dev/stderr), and nobody would know how
 * much is on its way when the command has ended.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

#define RELAY_N 2 /* stdout, stderr */

struct relay {
	int from[RELAY_N]; /* pipes; closed when they end */
	int to[RELAY_N];   /* ports, which wait; borrowed */
	uint64_t bytes[RELAY_N];
};

/*
 * relay_run() - pass on, and reap whoever ends, until @pid has ended; then everybody else is ended,
 * too, and the rest passed on. The caller blocks SIGCHLD.
 *
 * Return: the exit status of @pid as a shell has it, or negative errno.
 */
int relay_run(struct relay *r, pid_t pid, struct err *e) must_check_;

/* The status of wait() as a shell has it. */
int relay_exit_status(int status);
