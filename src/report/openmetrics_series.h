/* What has been said of whom: the series behind the text. See openmetrics.h. */
#pragma once

#include "report/openmetrics.h"
#include "report/openmetrics_rows.h"

/* All rows that have the same labels. */
struct series {
	char *labels; /* as they are written */
	bool process_known;
	bool alive;
	uint64_t gone_ns; /* when it was first seen to be gone; 0: it is there */
	uint32_t n_rows, n_rows_was;
	int64_t now[METRIC_VALUE_N], was[METRIC_VALUE_N]; /* sums of the rows */
	int64_t lost[METRIC_VALUE_N]; /* what rows had that the bill has forgotten */
	int64_t said[METRIC_VALUE_N]; /* what is published */
};

struct openmetrics {
	uint32_t n, room;
	struct series **item; /* [n], by labels */
	uint64_t elapsed_ns, now_ns;
	uint64_t shown_from_ns; /* those that were gone before are not shown any more */
	double conservation;
	uint32_t n_containers, n_left_out;
	uint32_t n_cpus;
	struct softirq_cpu *cpu; /* [n_cpus] */
};

/* Is it there, or gone for not too long? */
bool openmetrics_shows(const struct openmetrics *m, const struct series *s);
