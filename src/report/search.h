/*
 * Renderers of a search (stat/run.h): goals with their bounds, loads with their classification,
 * trials. Whoever searched, and on what, adds that to the document.
 */
#pragma once

#include "report/schema.h"
#include "stat/run.h"
#include "stat/sut.h"
#include "wire/doc.h"

#include <stdio.h>

/* Text. @unit: what loads count, "frames" */
void report_search_goals(const struct search_run *s, const char *unit, FILE *out);
void report_search_loads(const struct search_run *s, FILE *out);
void report_search_trials(const struct search_run *s, FILE *out);

/* The keys search (configuration), goals, mrr, loads and trials of @d. */
void json_put_search(struct doc *d, const struct search_run *s);
void schema_add_search(struct schema_object *o);

/* The document of tare search. Each returns 0, or the negative errno of a write that failed. */
int report_search_text(const struct search_run *s, const struct sut_cfg *sut, bool verbose,
	FILE *out);
int report_search_json(const struct search_run *s, const struct sut_cfg *sut, FILE *out);
int report_search_schema(FILE *out);

#define REPORT_SEARCH_SCHEMA_VERSION 1
