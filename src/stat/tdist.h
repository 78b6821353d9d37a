/* Student's t distribution, as far as a confidence interval needs it. */
#pragma once

#include <stdint.h>

/*
 * tdist_quantile() - t such that P(T <= t) = @p for @df degrees of freedom.
 * @p:  in (0.5, 1 - 1e-6]: nearer to 1 the double 1 - p has lost the digits promised below
 * @df: >= 1
 *
 * Absolute error below 1e-9 * max(1, t): bisection on the exact distribution function, by the
 * power series of the regularised incomplete beta function. Ref: Abramowitz & Stegun 26.5.2,
 * 26.5.4, 26.7.1.
 */
double tdist_quantile(double p, uint32_t df);
