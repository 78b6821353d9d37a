/* Parameters of a test: what is taken is within its members and is read again as it was. */
#include "fuzz.h"
#include "wire/iperf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doc *d = NULL, *packed;
	struct iperf_params p, again;
	struct err e = {0};

	if (doc_parse_lax(&d, (const char *)data, size, DOC_BIG_NUMBERS, &e) < 0)
		return 0;
	if (iperf_params_unpack(d, &p, &e) < 0) {
		FUZZ_CHECK(e.text[0]);
		doc_free(d);
		return 0;
	}
	FUZZ_CHECK(p.proto < IPERF_PROTO_N && p.server_affinity >= -1);
	FUZZ_CHECK(memchr(p.title, '\0', sizeof(p.title)));
	packed = iperf_params_pack(&p);
	FUZZ_CHECK(iperf_params_unpack(packed, &again, &e) == 0);
	FUZZ_CHECK(memcmp(&p, &again, sizeof(p)) == 0);
	if (iperf_params_check(&p, &e) == 0)
		FUZZ_CHECK(p.parallel >= 1 && p.parallel <= IPERF_MAX_STREAMS && p.len >= 1);
	else
		FUZZ_CHECK(e.text[0]);
	doc_free(packed);
	doc_free(d);
	return 0;
}
