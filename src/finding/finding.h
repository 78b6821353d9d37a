/*
 * A finding: one claim about a path under a load, with its evidence and what to change. Pure
 * functions over a run that was measured; one file per claim.
 */
#pragma once

#include "bench/result.h"

#include <stdbool.h>
#include <stddef.h>

struct finding_ops {
	const char *name;
	const char *claim; /* one line */
	/*
	 * Does it hold for @c? Then @ret says so with numbers, and what to change.
	 * @ret: [size], "" on entry
	 */
	bool (*look)(const struct run *run, const struct cell *c, char *ret, size_t size);
};

extern const struct finding_ops *const finding_table[]; /* NULL-terminated */

struct finding {
	const struct finding_ops *ops;
	uint32_t path, load;
	char text[512];
};

/* Calls @found for each finding of @run, in the order of the cells. */
typedef void finding_fn(void *ctx, const struct run *run, const struct finding *f);
void finding_each(const struct run *run, finding_fn *found, void *ctx);

/*
 * finding_sum() - sum of a counter of the drops meter over all trials of a cell; of one that failed
 *                 it is what was counted until then, between the ends.
 * @where: which readings are added up, FINDING_ENDS | FINDING_BETWEEN
 * @counter: offset in struct drops_reading
 */
#define FINDING_ENDS    1U
#define FINDING_BETWEEN 2U
uint64_t finding_sum(const struct run *run, const struct cell *c, unsigned where, size_t counter);
