/*
 * Other programs, run with a deadline or kept running: in a network namespace, in a room, as
 * another user. They die with tare. No shell is involved.
 */
#pragma once

#include "base/err.h"
#include "sys/room.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What is kept of a program's output; the rest is read and dropped. */
#define EXEC_OUT_BYTES ((size_t)256 << 10)
#define EXEC_ERR_BYTES ((size_t)4 << 10)

struct exec_args {
	const char *const *argv; /* NULL-terminated; argv[0] is looked for in PATH */
	const char *const *env;  /* added to the environment: "NAME=value"; NULL: nothing */
	const char *input;       /* its standard input; NULL: empty */
	const struct room *room; /* NULL: where the caller is */
	int netns_fd;            /* -1: the caller's */
	const char *user;        /* NULL: the caller */
	uint64_t timeout_ns;     /* of exec_run */
	int cancel_fd;           /* readable: give up with -ECANCELED; -1: none */
};

struct exec_result {
	int status;                 /* exit status; 128 + signal */
	char out[EXEC_OUT_BYTES];   /* standard output, NUL-terminated */
	char error[EXEC_ERR_BYTES]; /* the end of standard error, NUL-terminated */
};

/*
 * exec_run() - run a program to its end. *ret is allocated, the caller's, also on failure (then
 * NULL when it did not run).
 *
 * Return: 0 when it ended with status 0; EXEC_FAILED when with another, with its last words in @e;
 * -ENOENT (no such program), -ETIMEDOUT (killed), -ECANCELED (killed), or another errno.
 */
#define EXEC_FAILED 1
int exec_run(struct exec_result **ret, const struct exec_args *args, struct err *e) must_check_;

/* A program that goes on running. */
struct exec_proc {
	pid_t pid;
	int log_fd; /* a file without a name: all it has said */
	bool in_room;
	char name[32];
};
#define EXEC_PROC_NONE                                                                             \
	{                                                                                          \
		.pid = -1, .log_fd = -1                                                            \
	}

int exec_start(struct exec_proc *ret, const struct exec_args *args, struct err *e) must_check_;
/* Has it ended? Then @e says how, with its last words. */
bool exec_ended(struct exec_proc *proc, struct err *e);
/*
 * Waits until it has said @text: how a program tells that it is ready.
 *
 * Return: 0; -EPIPE when it ended instead, with its last words; -ETIMEDOUT; or -ECANCELED when
 * @cancel_fd got readable (-1: none).
 */
int exec_wait_words(struct exec_proc *proc, const char *text, uint64_t deadline_ns, int cancel_fd,
	struct err *e) must_check_;
/* The last words in the file @fd, on one line, from the begin of a line if one fits; "": none. */
void exec_last_words(int fd, char *ret, size_t size);
/* Kills it, with all of its group, and reaps it; fine for one that never started. */
void exec_stop(struct exec_proc *proc);

/* Is there such a program in PATH? *ret (may be NULL): where. */
bool exec_find(const char *name, char *ret, size_t size);

/* For a program that puts XDP programs on devices: it pins nothing in the machine's bpffs. */
#define EXEC_NO_XDP_PINS "LIBXDP_SKIP_DISPATCHER=1"
