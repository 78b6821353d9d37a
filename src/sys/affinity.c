#include "sys/affinity.h"

#include "base/str.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>

uint32_t affinity_allowed(uint32_t *ret)
{
	cpu_set_t set;
	uint32_t n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		CPU_ZERO(&set);
	for (uint32_t cpu = 0; cpu < AFFINITY_MAX_CPUS; cpu++)
		if (CPU_ISSET(cpu, &set))
			ret[n++] = cpu;
	return n;
}

/* Reads digits into *ret, at most AFFINITY_MAX_CPUS - 1; returns what follows, NULL if none. */
static const char *read_cpu(const char *s, uint32_t *ret)
{
	uint32_t v = 0;

	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (uint32_t)(*s - '0');
		if (v >= AFFINITY_MAX_CPUS)
			return NULL;
	}
	*ret = v;
	return s;
}

int affinity_parse(const char *list, uint32_t *ret, struct err *e)
{
	uint32_t n = 0;

	for (const char *s = list;; s++) {
		uint32_t low = 0, high;

		s = read_cpu(s, &low);
		high = low;
		if (s && *s == '-')
			s = read_cpu(s + 1, &high);
		if (!s || high < low || (*s && *s != ','))
			return err_say(e, EINVAL, "'%s' is not a CPU list such as 0,2-5", list);
		for (; low <= high; low++) {
			if (n == AFFINITY_MAX_CPUS)
				return err_say(e, E2BIG, "'%s' names too many CPUs", list);
			ret[n++] = low;
		}
		if (!*s)
			return (int)n;
	}
}

int affinity_pin(uint32_t cpu, struct err *e)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		return err_set(e, errno, "cannot run on CPU %u", cpu);
	return 0;
}

int affinity_pin_task(int tid, uint32_t cpu, struct err *e)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(tid, sizeof(set), &set) < 0)
		return err_set(e, errno, "cannot pin thread %d to CPU %u", tid, cpu);
	if (setpriority(PRIO_PROCESS, (id_t)tid, -20) < 0)
		return err_set(e, errno, "cannot give thread %d its priority", tid);
	return 0;
}

int affinity_set_task(int tid, const uint32_t *cpu, uint32_t n, struct err *e)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (uint32_t i = 0; i < n; i++)
		CPU_SET(cpu[i], &set);
	return sched_setaffinity(tid, sizeof(set), &set) < 0
		       ? err_set(e, errno, "cannot say where thread %d may run", tid)
		       : 0;
}

void affinity_text(const uint32_t *cpu, uint32_t n, char *ret, size_t size)
{
	*ret = '\0';
	for (uint32_t i = 0, last; i < n; i = last + 1) {
		for (last = i; last + 1 < n && cpu[last + 1] == cpu[last] + 1; last++)
			;
		str_addf(ret, size, "%s%u", i ? "," : "", cpu[i]);
		if (last > i)
			str_addf(ret, size, "-%u", cpu[last]);
	}
}
