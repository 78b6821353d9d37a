/*
 * A cgroup of its own for each container, in every hierarchy that costs a container something
 * (v1 cpu, cpuacct, memory, pids; or the one of v2), as engines do. Removed by the janitor.
 */
#pragma once

#include "base/err.h"
#include "sys/janitor.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_MAX_DIRS 8

struct cgroup {
	uint32_t n_dirs;
	char dir[CGROUP_MAX_DIRS][PATH_MAX];
};

/*
 * cgroup_make() - create cgroup "tare-<pid namespace>-<pid>-<name>" below the caller's own in
 *                 each hierarchy.
 *
 * Return: 0; CGROUP_UNAVAILABLE, with the reason in @e, when none can be created here; negative
 * errno when something else failed.
 */
#define CGROUP_UNAVAILABLE 1
int cgroup_make(struct cgroup *ret, const char *name, struct janitor *j, struct err *e) must_check_;

/* Moves the calling process into it. */
int cgroup_join(const struct cgroup *cg, struct err *e) must_check_;

/*
 * cgroup_cpuset() - the same where processes are confined to CPUs and to memory of nodes: v1
 *                   cpuset, or v2 where that controller is let down to the caller's cgroup.
 * @cpus: "1,4-7"
 * @mems: nodes, "0"; NULL: as they are in the cgroup above
 */
int cgroup_cpuset(struct cgroup *ret, const char *name, const char *cpus, const char *mems,
	struct janitor *j, struct err *e) must_check_;

/* Moves a process into it, with all its threads. */
int cgroup_move(const struct cgroup *cg, pid_t pid, struct err *e) must_check_;

/*
 * cgroup_note_trees() - a cgroup that an engine makes its own below, in every hierarchy there is,
 *                       is removed with them at the end.
 * @ret: its path, "/tare-<pid namespace>-<pid>-<name>"; it is not created
 */
int cgroup_note_trees(char *ret, size_t size, const char *name, struct janitor *j, struct err *e)
	must_check_;

/*
 * The directory of @cg that has this file ("cpu.cfs_quota_us"), which is the one of its controller;
 * borrowed; NULL: none has.
 */
const char *cgroup_with(const struct cgroup *cg, const char *file);

/* Removes cgroups that a killed tare and its killed janitor left. */
void cgroup_sweep(void);

/*
 * cgroup_limits() - CPU and memory limits on the calling process, as "cpu=100000/100000 ...";
 *                   "none" when there are none or they can't be read.
 */
void cgroup_limits(char *ret, size_t size);

/*
 * A hierarchy's name is a controller of v1 ("cpu"), "name=systemd", or "" for the one of v2.
 */
/* Where it is mounted whole, as this process sees it. Return: false when it is not. */
bool cgroup_mount_point(const char *hierarchy, char *ret, size_t size);
/* The one that has CPU time and quotas: v1's cpu, else v2. Return: false: neither is mounted. */
bool cgroup_cpu_root(char *ret, size_t size);
/*
 * The id of the cgroup that another process is in, in the hierarchy that has the CPU controller.
 * @proc: its directory in /proc
 * Return: 0: the caller is in it as well, or it can't be found out.
 */
uint64_t cgroup_cpu_id(const char *proc);
/* The path there in the text of /proc/PID/cgroup. Return: false: it has no such line. */
bool cgroup_path_of(const char *text, const char *hierarchy, char *ret, size_t size);

/*
 * cgroup_open_renamed() - the cgroup of this inode that was at @dir, by whatever name it is now. v1
 *                         has cgroups renamed. Ref: kernel/cgroup/cgroup-v1.c cgroup1_rename, v6.18
 *
 * Return: a descriptor (O_PATH); -ENOENT: it is gone, or nothing is mounted there that has cgroups,
 * or the caller lacks CAP_DAC_READ_SEARCH.
 */
int cgroup_open_renamed(const char *dir, uint64_t id);
