/* Results of a peer: what is taken is within its members and is written the same way again. */
#include "base/mem.h"
#include "fuzz.h"
#include "wire/iperf.h"

/* JSON has 12 digits of a double, so the texts are compared, not the numbers. */
static void check_again(const struct iperf_results *r)
{
	struct iperf_results *again = xcalloc(1, sizeof(*again));
	struct doc *first = iperf_results_pack(r), *parsed = NULL, *second;
	char *text = doc_text(first), *second_text;

	FUZZ_CHECK(doc_parse(&parsed, text, strlen(text), NULL) == 0);
	FUZZ_CHECK(iperf_results_unpack(parsed, again, NULL) == 0);
	second = iperf_results_pack(again);
	second_text = doc_text(second);
	FUZZ_CHECK(strcmp(text, second_text) == 0);
	free(text);
	free(second_text);
	doc_free(first);
	doc_free(second);
	doc_free(parsed);
	iperf_results_fini(again);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iperf_results *r;
	struct doc *d = NULL;
	struct err e = {0};

	if (doc_parse_lax(&d, (const char *)data, size, DOC_BIG_NUMBERS, &e) < 0)
		return 0;
	r = xcalloc(1, sizeof(*r));
	if (iperf_results_unpack(d, r, &e) == 0) {
		FUZZ_CHECK(r->n_streams <= 2 * IPERF_MAX_STREAMS);
		for (uint32_t i = 0; i < r->n_streams; i++)
			FUZZ_CHECK(r->stream[i].id >= 1 && r->stream[i].jitter >= 0);
		check_again(r);
	} else {
		FUZZ_CHECK(e.text[0]);
	}
	iperf_results_fini(r);
	free(r);
	doc_free(d);
	return 0;
}
