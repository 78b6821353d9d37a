/* The list of networks that may connect. */
#include "fuzz.h"
#include "serve/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct access_list a = {0};
	struct err e = {0};

	if (access_parse(&a, text, &e) < 0)
		FUZZ_CHECK(e.text[0] && a.n == 0);
	FUZZ_CHECK(a.n <= ACCESS_MAX_NETS);
	for (uint32_t i = 0; i < a.n; i++) {
		struct peer p = {0};

		FUZZ_CHECK(a.net[i].bits <= 128);
		memcpy(p.ip, a.net[i].ip, sizeof(p.ip));
		FUZZ_CHECK(access_allows(&a, &p));
	}
	free(text);
	return 0;
}
