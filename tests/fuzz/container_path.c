/* The path of a cgroup, which whoever may make one chooses. */
#include "charge/container.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_text(data, size);
	struct container c, again;

	if (container_of_path(s, &c)) {
		size_t len = strlen(c.cgroup);

		FUZZ_CHECK(c.kind < CONTAINER_KIND_N && *c.name && len > 1);
		FUZZ_CHECK(strncmp(s, c.cgroup, len) == 0 && (!s[len] || s[len] == '/'));
		for (const char *p = c.name; *p; p++)
			FUZZ_CHECK(*p >= ' ' && *p <= '~');
		/* The directory that is charged says the same by itself. */
		FUZZ_CHECK(container_of_path(c.cgroup, &again));
		FUZZ_CHECK(memcmp(&c, &again, sizeof(c)) == 0);
	}
	free(s);
	return 0;
}
