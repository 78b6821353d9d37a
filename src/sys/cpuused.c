#include "sys/cpuused.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "sys/cgroup.h"
#include "sys/cpustat.h"
#include "sys/file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

/* "1234 5678 ...", one number for each possible CPU. */
static bool from_cpuacct(uint32_t cpu, uint64_t *ret)
{
	char path[PATH_MAX + 32], where[PATH_MAX], text[8192];
	char *s = text;

	if (!cgroup_mount_point("cpuacct", where, sizeof(where)))
		return false;
	snprintf(path, sizeof(path), "%s/cpuacct.usage_percpu", where);
	if (file_read(path, text, sizeof(text), NULL) <= 0)
		return false;
	for (uint32_t i = 0; i < cpu && *s; i++) {
		s += strcspn(s, " ");
		s += *s == ' ';
	}
	s[strcspn(s, " ")] = '\0';
	return num_parse(s, NUM_COUNT, ret, NULL) == 0;
}

int cpuused_ns(uint32_t cpu, uint64_t *ret, bool *ret_exact, struct err *e)
{
	_cleanup_(freep) struct cpustat *all = NULL;
	int n;

	*ret_exact = from_cpuacct(cpu, ret);
	if (*ret_exact)
		return 0;
	all = xcalloc(CPUSTAT_MAX_CPUS, sizeof(*all));
	n = cpustat_read(all, e);
	if (n < 0)
		return n;
	if (cpu >= (uint32_t)n)
		return err_say(e, ENOENT, "CPU %u is not online", cpu);
	*ret = all[cpu].user_ns + all[cpu].nice_ns + all[cpu].system_ns + all[cpu].steal_ns;
	return 0;
}

uint64_t cpuused_of_ns(int pid)
{
	struct timespec ts;
	clockid_t clock;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

int cpuused_ksoftirqd(uint32_t cpu)
{
	_cleanup_(dir_closep) DIR *proc = opendir("/proc");
	const struct dirent *d;
	char want[32], path[64], comm[64];

	snprintf(want, sizeof(want), "ksoftirqd/%u", cpu);
	while (proc && (d = readdir(proc))) {
		uint64_t pid;

		if (num_parse(d->d_name, NUM_COUNT, &pid, NULL) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", d->d_name);
		if (file_read(path, comm, sizeof(comm), NULL) > 0 && strcmp(comm, want) == 0)
			return (int)pid;
	}
	return 0;
}
