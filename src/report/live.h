/*
 * A run between two machines for people: what was connected to, a line for each interval with the
 * numbers of both ends as they come, and at the end what each trial and all of them together say.
 */
#pragma once

#include "bench/bench.h"

#include <stdio.h>

/* Hooks of bench_run(); @ctx is the FILE. */
void live_progress(void *ctx, const struct run *run, const struct bench_progress *p);
void live_interval(void *ctx, const struct run *run, const struct trial *t, uint32_t n,
	const struct interval *x);

/* What all trials say, and the notes. Return: 0, or the negative errno of a failed write. */
int live_end(const struct run *run, FILE *out);
