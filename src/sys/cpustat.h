/*
 * CPU time of the machine, from /proc/stat. Idle time is kept by the kernel to the nanosecond
 * (tick_nohz accounting) and only printed in 10 ms units, so busy time over a span is right to one
 * unit per CPU. How busy time splits into user, system, softirq and irq is sampled at ticks unless
 * the kernel has IRQ_TIME_ACCOUNTING, and irq time inside idle is in no column at all.
 *
 * Ref: fs/proc/stat.c show_stat, kernel/sched/cputime.c, v6.18.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define CPUSTAT_MAX_CPUS 1024

/* Cumulative times of one CPU in ns; guest time is inside user, as in the kernel. */
struct cpustat {
	uint64_t user_ns, nice_ns, system_ns, idle_ns, iowait_ns, irq_ns, softirq_ns, steal_ns;
};

/*
 * cpustat_parse() - parse the text of /proc/stat.
 * @ret: [CPUSTAT_MAX_CPUS], row = order of appearance of the "cpuN" lines (offline ones absent)
 *
 * Return: number of CPUs, or -EINVAL when the text is not /proc/stat's.
 */
int cpustat_parse(const char *text, uint64_t ns_per_tick, struct cpustat *ret, struct err *e)
	must_check_;

/* Reads it now. Return: number of CPUs or negative errno. */
int cpustat_read(struct cpustat *ret, struct err *e) must_check_;
