#include "sys/cpustat.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "sys/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* One "cpuN u n s i w q S t ..." line. Return: false when it is not one. */
static bool parse_line(const char *line, uint64_t ns_per_tick, struct cpustat *c)
{
	uint64_t v[8];
	uint32_t cpu;
	int n = sscanf(line,
		"cpu%" SCNu32 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		" %" SCNu64 " %" SCNu64 " %" SCNu64,
		&cpu, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);

	if (n != 9)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		v[i] *= ns_per_tick;
	*c = (struct cpustat){.user_ns = v[0],
		.nice_ns = v[1],
		.system_ns = v[2],
		.idle_ns = v[3],
		.iowait_ns = v[4],
		.irq_ns = v[5],
		.softirq_ns = v[6],
		.steal_ns = v[7]};
	return true;
}

int cpustat_parse(const char *text, uint64_t ns_per_tick, struct cpustat *ret, struct err *e)
{
	int n = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "cpu ", 4) == 0)
			continue;
		if (strncmp(line, "cpu", 3) != 0)
			break;
		if (n == CPUSTAT_MAX_CPUS)
			return err_say(e, E2BIG, "more than %d CPUs", CPUSTAT_MAX_CPUS);
		if (!parse_line(line, ns_per_tick, &ret[n]))
			return err_say(e, EINVAL, "/proc/stat: cannot read a cpu line");
		n++;
	}
	return n > 0 ? n : err_say(e, EINVAL, "/proc/stat: no cpu lines");
}

int cpustat_read(struct cpustat *ret, struct err *e)
{
	/* 160 characters hold the longest cpu line; what follows the cpu lines is not needed. */
	static const size_t size = 160 * (CPUSTAT_MAX_CPUS + 1);
	_cleanup_(freep) char *text = xcalloc(1, size);
	int r = file_read("/proc/stat", text, size, e);

	if (r < 0)
		return r;
	return cpustat_parse(text, NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK), ret, e);
}
