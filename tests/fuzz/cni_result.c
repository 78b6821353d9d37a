/* A CNI plugin's answer: addresses that are taken are addresses. */
#include "cni/result.h"
#include "fuzz.h"

#include <arpa/inet.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_result r = CNI_RESULT_NONE;
	struct err e = {0};
	uint8_t bytes[16];
	char words[100];

	(void)cni_error_text((const char *)data, size, words, sizeof(words));
	if (cni_result_parse(&r, (const char *)data, size, &e) < 0) {
		FUZZ_CHECK(!r.json && e.text[0]);
		return 0;
	}
	FUZZ_CHECK(r.n_ips <= CNI_MAX_IPS);
	for (uint32_t i = 0; i < r.n_ips; i++) {
		FUZZ_CHECK(inet_pton(r.ip[i].ipv6 ? AF_INET6 : AF_INET, r.ip[i].addr, bytes) == 1);
		FUZZ_CHECK(r.ip[i].prefix <= (r.ip[i].ipv6 ? 128 : 32));
	}
	cni_result_fini(&r);
	return 0;
}
