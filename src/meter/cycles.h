/* Cycles and instructions of the whole machine, as "perf stat -a" counts them. */
#pragma once

#include "meter/meter.h"

struct cycles_reading {
	uint64_t cycles, instructions;
};
