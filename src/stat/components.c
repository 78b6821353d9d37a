#include "stat/components.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "stat/estimate.h"

#include <math.h>

const struct field components_fields[] = {
	FIELD_U32(struct components, n_groups, "", "instantiations with a number"),
	FIELD_U32(struct components, n, "", "numbers of all instantiations"),
	FIELD_DOUBLE(struct components, mean, "frames/s", "mean of the instantiations' means"),
	FIELD_DOUBLE(struct components, ci_low, "frames/s",
		"95 % interval of the mean, from the instantiations' means"),
	FIELD_DOUBLE(struct components, ci_high, "frames/s", "its upper end"),
	FIELD_DOUBLE(struct components, sd_within, "frames/s",
		"standard deviation of one instantiation's numbers; null: none has two"),
	FIELD_DOUBLE(struct components, sd_between, "frames/s",
		"standard deviation from one instantiation to another, without that within"),
	FIELD_DOUBLE(struct components, sd_means, "frames/s",
		"standard deviation of the instantiations' means"),
	FIELD_END,
};

/* Sums over groups. */
struct sums {
	uint32_t n_groups, n;
	double n_squared;    /* sum of n_i^2 */
	double total;        /* sum of all numbers */
	double within;       /* sum of squares about the groups' means */
	const double *mean;  /* [n_groups] */
	const double *count; /* [n_groups] */
};

/* Of one group, without what is no number. Return: how many there are. */
static uint32_t add_group(const double *x, uint32_t n, double *ret_mean, double *within)
{
	double sum = 0;
	uint32_t there = 0;

	for (uint32_t i = 0; i < n; i++)
		if (!isnan(x[i])) {
			sum += x[i];
			there++;
		}
	if (there == 0)
		return 0;
	*ret_mean = sum / there;
	for (uint32_t i = 0; i < n; i++)
		if (!isnan(x[i]))
			*within += (x[i] - *ret_mean) * (x[i] - *ret_mean);
	return there;
}

/* Expected mean squares: within s2_w; between s2_w + n0 s2_b, n0 = (N - sum n_i^2 / N)/(a - 1). */
static void estimate_components(struct components *ret, const struct sums *s)
{
	const double n = s->n, a = s->n_groups, grand = s->total / n;
	double between = 0, ms_within, ms_between, n0;

	if (s->n == s->n_groups)
		return;
	ms_within = s->within / (n - a);
	ret->sd_within = sqrt(ms_within);
	if (s->n_groups < 2)
		return;
	for (uint32_t i = 0; i < s->n_groups; i++)
		between += s->count[i] * (s->mean[i] - grand) * (s->mean[i] - grand);
	ms_between = between / (a - 1);
	n0 = (n - s->n_squared / n) / (a - 1);
	/* The estimate of a variance may come out below zero: then it is taken for zero. */
	ret->sd_between = sqrt(fmax(0, (ms_between - ms_within) / n0));
}

struct components components_of(const double *x, const uint32_t *n_of, uint32_t n_groups)
{
	_cleanup_(freep) double *mean = xcalloc(n_groups + 1, sizeof(*mean));
	_cleanup_(freep) double *count = xcalloc(n_groups + 1, sizeof(*count));
	struct components ret = {.sd_within = NAN, .sd_between = NAN};
	struct sums s = {.mean = mean, .count = count};
	struct estimate means;

	for (uint32_t i = 0; i < n_groups; x += n_of[i++]) {
		uint32_t n = add_group(x, n_of[i], &mean[s.n_groups], &s.within);

		if (n == 0)
			continue;
		count[s.n_groups] = n;
		s.total += n * mean[s.n_groups++];
		s.n += n;
		s.n_squared += (double)n * n;
	}
	means = estimate_mean(mean, s.n_groups);
	ret.n_groups = s.n_groups;
	ret.n = s.n;
	ret.mean = means.mean;
	ret.ci_low = means.ci_low;
	ret.ci_high = means.ci_high;
	ret.sd_means = means.sd;
	estimate_components(&ret, &s);
	return ret;
}
