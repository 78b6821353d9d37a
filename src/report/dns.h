/* Renderers of a DNS test. */
#pragma once

#include "dns/run.h"

#include <stdio.h>

#define DNS_SCHEMA_VERSION 1

/* Each returns 0, or the negative errno of a write that failed. */
int report_dns_text(const struct dns_run *run, FILE *out);
int report_dns_json(const struct dns_run *run, FILE *out);

/* JSON Schema of report_dns_json()'s document. */
int report_dns_schema(FILE *out);

/* One line each as it happens: of an interval, and of a search's trial. @ctx: FILE */
void report_dns_interval(void *ctx, const struct dns_interval *x);
void report_dns_trial(void *ctx, const struct dns_run *run);

/* Latencies that are told. */
struct dns_percentile {
	const char *name;
	double q;
};
extern const struct dns_percentile dns_percentile[];
extern const uint32_t dns_n_percentiles;
