/* A process confined to the system calls it is known to need. */
#pragma once

#include "base/err.h"

#include <stddef.h>

/* Exit status of a process that made another call. */
#define SECCOMP_EXIT 3

/*
 * seccomp_confine() - from now on, this process and its children can make these calls only; files
 * can be opened for reading only. Any other call is named on stderr and ends the process with
 * SECCOMP_EXIT. Needs no_new_privs or root.
 * @names: [n]; one that begins with "!" is refused with EPERM, for callers who can do without.
 *         Those that this architecture does not have are passed over
 */
int seccomp_confine(const char *const *names, size_t n, struct err *e) must_check_;
