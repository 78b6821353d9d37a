/* CPU time of the whole machine, for what is no container's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct machine_time {
	uint32_t n_cpus;  /* online; 0: not known */
	uint64_t idle_ns; /* iowait and time stolen by a hypervisor included */
};

void machine_read(struct machine_time *ret);

/*
 * Can one be subtracted from the other? Not where a CPU went offline or came: its counters stand
 * still meanwhile, or begin anew. One that went and came in between is told only if they began
 * anew.
 */
bool machine_same(const struct machine_time *then, const struct machine_time *now);

/*
 * machine_busy() - time that CPUs were not idle between two readings. Each CPU's is right to
 *                  10 ms (sys/cpustat.h).
 *
 * Return: false when it can't be told: the CPUs are not the same, or /proc/stat can't be read.
 */
bool machine_busy(const struct machine_time *then, const struct machine_time *now, uint64_t span_ns,
	uint64_t *ret);
