/* Where interrupts and the network's softirqs ran, over the counted span. */
#pragma once

#include "meter/meter.h"
#include "sys/cpustat.h"

struct irqs_reading {
	uint32_t n_cpus; /* online, as in the cpu meter */
	uint64_t net_rx[CPUSTAT_MAX_CPUS], net_tx[CPUSTAT_MAX_CPUS]; /* [n_cpus] */
	uint64_t device_irqs[CPUSTAT_MAX_CPUS];
};
