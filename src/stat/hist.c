#include "stat/hist.h"

#include "base/macro.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define SUB_BUCKETS (1U << HIST_SUB_BITS)
#define MAX_NS      ((1ULL << HIST_MAX_BITS) - 1)

/* Fewer samples beyond a quantile and it is one of them rather than an estimate: see hist.h. */
#define MIN_BEYOND 10

/* Two-sided 95 % point of the normal distribution. Ref: Conover, as in hist.h */
#define Z_95 1.96

void hist_init(struct hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min_ns = UINT64_MAX;
}

uint32_t hist_bucket(uint64_t v_ns)
{
	const uint64_t v = MIN(v_ns, MAX_NS);
	const uint32_t shift = 63 - HIST_SUB_BITS - (uint32_t)__builtin_clzll(v | SUB_BUCKETS);

	/* v >> shift is in 128..255 from the second row on: its 128 is the step to that row */
	return (shift << HIST_SUB_BITS) + (uint32_t)(v >> shift);
}

/* log2 of the width of bucket @i: the first two rows hold one value per bucket. */
static uint32_t bucket_shift(uint32_t i)
{
	assert(i < HIST_N_BUCKETS);
	return i < SUB_BUCKETS ? 0 : (i >> HIST_SUB_BITS) - 1;
}

uint64_t hist_bucket_low_ns(uint32_t i)
{
	const uint32_t shift = bucket_shift(i);

	return (uint64_t)(i - (shift << HIST_SUB_BITS)) << shift;
}

uint64_t hist_bucket_end_ns(uint32_t i)
{
	if (i == HIST_N_BUCKETS - 1)
		return UINT64_MAX;
	return hist_bucket_low_ns(i) + (1ULL << bucket_shift(i));
}

void hist_add(struct hist *h, uint64_t v_ns)
{
	uint32_t *bucket = &h->bucket[hist_bucket(v_ns)];

	*bucket += *bucket != UINT32_MAX;
	h->count++;
	h->sum_ns += v_ns;
	h->min_ns = MIN(h->min_ns, v_ns);
	h->max_ns = MAX(h->max_ns, v_ns);
}

void hist_add_n(struct hist *h, uint64_t v_ns, uint64_t n)
{
	uint32_t *bucket = &h->bucket[hist_bucket(v_ns)];

	if (n == 0)
		return;
	*bucket = (uint32_t)MIN(*bucket + n, (uint64_t)UINT32_MAX);
	h->count += n;
	h->sum_ns += v_ns * n;
	h->min_ns = MIN(h->min_ns, v_ns);
	h->max_ns = MAX(h->max_ns, v_ns);
}

void hist_merge(struct hist *into, const struct hist *from)
{
	for (uint32_t i = 0; i < HIST_N_BUCKETS; i++)
		if (__builtin_add_overflow(into->bucket[i], from->bucket[i], &into->bucket[i]))
			into->bucket[i] = UINT32_MAX;
	into->count += from->count;
	into->sum_ns += from->sum_ns;
	into->min_ns = MIN(into->min_ns, from->min_ns);
	into->max_ns = MAX(into->max_ns, from->max_ns);
}

double hist_mean_ns(const struct hist *h)
{
	return h->count ? (double)h->sum_ns / (double)h->count : NAN;
}

/* @x rounded up to a rank in 1..count; 0.07 * 100 is 7 + 1 ulp, yet its rank 7: so the factor. */
static uint64_t rank_of(const struct hist *h, double x)
{
	const double rank = ceil(x * (1 - 4 * DBL_EPSILON));

	return (uint64_t)MIN(MAX(rank, 1.0), (double)h->count);
}

static bool is_known(const struct hist *h, double q)
{
	const uint64_t rank = rank_of(h, q * (double)h->count);

	assert(q >= 0 && q <= 1);
	return h->count > MIN_BEYOND && (q > 0.5 ? h->count - rank : rank - 1) >= MIN_BEYOND;
}

/* The bucket of the sample of this rank; the last one should buckets have saturated. */
static uint32_t bucket_at(const struct hist *h, uint64_t rank)
{
	uint64_t seen = h->bucket[0];
	uint32_t i = 0;

	while (seen < rank && i < HIST_N_BUCKETS - 1)
		seen += h->bucket[++i];
	return i;
}

bool hist_quantile(const struct hist *h, double q, double *ret_ns)
{
	uint32_t i;
	double mid;

	if (!is_known(h, q))
		return false;
	i = bucket_at(h, rank_of(h, q * (double)h->count));
	mid = ((double)hist_bucket_low_ns(i) + (double)(hist_bucket_end_ns(i) - 1)) / 2;
	*ret_ns = MIN(MAX(mid, (double)h->min_ns), (double)h->max_ns);
	return true;
}

bool hist_quantile_ci(const struct hist *h, double q, double *ret_low_ns, double *ret_high_ns)
{
	const double centre = q * (double)h->count;
	const double half = Z_95 * sqrt(centre * (1 - q));
	uint64_t low, last;

	if (!is_known(h, q))
		return false;
	/* Outer edges of the two buckets: the interval then covers their width as well. */
	low = hist_bucket_low_ns(bucket_at(h, rank_of(h, centre - half)));
	last = hist_bucket_end_ns(bucket_at(h, rank_of(h, centre + half))) - 1;
	*ret_low_ns = (double)MAX(low, h->min_ns);
	*ret_high_ns = (double)MIN(last, h->max_ns);
	return true;
}
