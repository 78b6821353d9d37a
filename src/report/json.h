/* One versioned document: configuration, environment, cells, and every trial behind them; and the
 * parts of it that a stream of events has too. */
#pragma once

#include "bench/result.h"
#include "wire/doc.h"

/* All members that are known before the first trial. */
void json_put_head(struct doc *d, const struct run *run);

/* Members of one trial, without its intervals; of one interval. */
void json_put_trial(struct doc *d, const struct run *run, const struct trial *t);
void json_put_interval(struct doc *d, uint32_t n, const struct interval *x);

/* NULL where stat/hist.h has none. */
struct doc *json_percentile(const char *name, const struct hist *h, double q);

struct doc *json_cells(const struct run *run);
struct doc *json_findings(const struct run *run);
