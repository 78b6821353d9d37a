#include "meter/table.h"

const struct meter_ops *const meter_table[METER_N] = {
	[METER_CPU] = &meter_cpu,
	[METER_PROC] = &meter_proc,
	[METER_TCP] = &meter_tcp,
	[METER_CYCLES] = &meter_cycles,
	[METER_DROPS] = &meter_drops,
	[METER_IRQS] = &meter_irqs,
	[METER_SOFTIRQ] = &meter_softirq,
};
