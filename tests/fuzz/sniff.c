/* The first bytes of a connection and a datagram. */
#include "fuzz.h"
#include "serve/sniff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = 0;
	struct sniff s;

	for (;;) {
		s = sniff_stream(data, len);
		if (s.kind != SNIFF_MORE || s.want > size)
			break;
		FUZZ_CHECK(s.want > len && s.want <= SNIFF_MAX_BYTES);
		len = s.want;
	}
	FUZZ_CHECK(s.kind < SNIFF_N && len <= SNIFF_MAX_BYTES);
	FUZZ_CHECK(s.kind != SNIFF_HELLO && s.kind != SNIFF_IPERF_HELLO);
	s = sniff_datagram(data, size);
	FUZZ_CHECK(s.kind == SNIFF_HELLO || s.kind == SNIFF_IPERF_HELLO || s.kind == SNIFF_BAD);
	return 0;
}
