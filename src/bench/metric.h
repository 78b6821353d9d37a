/* The numbers a cell has, one row each; names and units are those of JSON, CSV and man page. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct trial;

enum metric_id {
	METRIC_GOODPUT_BPS,
	METRIC_TRANSACTIONS_PER_S,
	METRIC_LATENCY_MEAN_NS,
	METRIC_CPU_NS_PER_BYTE,
	METRIC_CPU_NS_PER_TRANSACTION,
	METRIC_PROC_NS_PER_BYTE,
	METRIC_PROC_NS_PER_TRANSACTION,
	METRIC_CYCLES_PER_BYTE,
	METRIC_CYCLES_PER_TRANSACTION,
	METRIC_BUSY_CPUS,
	METRIC_RETRANSMITS_PER_S,
	METRIC_N,
};

struct metric {
	const char *name;
	const char *unit;
	const char *doc;
	bool transactional; /* of loads that ask and answer; else of bulk loads */
	bool both;          /* of either kind */
	bool decides;       /* its ratio must be as narrow as --width */
	double (*value)(const struct trial *t); /* NAN: not measured */
};
extern const struct metric metric_table[METRIC_N];

/* Does this number apply to loads of that kind? */
bool metric_applies(const struct metric *m, bool transactional);

/* Percentiles reported of transactional loads, from merged histograms. */
struct metric_percentile {
	const char *name; /* "latency_p50_ns" */
	double q;
};
extern const struct metric_percentile metric_percentile[];
extern const uint32_t metric_n_percentiles;
