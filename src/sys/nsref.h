/* Network namespaces that are there already, by the words that people have for them. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define NSREF_WORDS "netns:NAME, pid:N, container:ID or host"

/* Are these such words, be they right or wrong? */
bool nsref_meant(const char *words);

/* Has it the form of such words? Return: 0 or -EINVAL. */
int nsref_check(const char *words, struct err *e) must_check_;

/*
 * nsref_open() - find it, and hold it by a descriptor: it stays what it is, whatever becomes of its
 *                name or process.
 *
 * netns:NAME is one of ip-netns(8), pid:N that of a process, container:ID that of a container whose
 * id starts so, or whom an engine knows by that name; host is the caller's own.
 *
 * Return: 0, -EINVAL, -ENOENT, -EPERM (another user's), or another errno.
 */
int nsref_open(const char *words, int *ret_fd, struct err *e) must_check_;

/* Are both descriptors of one namespace? */
bool nsref_same(int a_fd, int b_fd);
