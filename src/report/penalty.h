/* Renderers of tare penalty. */
#pragma once

#include "method/penalty.h"

#include <stdio.h>

/* Each returns 0, or the negative errno of a write that failed. @verbose: each trial, too */
int report_penalty_text(const struct penalty *p, bool verbose, FILE *out);
int report_penalty_json(const struct penalty *p, FILE *out);
int report_penalty_csv(const struct penalty *p, FILE *out);

/* How long it is going to take, before it begins. */
void report_penalty_estimate(const struct penalty *p, FILE *out);

/* A penalty_hooks progress function; @ctx is a struct progress. */
void report_penalty_progress(void *ctx, const struct penalty_progress *p);

/* JSON Schema of report_penalty_json()'s document. */
int report_penalty_schema(FILE *out);

#define REPORT_PENALTY_SCHEMA_VERSION 1

/* All cells, in the order of rows of shares, kinds and guards. */
typedef void report_penalty_fn(void *ctx, const struct penalty_cell *c);
void report_penalty_cells(const struct penalty *p, report_penalty_fn *fn, void *ctx);
