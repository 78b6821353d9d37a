/* How long one CPU has run tasks, of whatever kind, since the machine's start. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * cpuused_ns() - soft interrupts in a task's time are in it, unless the kernel accounts for them
 *                apart; those in idle time are not.
 * @ret_exact: false: sampled at ticks, from /proc/stat, where there is no v1 cpuacct hierarchy
 *
 * Ref: kernel/sched/cpuacct.c cpuacct_charge, v6.18: the root's usage is of all tasks.
 */
int cpuused_ns(uint32_t cpu, uint64_t *ret, bool *ret_exact, struct err *e) must_check_;

/* The CPU-time clock's reading of a process, a kernel thread too; 0 when it is gone. */
uint64_t cpuused_of_ns(int pid);

/* The thread that does a CPU's soft interrupts when there are too many; 0: not seen from here. */
int cpuused_ksoftirqd(uint32_t cpu);
