/*
 * What repeated measurements say about one number: mean, median, spread and a 95 % confidence
 * interval by Student's t; and the ratio of two numbers measured in pairs.
 */
#pragma once

#include <stdint.h>

#define ESTIMATE_LEVEL 0.95

struct estimate {
	uint32_t n;
	double mean;
	double median;
	double sd;     /* sample standard deviation (n - 1); NAN below two samples */
	double ci_low; /* 95 % interval of the mean; NAN below two samples */
	double ci_high;
};

/* @x: [n], finite. Two-pass variance: no cancellation. With n = 0 every double is NAN. */
struct estimate estimate_mean(const double *x, uint32_t n);

/*
 * estimate_ratio() - a/b from pairs measured close together in time, so that drift cancels.
 * @a, @b: [n], finite and > 0; a[i] and b[i] are one pair
 *
 * The pairs' log ratios are averaged: mean and interval are exp() of the mean log ratio and its t
 * interval (geometric mean; ratio and inverse ratio give inverse answers). median is the median
 * ratio, sd the sample standard deviation of the ratios.
 */
struct estimate estimate_ratio(const double *a, const double *b, uint32_t n);

/* Half of the interval's width relative to the mean: 0.05 = +-5 %. INFINITY below two samples. */
double estimate_half_width(const struct estimate *x);
