#include "base/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct suffix {
	const char *text;
	uint64_t scale;
};

/* Largest first, so that num_format() picks the shortest exact form. */
static const struct suffix bytes_suffix[] = {{"G", 1ULL << 30}, {"M", 1ULL << 20},
	{"k", 1ULL << 10}, {"", 1}, {NULL, 0}};
static const struct suffix duration_suffix[] = {{"h", 3600 * NSEC_PER_SEC},
	{"m", 60 * NSEC_PER_SEC}, {"s", NSEC_PER_SEC}, {"ms", NSEC_PER_MSEC}, {"us", NSEC_PER_USEC},
	{"ns", 1}, {NULL, 0}};
static const struct suffix rate_suffix[] = {{"Gbps", 1000000000}, {"Mbps", 1000000}, {"kbps", 1000},
	{"bps", 1}, {NULL, 0}};
static const struct suffix percent_suffix[] = {{"%", 10000}, {NULL, 0}};
static const struct suffix share_suffix[] = {{"%", 10000000}, {NULL, 0}};
/* What stands below "" is read only: a value is printed with a letter, or without any. */
static const struct suffix metric_suffix[] = {{"G", 1000000000}, {"M", 1000000}, {"k", 1000},
	{"", 1}, {"e3", 1000}, {"e4", 10000}, {"e5", 100000}, {"e6", 1000000}, {"e7", 10000000},
	{"e8", 100000000}, {"e9", 1000000000}, {"e10", 10000000000}, {"", 1}, {NULL, 0}};
static const struct suffix count_suffix[] = {{"", 1}, {NULL, 0}};

static const struct {
	const struct suffix *suffix;
	const char *what;
	const char *base;
} unit_info[] = {
	[NUM_COUNT] = {count_suffix, "a whole number", ""},
	[NUM_BYTES] = {bytes_suffix, "a size such as 1448, 64k or 1M", "bytes"},
	[NUM_DURATION] = {duration_suffix, "a time with its unit, such as 500ms or 10s", "ns"},
	[NUM_RATE] = {rate_suffix, "a rate with its unit, such as 100Mbps or 1Gbps", "bit/s"},
	[NUM_PERCENT] = {percent_suffix, "a percentage such as 5%", "ppm"},
	[NUM_SHARE] = {share_suffix, "a percentage such as 0.5%", "ppb"},
	[NUM_PER_S] = {metric_suffix, "a rate a second such as 9001, 1.5M or 1e6", "1/s"},
	[NUM_MANY] = {metric_suffix, "a whole number such as 20000, 1.5M or 1e6", ""},
};
static_assert(ARRAY_SIZE(unit_info) == NUM_UNIT_N);

static const struct suffix *suffix_find(enum num_unit unit, const char *text)
{
	for (const struct suffix *x = unit_info[unit].suffix; x->text; x++)
		if (strcmp(x->text, text) == 0)
			return x;
	return NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads "digits[.digits]" as mantissa / divisor up to the first other character. NULL: overflow. */
static const char *read_decimal(const char *s, uint64_t *mantissa, uint64_t *divisor)
{
	bool point = false;

	*mantissa = 0;
	*divisor = 1;
	for (; is_digit(*s) || (*s == '.' && !point && is_digit(s[1])); s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		if (__builtin_mul_overflow(*mantissa, 10, mantissa) ||
			__builtin_add_overflow(*mantissa, *s - '0', mantissa))
			return NULL;
		if (point && __builtin_mul_overflow(*divisor, 10, divisor))
			return NULL;
	}
	return s;
}

int num_parse(const char *s, enum num_unit unit, uint64_t *ret, struct err *e)
{
	const struct suffix *suffix;
	uint64_t mantissa, divisor;
	unsigned __int128 v;
	const char *end;

	assert(unit < NUM_UNIT_N);
	if (!is_digit(*s))
		return err_say(e, EINVAL, "'%s' is not %s", s, unit_info[unit].what);

	end = read_decimal(s, &mantissa, &divisor);
	if (!end)
		return err_say(e, ERANGE, "'%s' is out of range", s);
	suffix = suffix_find(unit, end);
	if (!suffix)
		return err_say(e, EINVAL, "'%s' is not %s", s, unit_info[unit].what);

	v = (unsigned __int128)mantissa * suffix->scale;
	if (v % divisor)
		return err_say(e, EINVAL, "'%s' is not %s", s, unit_info[unit].what);
	v /= divisor;
	if (v > INT64_MAX)
		return err_say(e, ERANGE, "'%s' is out of range", s);

	*ret = (uint64_t)v;
	return 0;
}

static bool divides(const struct suffix *x, uint64_t v)
{
	return v % x->scale == 0 && (v > 0 || x[1].text == NULL);
}

/* @v parts of a whole as a percentage, one percent being 10^n_decimals of them. */
static void format_percent(uint64_t v, uint64_t percent, int n_decimals, char *ret, size_t size)
{
	uint64_t decimals = v % percent;

	for (; n_decimals > 0 && decimals % 10 == 0; n_decimals--)
		decimals /= 10;
	if (n_decimals > 0)
		snprintf(ret, size, "%" PRIu64 ".%0*" PRIu64 "%%", v / percent, n_decimals,
			decimals);
	else
		snprintf(ret, size, "%" PRIu64 "%%", v / percent);
}

void num_format(uint64_t v, enum num_unit unit, char *ret, size_t size)
{
	const struct suffix *x = unit_info[unit].suffix;

	if (unit == NUM_PERCENT || unit == NUM_SHARE) {
		format_percent(v, x->scale, unit == NUM_PERCENT ? 4 : 7, ret, size);
		return;
	}
	while (!divides(x, v) && x[1].text)
		x++;
	snprintf(ret, size, "%" PRIu64 "%s", v / x->scale, x->text);
}

const char *num_unit_base(enum num_unit unit)
{
	return unit_info[unit].base;
}
