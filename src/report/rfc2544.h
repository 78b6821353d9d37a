/* Renderers of a campaign of tare rfc2544. */
#pragma once

#include "method/rfc2544.h"

#include <stdio.h>

/* Each returns 0, or the negative errno of a write that failed. */
int report_rfc2544_text(const struct rfc *c, FILE *out);
int report_rfc2544_json(const struct rfc *c, FILE *out);
int report_rfc2544_csv(const struct rfc *c, FILE *out);

/* Data files and a script for gnuplot in the folder @dir, which is made. */
int report_rfc2544_plot(const struct rfc *c, const char *dir, struct err *e);

/* How long it is going to take, by tests: before it begins. */
void report_rfc2544_estimate(const struct rfc *c, FILE *out);

/* A rfc_hooks progress function; @ctx is a struct progress. */
void report_rfc2544_progress(void *ctx, const struct rfc_progress *p);

/* JSON Schema of report_rfc2544_json()'s document. */
int report_rfc2544_schema(FILE *out);

#define REPORT_RFC2544_SCHEMA_VERSION 1

/* The test's heading: its RFC's name only where the numbers may have it. */
const char *report_rfc2544_title(const struct rfc *c, uint32_t test);
