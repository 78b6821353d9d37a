/* Which process, and which namespace, it really is: numbers of both are used again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A field of /proc/PID/stat that is a number of its own, from 4 on; @root: before /proc. 0: it is
 * gone. Ref: proc(5); field 2, in brackets, may hold anything.
 */
uint64_t procid_stat(const char *root, pid_t pid, int field);
/* When it began, clock ticks since boot: with its number it is one process. 0: it is gone. */
uint64_t procid_start(pid_t pid);

/* The host name that a process sees; false when it can't be asked for. The caller's thread only. */
bool procid_hostname(pid_t pid, char *ret, size_t size);
