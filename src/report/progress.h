/* Progress on a stream: one bar that redraws itself on a terminal, one line per trial elsewhere. */
#pragma once

#include "bench/bench.h"

#include <stdbool.h>
#include <stdio.h>

struct progress {
	FILE *out;
	bool tty;
	uint64_t next_ns; /* no line before; for reports whose steps are short */
};

/* The bar, of whatever is counted in @units: "trials". @what: what is being done */
void progress_bar(const struct progress *pr, uint32_t done, uint32_t expected, uint64_t left_ns,
	const char *units, const char *what);

/* A bench_hooks progress function; @ctx is a struct progress. */
void progress_show(void *ctx, const struct run *run, const struct bench_progress *p);

/* Ends the bar's line. */
void progress_end(const struct progress *pr);
