#include "stat/estimate.h"

#include "base/cleanup.h"
#include "base/macro.h"
#include "base/mem.h"
#include "stat/tdist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double mean(const double *x, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		assert(isfinite(x[i]));
		sum += x[i];
	}
	return sum / n;
}

/* Two-pass algorithm. Ref: Chan, Golub & LeVeque, The American Statistician 37 (1983) 242 */
static double sample_sd(const double *x, uint32_t n, double about)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (x[i] - about) * (x[i] - about);
	return sqrt(sum / (n - 1));
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *x, uint32_t n)
{
	_cleanup_(freep) double *sorted = xcalloc(n, sizeof(*sorted));

	memcpy(sorted, x, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

struct estimate estimate_mean(const double *x, uint32_t n)
{
	struct estimate e = {n, NAN, NAN, NAN, NAN, NAN};
	double half;

	if (n == 0)
		return e;
	e.mean = mean(x, n);
	e.median = median(x, n);
	if (n == 1)
		return e;
	e.sd = sample_sd(x, n, e.mean);
	half = tdist_quantile((1 + ESTIMATE_LEVEL) / 2, n - 1) * e.sd / sqrt(n);
	e.ci_low = e.mean - half;
	e.ci_high = e.mean + half;
	return e;
}

struct estimate estimate_ratio(const double *a, const double *b, uint32_t n)
{
	_cleanup_(freep) double *ratio = xcalloc(n, sizeof(*ratio));
	_cleanup_(freep) double *logs = xcalloc(n, sizeof(*logs));
	struct estimate e, log_e;

	for (uint32_t i = 0; i < n; i++) {
		assert(a[i] > 0 && b[i] > 0);
		ratio[i] = a[i] / b[i];
		logs[i] = log(ratio[i]);
	}
	e = estimate_mean(ratio, n);
	log_e = estimate_mean(logs, n);
	e.mean = exp(log_e.mean);
	e.ci_low = exp(log_e.ci_low);
	e.ci_high = exp(log_e.ci_high);
	return e;
}

double estimate_half_width(const struct estimate *x)
{
	const double half = (x->ci_high - x->ci_low) / 2;

	if (x->n < 2)
		return INFINITY;
	return half == 0 ? 0 : half / fabs(x->mean); /* equal samples, all 0 too: nothing is open */
}
