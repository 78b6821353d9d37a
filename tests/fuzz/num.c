/* Whatever is accepted as a number prints as text that reads as the same number. */
#include "base/num.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_text(data, size);

	for (enum num_unit unit = 0; unit < NUM_UNIT_N; unit++) {
		uint64_t v = 42, again;
		char text[64];
		struct err e = {0};

		if (num_parse(s, unit, &v, &e) < 0) {
			FUZZ_CHECK(v == 42 && e.text[0]);
			continue;
		}
		FUZZ_CHECK(v <= INT64_MAX);
		num_format(v, unit, text, sizeof(text));
		FUZZ_CHECK(num_parse(text, unit, &again, &e) == 0 && again == v);
	}
	free(s);
	return 0;
}
