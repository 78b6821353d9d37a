/*
 * Open loop: when each request is due, whatever became of the ones before. One schedule serves all
 * flows of a leg in turn: request number g of all is due at begin + g / rate, and flow i of n has
 * those with g mod n = i. Numbers below 0 are the warm-up's. Nothing is rounded twice: times do
 * not drift from the rate.
 */
#pragma once

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct schedule {
	uint64_t begin_ns, end_ns; /* of the counted span */
	uint64_t rate_tps;         /* of all flows together */
	uint32_t n_flows;
	int64_t next;    /* number of the next request of this flow */
	uint64_t due_ns; /* when it is due */
	uint64_t n_due;  /* requests before it that were due in the span */
};

/*
 * The first request is flow @i's first one after @now_ns. @s: the first four members are set, as
 * they must be before the calls below.
 */
void schedule_start(struct schedule *s, uint32_t i, uint64_t now_ns);

/* On to the next request. */
void schedule_advance(struct schedule *s);

/* Passes over all that are due before @until_ns, and so counts them. */
void schedule_pass(struct schedule *s, uint64_t until_ns);

static inline bool schedule_counts(const struct schedule *s, uint64_t due_ns)
{
	return due_ns >= s->begin_ns && due_ns < s->end_ns;
}

/* Is @sent_ns past the time at which already the next request of all flows was due? */
static inline bool schedule_late(const struct schedule *s, uint64_t due_ns, uint64_t sent_ns)
{
	return sent_ns - due_ns > NSEC_PER_SEC / s->rate_tps;
}
