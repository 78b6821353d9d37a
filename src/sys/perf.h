/* Hardware counters of the whole machine, as "perf stat -a" counts them. */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct perf;

enum perf_event {
	PERF_CYCLES,
	PERF_INSTRUCTIONS,
	PERF_EVENT_N,
};

/*
 * perf_open() - open cycles and instructions on every online CPU, user and kernel mode.
 *
 * Return: 0; PERF_ABSENT with the reason in @e when there is no PMU or no permission; negative
 * errno when something else failed.
 */
#define PERF_ABSENT 1
int perf_open(struct perf **ret, struct err *e) must_check_;
void perf_close(struct perf *p);
DEFINE_CLEANUP(struct perf *, perf_close, perf_closep)

/* Sums over CPUs since perf_open(). @ret: [PERF_EVENT_N]. */
int perf_read(const struct perf *p, uint64_t *ret, struct err *e) must_check_;
