/* CPU time of the whole machine over the span: the only figure that has the whole path in it. */
#pragma once

#include "meter/meter.h"

#define CPU_READING_MAX_CPUS 1024

struct cpu_reading {
	uint64_t span_ns;
	uint64_t busy_ns;
	uint64_t user_ns, system_ns, softirq_ns, irq_ns, steal_ns;
	uint32_t n_cpus;
	uint64_t cpu_busy_ns[CPU_READING_MAX_CPUS];
};
