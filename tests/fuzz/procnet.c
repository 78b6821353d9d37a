/* The text of the counter files below /proc/net. */
#include "fuzz.h"
#include "sys/procnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_text(data, size);

	(void)procnet_snmp(s, "Udp", "InErrors");
	(void)procnet_snmp(s, "Ip", "InDiscards");
	(void)procnet_snmp6(s, "Udp6InErrors");
	(void)procnet_named_column(s, "drop");
	/* No more columns than words. */
	FUZZ_CHECK(procnet_column(s, (uint32_t)size + 1) == 0);
	free(s);
	return 0;
}
