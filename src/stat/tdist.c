#include "stat/tdist.h"

#include "base/macro.h"

#include <math.h>

/*
 * Gamma(a + 1/2) / Gamma(a). From 64 on the first term left out, 17 / (14336 a^7), is below 1e-15:
 * as exact as a double, because a tail of 1e-6 taken from 1 makes the error 1e6 times larger.
 */
static double gamma_ratio(double a)
{
	double scale = 1;

	/* Ref: Abramowitz & Stegun 6.1.15, Gamma(z + 1) = z Gamma(z) */
	for (; a < 64; a++)
		scale *= a / (a + 0.5);
	/* Ref: logarithm of Abramowitz & Stegun 6.1.47 with a = 1/2, b = 0, and z our a */
	return scale * sqrt(a) * exp(-1 / (8 * a) + 1 / (192 * pow(a, 3)) - 1 / (640 * pow(a, 5)));
}

/*
 * I_x(a, b) = x^a (1 - x)^b / (a B(a, b)) * the sum returned. Its terms are positive, so nothing
 * cancels. Ref: Abramowitz & Stegun 26.5.4
 */
static double beta_series(double a, double b, double x)
{
	double term = 1, sum = 1;

	for (uint32_t k = 0; term > 1e-17 * sum; k++) {
		term *= (a + b + k) / (a + 1 + k) * x;
		sum += term;
	}
	return sum;
}

/* P(T > t) = I_x(df/2, 1/2) / 2 with x = df / (df + t^2). Ref: Abramowitz & Stegun 26.7.1 */
static double upper_tail(double t, double df)
{
	const double a = df / 2;
	const double b = 0.5;
	const double x = df / (df + t * t);
	const double y = t * t / (df + t * t); /* 1 - x without cancellation */
	/* x^a y^b / B(a, b), where B(a, 1/2) = sqrt(pi) / gamma_ratio(a) */
	const double front = exp(-a * log1p(t * t / df)) * sqrt(y / M_PI) * gamma_ratio(a);

	if (x < 0.5)
		return front / a * beta_series(a, b, x) / 2;
	/* Ref: Abramowitz & Stegun 26.5.2, I_x(a, b) = 1 - I_y(b, a) */
	return (1 - front / b * beta_series(b, a, y)) / 2;
}

double tdist_quantile(double p, uint32_t df)
{
	double low = 0, high = 1;

	assert(p > 0.5 && p < 1 && df >= 1);
	while (upper_tail(high, df) > 1 - p)
		high *= 2;
	while (high - low > 1e-12 * MAX(high, 1.0)) {
		const double mid = (low + high) / 2;

		if (upper_tail(mid, df) > 1 - p)
			low = mid;
		else
			high = mid;
	}
	return (low + high) / 2;
}
