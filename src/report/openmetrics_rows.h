/*
 * The metric families: names, units and words, one row each; the series behind them. What a number
 * means in full is in METHOD.md.
 */
#pragma once

#include "base/macro.h"
#include "bpf/softirq.h"

#include <stddef.h>
#include <stdint.h>

/* Values of a container. The first are struct softirq_account's, in its order. */
enum metric_value {
	METRIC_RX,
	METRIC_TX,
	METRIC_OTHER,
	METRIC_THREAD,
	METRIC_KSOFT,
	METRIC_OWN,
	METRIC_GAINED,
	METRIC_RX_PKTS,
	METRIC_TX_PKTS,
	METRIC_DROP_PKTS,
	METRIC_IRQS,
	METRIC_ACCOUNT_N,
	METRIC_PROCESS = METRIC_ACCOUNT_N,
	METRIC_TOTAL,
	METRIC_VALUE_N,
};
static_assert(offsetof(struct softirq_account, irqs) == METRIC_IRQS * sizeof(uint64_t), "as there");

/* Values of a CPU: struct softirq_cpu's, in its order. */
enum metric_cpu {
	METRIC_CPU_RX,
	METRIC_CPU_TX,
	METRIC_CPU_RX_N,
	METRIC_CPU_TX_N,
	METRIC_CPU_KSOFT,
	METRIC_CPU_IDLE,
	METRIC_CPU_N,
};
static_assert(offsetof(struct softirq_cpu, idle_ns) == METRIC_CPU_IDLE * sizeof(uint64_t), "same");

/* Values that there is one of. */
enum metric_one {
	METRIC_BUILD,
	METRIC_ELAPSED,
	METRIC_CONSERVATION,
	METRIC_CONTAINERS,
	METRIC_LEFT_OUT,
};

enum metric_scope {
	METRIC_OF_CONTAINER,
	METRIC_OF_CPU,
	METRIC_OF_ALL,
};

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_INFO,
	METRIC_TYPE_N,
};

struct metric_point {
	const char *label; /* "direction=\"rx\"", or NULL */
	uint32_t value;    /* of the enum of the family's scope */
};

#define METRIC_MAX_POINTS 3
struct metric_family {
	const char
		*name; /* as OpenMetrics has it: with its unit, without "_total"; NULL: the end */
	const char *unit; /* the last part of the name, or "" */
	enum metric_type type;
	enum metric_scope scope;
	uint32_t n_points;
	struct metric_point point[METRIC_MAX_POINTS];
	const char *help;
};
extern const struct metric_family metric_families[];
