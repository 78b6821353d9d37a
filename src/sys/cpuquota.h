/*
 * The CPU bandwidth of a cgroup: cpu.cfs_quota_us and cpu.cfs_period_us of v1, cpu.max of v2.
 *
 * Every write, of the same value too, fills the cgroup's current period up with a fresh quota and
 * ends its throttling. Ref: kernel/sched/core.c tg_set_cfs_bandwidth, v6.18.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CPUQUOTA_NONE (-1)

/* The kernel takes no less, of neither. Ref: kernel/sched/core.c min_cfs_quota_period, v6.18 */
#define CPUQUOTA_LEAST_US 1000

struct cpuquota {
	int64_t quota_us;   /* CPU time in a period; CPUQUOTA_NONE: as much as there is */
	uint64_t period_us; /* 1000 to 1000000 */
};

bool cpuquota_same(const struct cpuquota *a, const struct cpuquota *b);
/* What was before, but for what somebody has set since @last was written; @now: what is there. */
struct cpuquota cpuquota_kept(const struct cpuquota *was, const struct cpuquota *last,
	const struct cpuquota *now);

/*
 * @dir: the cgroup's directory, of the v1 cpu hierarchy or of v2
 *
 * Return: 0; -ENOENT when the cgroup is gone; -EOPNOTSUPP when it has no such file (v2: the
 * controller is not let down to it; the root); or another errno.
 */
int cpuquota_read(const char *dir, struct cpuquota *ret, struct err *e) must_check_;
/*
 * How often its quota was used up in a period, nr_throttled of cpu.stat. Ref: sched-bwc.rst
 *
 * Return: as cpuquota_read(); -EPROTO when the file is another one.
 */
int cpuquota_throttled(const char *dir, uint64_t *ret, struct err *e) must_check_;
/*
 * Writes what differs, in an order that the kernel takes; what it does not take leaves the cgroup
 * as it was. -EINVAL: more than a cgroup above allows, or less than one below has (v1), or less
 * than its burst.
 */
int cpuquota_write(const char *dir, const struct cpuquota *q, struct err *e) must_check_;
