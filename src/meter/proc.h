/* CPU time of the load's own threads: what a process-only tool would call "CPU". */
#pragma once

#include "meter/meter.h"

struct proc_reading {
	uint32_t n_threads;
	uint64_t threads_ns;
	uint64_t user_ns, system_ns;
};
