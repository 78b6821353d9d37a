/* Serves the totals of a bill to Prometheus and its like, as they are when it asks. */
#pragma once

#include "charge/bill.h"
#include "serve/http.h"

struct metrics;

/*
 * Where totals come from: charge_total() or a test's own. Called within metrics_run() only.
 * Return: 0, or negative errno; the scraper then gets the words.
 */
typedef int metrics_bill_fn(void *ctx, struct bill *ret, struct err *e);

/* Return: as http_open(). @listen: as http_addr() reads it. */
int metrics_open(struct metrics **ret, const char *listen, metrics_bill_fn *total, void *ctx,
	struct err *e) must_check_;
void metrics_close(struct metrics *m);
DEFINE_CLEANUP(struct metrics *, metrics_close, metrics_closep)

/* As those of serve/http.h. */
int metrics_fd(const struct metrics *m);
int metrics_wait_ms(const struct metrics *m);
void metrics_run(struct metrics *m);

/* "http://127.0.0.1:9000/metrics" */
void metrics_url(const struct metrics *m, char *ret, size_t size);
