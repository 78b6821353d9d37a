/* Time as uint64_t nanoseconds of CLOCK_MONOTONIC, and sleeping until a point of it. */
#pragma once

#include "base/macro.h"

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* CPU time of the calling thread. */
static inline uint64_t clock_thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Milliseconds left until @deadline_ns, rounded up, 0 when passed: the form poll() takes. */
static inline int clock_left_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t left_ms;

	if (now >= deadline_ns)
		return 0;
	left_ms = (deadline_ns - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	return left_ms > 1000000000 ? 1000000000 : (int)left_ms;
}

/* The next of points that are @every_ns apart; who is late by one has a whole one from now on. */
static inline uint64_t clock_next_ns(uint64_t last_ns, uint64_t every_ns)
{
	const uint64_t now_ns = clock_now_ns();

	return (last_ns + every_ns > now_ns ? last_ns : now_ns) + every_ns;
}

/* Wall-clock time in ms since 1970. */
int64_t clock_wall_ms(void);

/* Wall-clock time as "2026-01-31T12:00:00Z". */
void clock_utc(char ret[static 21]);

/*
 * How far clock_now_ns() is ahead of the kernel's own CLOCK_MONOTONIC, which BPF programs have
 * (bpf_ktime_get_ns): not 0 in a time namespace only. Ref: time_namespaces(7)
 */
int64_t clock_ahead_ns(void);
