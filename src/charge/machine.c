#include "charge/machine.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "charge/account.h"
#include "sys/cpustat.h"

void machine_read(struct machine_time *ret)
{
	_cleanup_(freep) struct cpustat *cpu = xcalloc(CPUSTAT_MAX_CPUS, sizeof(*cpu));
	int n = cpustat_read(cpu, NULL); /* what is not known is not told */

	*ret = (struct machine_time){.n_cpus = n > 0 ? (uint32_t)n : 0};
	for (uint32_t i = 0; i < ret->n_cpus; i++)
		ret->idle_ns += cpu[i].idle_ns + cpu[i].iowait_ns + cpu[i].steal_ns;
}

/*
 * iowait may go back by a little; before Linux 6.8 all of a CPU did that was offline.
 * Ref: proc(5), /proc/stat; "tick-sched: Fix idle and iowait sleeptime accounting vs CPU hotplug"
 */
#define BACK_NS (100 * NSEC_PER_MSEC)

bool machine_same(const struct machine_time *then, const struct machine_time *now)
{
	return then->n_cpus && then->n_cpus == now->n_cpus &&
	       now->idle_ns + now->n_cpus * BACK_NS >= then->idle_ns;
}

bool machine_busy(const struct machine_time *then, const struct machine_time *now, uint64_t span_ns,
	uint64_t *ret)
{
	uint64_t all = now->n_cpus * span_ns, idle = count_since(now->idle_ns, then->idle_ns);

	if (!machine_same(then, now))
		return false;
	*ret = count_since(all, idle);
	return true;
}
