/* The text of /proc/stat. */
#include "fuzz.h"
#include "sys/cpustat.h"

#define NS_PER_TICK 10000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cpustat in_ns[CPUSTAT_MAX_CPUS], in_ticks[CPUSTAT_MAX_CPUS];
	char *s = fuzz_text(data, size);
	struct err e = {0};
	int n = cpustat_parse(s, NS_PER_TICK, in_ns, &e);

	FUZZ_CHECK(n > 0 ? n <= CPUSTAT_MAX_CPUS : n < 0 && e.text[0]);
	FUZZ_CHECK(cpustat_parse(s, 1, in_ticks, &e) == n);
	for (int i = 0; i < n; i++) {
		FUZZ_CHECK(in_ns[i].user_ns == in_ticks[i].user_ns * NS_PER_TICK);
		FUZZ_CHECK(in_ns[i].steal_ns == in_ticks[i].steal_ns * NS_PER_TICK);
	}
	free(s);
	return 0;
}
