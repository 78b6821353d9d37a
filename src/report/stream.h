/*
 * A run between two machines as it happens: one JSON object per line, flushed, each with a member
 * "event": start (what --json has before its cells), interval, trial, end (its cells), error.
 */
#pragma once

#include "bench/bench.h"

#include <stdio.h>

/* Hooks of bench_run(); @ctx is the FILE. */
void stream_progress(void *ctx, const struct run *run, const struct bench_progress *p);
void stream_interval(void *ctx, const struct run *run, const struct trial *t, uint32_t n,
	const struct interval *x);

/* The last line. Return: 0, or the negative errno of any write that failed. */
int stream_end(const struct run *run, FILE *out);
int stream_error(const char *text, FILE *out);
