#include "charge/machine.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "sys/cpustat.h"

void machine_read(struct machine_time *ret)
{
	_cleanup_(freep) struct cpustat *cpu = xcalloc(CPUSTAT_MAX_CPUS, sizeof(*cpu));
	int n = cpustat_read(cpu, NULL); /* what is not known is not told */

	*ret = (struct machine_time){.n_cpus = n > 0 ? (uint32_t)n : 0};
	for (uint32_t i = 0; i < ret->n_cpus; i++)
		ret->idle_ns += cpu[i].idle_ns + cpu[i].iowait_ns + cpu[i].steal_ns;
}

bool machine_busy(const struct machine_time *then, const struct machine_time *now, uint64_t span_ns,
	uint64_t *ret)
{
	uint64_t all = now->n_cpus * span_ns, idle = now->idle_ns - then->idle_ns;

	/* It may go back. Ref: proc(5), /proc/stat, iowait */
	if (!then->n_cpus || then->n_cpus != now->n_cpus)
		return false;
	if (now->idle_ns < then->idle_ns)
		idle = 0;
	*ret = idle < all ? all - idle : 0;
	return true;
}
