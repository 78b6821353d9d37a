/*
 * The totals of a bill as text for Prometheus and its like: OpenMetrics 1.0, and the older text
 * format for who does not ask for that. Remembers what it has said, so that no counter ever goes
 * back, whatever becomes of the rows behind it.
 *
 * A container is told by kind, id, name and namespace, which outlive processes and restarts; rows
 * that have the same are one series. Ref: openmetrics.io, OpenMetrics 1.0;
 * prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4
 */
#pragma once

#include "charge/bill.h"

/*
 * A container that is gone is shown for so long, so that every scraper gets its last values: one
 * that scrapes less often than Prometheus looks back (--query.lookback-delta, by default 5m) has no
 * series without holes anyway.
 */
#define OPENMETRICS_GONE_NS (300 * NSEC_PER_SEC)
/* Of those that are gone at most so many, the last ones: as many as can go at one moment. */
#define OPENMETRICS_MAX_GONE SOFTIRQ_MAX_OWNERS

enum openmetrics_form {
	OPENMETRICS_1_0,
	OPENMETRICS_TEXT_0_0_4,
	OPENMETRICS_FORM_N,
};
/* The value of the header Content-Type. */
extern const char *const openmetrics_type[OPENMETRICS_FORM_N];

struct openmetrics;

struct openmetrics *openmetrics_new(void);
void openmetrics_free(struct openmetrics *m);
DEFINE_CLEANUP(struct openmetrics *, openmetrics_free, openmetrics_freep)

/* Takes in a bill of all that happened since the start (charge_total()); its to_ns is now. */
void openmetrics_update(struct openmetrics *m, const struct bill *total);

/* The form that a request with this header Accept (NULL: none) gets. */
enum openmetrics_form openmetrics_form(const char *accept);

/* Return: the text, which the caller frees; its length in @ret_n_bytes. */
char *openmetrics_text(const struct openmetrics *m, enum openmetrics_form form, size_t *ret_n_bytes)
	must_check_;
