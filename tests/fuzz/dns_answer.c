/* A query's name of up to 63 bytes, and a message that may answer it. */
#include "dns/answer.h"
#include "dns/query.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t query[DNS_QUERY_BYTES] = {0};
	size_t label = size ? data[0] & 63 : 0, len = DNS_HEADER_BYTES + label + 2 + 4;
	struct dns_answer a;

	if (size < 1 + label)
		return 0;
	query[11] = data[0] >> 7; /* EDNS */
	query[DNS_HEADER_BYTES] = (uint8_t)label;
	memcpy(query + DNS_HEADER_BYTES + 1, data + 1, label);
	len += query[11] ? DNS_OPT_BYTES : 0;
	data += 1 + label;
	size -= 1 + label;
	if (!dns_answer_parse(&a, data, size))
		return 0;
	FUZZ_CHECK(size >= DNS_HEADER_BYTES && a.rcode < DNS_N_RCODES);
	if (dns_answer_fits(data, size, query, len))
		FUZZ_CHECK(data[5] <= 1);
	return 0;
}
