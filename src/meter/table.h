/* One line per meter. */
#pragma once

#include "meter/meter.h"

extern const struct meter_ops meter_cpu;
extern const struct meter_ops meter_proc;
extern const struct meter_ops meter_tcp;
extern const struct meter_ops meter_cycles;
extern const struct meter_ops meter_drops;
extern const struct meter_ops meter_irqs;
extern const struct meter_ops meter_softirq;
