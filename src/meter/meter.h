/*
 * A meter observes one end's machine or flows around the counted span of a trial. Its reading is
 * a plain struct described by fields, so that it travels, is stored and documented without code.
 */
#pragma once

#include "base/err.h"
#include "base/field.h"

#include <stdint.h>
#include <time.h>

/* Room for any meter's state between begin and end, and for any reading. */
#define METER_STATE_BYTES   ((size_t)160 << 10)
#define METER_READING_BYTES ((size_t)40 << 10)

struct softirq_ends;

/* Of counters, what was counted since; one that went back has counted nothing. */
static inline void meter_since(uint64_t *now, const uint64_t *then, size_t n)
{
	for (size_t i = 0; i < n; i++)
		now[i] -= MIN(now[i], then[i]);
}

/* What a meter may look at besides the machine. */
struct meter_scope {
	const int *tcp_fds; /* [n_tcp_fds] sockets on which this end sends payload */
	uint32_t n_tcp_fds;
	const clockid_t *threads; /* [n_threads] CPU clocks of the load's threads */
	uint32_t n_threads;
	const struct softirq_ends *ends; /* for meter softirq; NULL: all here is far's */
};

struct meter_ops {
	const char *name;
	const char *summary;
	const struct field *fields; /* of the reading */
	size_t reading_bytes;
	size_t state_bytes;
	bool per_machine; /* one end suffices when both are on one machine */
	bool on_demand;   /* it bends other numbers: armed in trials only that are for it */

	/* Return: 0, METER_UNAVAILABLE with the reason in @e, or negative errno. */
	int (*probe)(struct err *e);
	/* Opens what begin and end only read. NULL: nothing to open. */
	int (*open)(void *state, struct err *e);
	int (*begin)(void *state, const struct meter_scope *scope, struct err *e);
	int (*end)(void *state, const struct meter_scope *scope, void *reading, struct err *e);
	void (*close)(void *state);
};
#define METER_UNAVAILABLE 1

enum meter_id {
	METER_CPU,
	METER_PROC,
	METER_TCP,
	METER_CYCLES,
	METER_DROPS,
	METER_IRQS,
	METER_SOFTIRQ,
	METER_N,
};
extern const struct meter_ops *const meter_table[METER_N];
