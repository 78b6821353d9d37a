/* A fuzz target: one function on arbitrary bytes, as libFuzzer wants it. */
#pragma once

#include "base/opt.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(x)                                                                              \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

/* The input as text; to be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	if (!s)
		abort();
	if (size)
		memcpy(s, data, size);
	s[size] = '\0';
	return s;
}

/* Is every member within the range of its row? */
static inline void fuzz_check_opts(const struct opt *opts, const void *cfg)
{
	for (const struct opt *o = opts; o->name; o++) {
		const char *m = (const char *)cfg + o->offset;
		uint64_t v = o->type == OPT_T_U64 ? *(const uint64_t *)m : 0;

		if (o->type == OPT_T_U32 || o->type == OPT_T_ENUM)
			v = *(const uint32_t *)m;
		if (o->type == OPT_T_STR)
			FUZZ_CHECK(memchr(m, '\0', o->size));
		else if (o->type == OPT_T_ENUM)
			FUZZ_CHECK(v < o->n_names);
		else if (o->type == OPT_T_U32 || o->type == OPT_T_U64)
			FUZZ_CHECK((v == 0 && o->zero_ok) ||
				   (v >= o->min && (!o->max || v <= o->max)));
	}
}
