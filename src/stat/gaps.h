/*
 * What a program that only computes really gets: it reads the clock again and again, and where two
 * readings are farther apart than a turn of its loop takes, somebody else had the CPU: a soft
 * interrupt, another task, its own quota. The time between all other readings was its own. Unlike
 * the kernel's accounting this does not depend on who an interrupt's time is charged to, and
 * unlike counted turns it does not change with the CPU's speed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GAPS_BUCKETS 32 /* [i]: gaps of 2^i ns up to 2^(i+1); the last one: all longer ones */

struct gaps {
	uint64_t begin_ns, end_ns; /* nothing outside counts */
	uint64_t least_ns;         /* what is shorter is the loop's own */
	uint64_t last_ns;          /* reading; 0: none yet */
	uint64_t own_ns, gap_ns;   /* of [begin_ns, end_ns), as far as it was read */
	uint64_t n_gaps, longest_ns;
	uint64_t bucket[GAPS_BUCKETS]; /* gaps, each by its whole length */
};

/*
 * gaps_least_ns() - where gaps begin: 8 turns of the loop, at least 250 ns, at most 1000.
 *
 * An interrupt with work to do costs more than that, and a turn that missed a cache less.
 *
 * @step: [n], n > 0: times of turns, in a quiet moment; they get sorted
 * @ret_step_ns: their median
 */
uint64_t gaps_least_ns(uint64_t *step, uint32_t n, uint64_t *ret_step_ns);
/* The same of @n turns that only read the clock, made now. @step: [n], room for them */
uint64_t gaps_calibrate(uint64_t *step, uint32_t n, uint64_t *ret_step_ns);

void gaps_begin(struct gaps *g, uint64_t least_ns, uint64_t begin_ns, uint64_t end_ns);

/* Counts the gap that ended with the reading @now_ns. Not in the inner loop: gaps are rare. */
void gaps_note(struct gaps *g, uint64_t now_ns);

/* A reading of the clock, none earlier than the one before. Return: false when the end is past. */
static inline bool gaps_add(struct gaps *g, uint64_t now_ns)
{
	if (g->last_ns >= g->begin_ns && now_ns - g->last_ns < g->least_ns && now_ns <= g->end_ns)
		g->own_ns += now_ns - g->last_ns;
	else
		gaps_note(g, now_ns);
	g->last_ns = now_ns;
	return now_ns < g->end_ns;
}
