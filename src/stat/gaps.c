#include "stat/gaps.h"

#include "base/clock.h"
#include "base/macro.h"

#include <stdlib.h>

#define STEPS        8
#define LEAST_MIN_NS 250
#define LEAST_MAX_NS 1000

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t gaps_least_ns(uint64_t *step, uint32_t n, uint64_t *ret_step_ns)
{
	assert(n > 0);
	qsort(step, n, sizeof(*step), by_size);
	*ret_step_ns = step[n / 2];
	return MIN(MAX(STEPS * step[n / 2], (uint64_t)LEAST_MIN_NS), (uint64_t)LEAST_MAX_NS);
}

uint64_t gaps_calibrate(uint64_t *step, uint32_t n, uint64_t *ret_step_ns)
{
	uint64_t last_ns = clock_now_ns();

	for (uint32_t i = 0; i < n; i++) {
		const uint64_t now_ns = clock_now_ns();

		step[i] = now_ns - last_ns;
		last_ns = now_ns;
	}
	return gaps_least_ns(step, n, ret_step_ns);
}

void gaps_begin(struct gaps *g, uint64_t least_ns, uint64_t begin_ns, uint64_t end_ns)
{
	assert(least_ns > 0 && begin_ns > 0 && begin_ns <= end_ns);
	*g = (struct gaps){.begin_ns = begin_ns, .end_ns = end_ns, .least_ns = least_ns};
}

static uint32_t bucket_of(uint64_t ns)
{
	const uint32_t i = 63 - (uint32_t)__builtin_clzll(ns | 1);

	return MIN(i, (uint32_t)GAPS_BUCKETS - 1);
}

/* Also of turns that are no gaps but reach over the begin or the end. */
void gaps_note(struct gaps *g, uint64_t now_ns)
{
	const uint64_t from_ns = MAX(g->last_ns, g->begin_ns), to_ns = MIN(now_ns, g->end_ns);
	const uint64_t ns = now_ns - g->last_ns;

	assert(now_ns >= g->last_ns);
	if (g->last_ns == 0 || from_ns >= to_ns)
		return;
	if (ns < g->least_ns) {
		g->own_ns += to_ns - from_ns;
		return;
	}
	g->gap_ns += to_ns - from_ns;
	g->n_gaps++;
	g->longest_ns = MAX(g->longest_ns, ns);
	g->bucket[bucket_of(ns)]++;
}
