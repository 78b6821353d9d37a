#include "base/clock.h"

#include "base/cleanup.h"

#include <inttypes.h>
#include <stdio.h>

void clock_utc(char ret[static 21])
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(ret, 21, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int64_t clock_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* No such file: no such namespaces. */
int64_t clock_ahead_ns(void)
{
	_cleanup_(fclosep) FILE *in = fopen("/proc/self/timens_offsets", "re");
	int64_t s, ns;

	if (!in || fscanf(in, "monotonic %" SCNd64 " %" SCNd64, &s, &ns) != 2)
		return 0;
	return s * (int64_t)NSEC_PER_SEC + ns;
}
