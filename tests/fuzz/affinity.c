/* CPU lists from the command line and from a controller: accepted ones print as the same list. */
#include "base/str.h"
#include "fuzz.h"
#include "sys/affinity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint32_t cpu[AFFINITY_MAX_CPUS], again[AFFINITY_MAX_CPUS];
	char text[AFFINITY_MAX_CPUS * sizeof("1023,")] = "";
	char *s = fuzz_text(data, size);
	struct err e = {0};
	int n = affinity_parse(s, cpu, &e);

	FUZZ_CHECK(n > 0 ? n <= AFFINITY_MAX_CPUS : n < 0 && e.text[0]);
	for (int i = 0; i < n; i++) {
		FUZZ_CHECK(cpu[i] < AFFINITY_MAX_CPUS);
		str_addf(text, sizeof(text), "%s%u", i ? "," : "", cpu[i]);
	}
	if (n > 0) {
		FUZZ_CHECK(affinity_parse(text, again, &e) == n);
		FUZZ_CHECK(memcmp(cpu, again, (size_t)n * sizeof(*cpu)) == 0);
	}
	free(s);
	return 0;
}
