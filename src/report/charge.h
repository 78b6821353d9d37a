/* Renderers of bills (charge/bill.h): text, CSV, JSON, JSON lines, and the schemas of both. */
#pragma once

#include "charge/cfg.h"
#include "guard/config.h"
#include "wire/doc.h"

#include <stdio.h>

#define CHARGE_SCHEMA_VERSION        1
#define CHARGE_STREAM_SCHEMA_VERSION 1

enum charge_sort {
	CHARGE_SORT_TOTAL,
	CHARGE_SORT_SOFTIRQ,
	CHARGE_SORT_PACKETS,
	CHARGE_SORT_GAINED,
	CHARGE_SORT_NAME,
	CHARGE_SORT_N,
};
extern const char *const charge_sort_name[CHARGE_SORT_N];

/* What a table shows of a bill, and how. */
struct charge_view {
	uint32_t sort; /* enum charge_sort; names upwards, numbers downwards */
	uint32_t top;  /* so many containers; 0: all */
	uint32_t skip; /* not the first so many of them */
	bool per_cpu;
	const struct guard_rules *who; /* only whom one of them fits; NULL: all */
	bool active;                   /* containers that had nothing are in the sum only */
	uint32_t columns; /* what does not fit into so many is left out, and said; 0: nothing is */
};

/* How many containers @v has, with those that it skips and those beyond its top. */
uint32_t report_charge_count(const struct bill *b, const struct charge_view *v);

/* A table, with the sum and what it is checked against under it. */
void report_charge_table(const struct bill *b, const struct charge_view *v, FILE *out);

/* A line over the table of an interval: when, counted from @begin_ns. @duration_ns: 0: no end */
void report_charge_head(const struct bill *b, uint64_t begin_ns, uint64_t duration_ns, FILE *out);

/* What the kernel at hand makes of the numbers, in a line or none. */
void report_charge_kernel(const struct softirq_kernel *k, FILE *out);

enum charge_event {
	CHARGE_INTERVAL,
	CHARGE_TOTAL,
	CHARGE_EVENT_N,
};
extern const char *const charge_event_name[CHARGE_EVENT_N];

/* Header; and the lines of a bill. */
void report_charge_csv_head(FILE *out);
void report_charge_csv(const struct bill *b, uint32_t event, FILE *out);

/* One line of JSON, flushed. Return: 0, or the negative errno of a write that failed. */
int report_charge_line(const struct bill *b, uint32_t event, FILE *out);

/* All of a run but its intervals. */
struct charge_run {
	struct charge_words words;
	struct softirq_kernel kernel;
	uint64_t interval_ns, duration_ns; /* as asked for */
	bool complete;                     /* not ended before its time */
	struct bill total;
};

/*
 * A document, written as the run goes on: what is known at the begin, each interval, and the rest,
 * which makes it JSON. Each returns 0, or the negative errno of a write that failed.
 */
int report_charge_json_begin(struct doc_growing *ret, const struct charge_run *run, FILE *out);
int report_charge_json_interval(struct doc_growing *g, const struct bill *b);
int report_charge_json_end(struct doc_growing *g, const struct charge_run *run);

/* The same. */
int report_charge_schema(FILE *out);
int report_charge_stream_schema(FILE *out);
