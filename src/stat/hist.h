/*
 * Log-linear histogram of latencies in nanoseconds: each power of two is cut into 128 equal
 * buckets, so a value is known to within 1/128 = 0.78 % of itself; below 256 ns it is exact.
 * Count, sum, minimum and maximum are exact. Merging adds buckets, so percentiles of many threads
 * and trials come from all their samples together, never from averaged percentiles.
 *
 * Ref: bucket layout as HdrHistogram's, G. Tene; error bound derived in METHOD.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HIST_SUB_BITS  7  /* 2^7 buckets per power of two: relative error <= 2^-7 */
#define HIST_MAX_BITS  42 /* values from 2^42 ns (73 min) on share the last bucket */
#define HIST_N_BUCKETS ((HIST_MAX_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t min_ns; /* UINT64_MAX while empty */
	uint64_t max_ns;
	uint32_t bucket[HIST_N_BUCKETS]; /* samples per bucket; saturates at UINT32_MAX */
};

void hist_init(struct hist *h);

/* Index of the bucket that holds @v_ns. */
uint32_t hist_bucket(uint64_t v_ns);

/* Smallest value of bucket @i, and one past its largest. */
uint64_t hist_bucket_low_ns(uint32_t i);
uint64_t hist_bucket_end_ns(uint32_t i);

/* Adds one sample. Does not allocate, lock or call out: it runs inside the measured loop. */
void hist_add(struct hist *h, uint64_t v_ns);

/* The same @n times. */
void hist_add_n(struct hist *h, uint64_t v_ns, uint64_t n);

void hist_merge(struct hist *into, const struct hist *from);

/* Exact mean; NAN while empty. */
double hist_mean_ns(const struct hist *h);

/*
 * hist_quantile() - value at quantile @q in [0, 1], nearest-rank, as the middle of its bucket,
 *                   clamped to [min_ns, max_ns].
 *
 * Return: false, with @ret_ns untouched, when fewer than 10 samples lie beyond (rarer than) the
 * quantile on its scarcer side (q > 0.5: above; else below) or when empty.
 */
bool hist_quantile(const struct hist *h, double q, double *ret_ns);

/*
 * hist_quantile_ci() - distribution-free 95 % interval of the same quantile, from the order
 * statistics at ranks n q -+ 1.96 sqrt(n q (1 - q)). Ref: Conover, Practical Nonparametric
 * Statistics, 3rd ed., s. 3.2. Same refusal rule; assumes independent samples (METHOD.md).
 */
bool hist_quantile_ci(const struct hist *h, double q, double *ret_low_ns, double *ret_high_ns);
