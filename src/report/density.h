/* Renderers of tare density's matrix. */
#pragma once

#include "method/density.h"

#include <stdio.h>

/* Each returns 0, or the negative errno of a write that failed. */
int report_density_text(const struct density *d, FILE *out);
int report_density_json(const struct density *d, FILE *out);

/* How long it is going to take, before it begins. */
void report_density_estimate(const struct density *d, FILE *out);

/* A density_hooks progress function; @ctx is a struct progress. */
void report_density_progress(void *ctx, const struct density_progress *p);

/* JSON Schema of report_density_json()'s document. */
int report_density_schema(FILE *out);

#define REPORT_DENSITY_SCHEMA_VERSION 1

/* Goals of the search, each of which has a matrix of its own: 1 for MRR. */
uint32_t report_density_goals(const struct density *d);
const char *report_density_goal(const struct density *d, uint32_t row);

/* Cores that a function has, at most one: its share of what all have together. */
double report_density_nf_cores(const struct density *d, uint32_t instances, uint32_t nfs);
