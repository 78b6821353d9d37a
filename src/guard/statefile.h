/* The files of guard/state.h. */
#pragma once

#include "base/err.h"
#include "guard/record.h"

#define STATEFILE_BUSY 1

/* Return: a descriptor of the directory, made if need be, which is the caller's alone. */
int statefile_dir(const char *dir, struct err *e) must_check_;

/*
 * @ret_fd: holds the lock until all copies of it are closed
 *
 * Return: 0; STATEFILE_BUSY: another process has it, which @e names; or negative errno.
 */
int statefile_lock(int dir_fd, int *ret_fd, struct err *e) must_check_;
/*
 * The same for all guards of the calling thread's network namespace, whatever their directories.
 * @cpu_root: cgroup_cpu_root(); who may not write quotas there has nothing to lock: *ret_fd is -1
 */
int statefile_lock_netns(const char *cpu_root, int *ret_fd, struct err *e) must_check_;
/* A cgroup among all guards of that hierarchy. Return: 0; -EAGAIN: one has it; or another errno. */
int statefile_claim(int netns_lock_fd, uint64_t id) must_check_;
void statefile_unclaim(int netns_lock_fd, uint64_t id);

/* No file: an empty record of this boot. One of another boot: the same. */
int statefile_read(int dir_fd, struct guard_record *ret, struct err *e) must_check_;
/* On disk when it returns; a record of nothing removes the file. */
int statefile_write(int dir_fd, const struct guard_record *r, struct err *e) must_check_;

/*
 * statefile_put_back() - one cgroup as it was noted; what somebody has set since @last, which the
 *                        guard wrote last, stays. @last: NULL: not known
 *
 * Return: 0 when that is done, or the cgroup is gone; negative errno: it is not, but is given as
 * much of it as the cgroups above allow.
 */
int statefile_put_back(const struct guard_entry *x, const struct cpuquota *last, struct err *e)
	must_check_;

/* Puts back all quotas of a record; what could not be is left in it, with why. */
void statefile_put_back_quotas(struct guard_record *r);
/* All of it, and writes what is left. Return: 0, or negative errno of the writing. */
int statefile_restore(int dir_fd, struct guard_record *r, struct err *e) must_check_;
