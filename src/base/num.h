/*
 * Numbers with units, read strictly and printed for people. "12abc", "1e3", "-1", "0x10", " 5" and
 * "" are errors, and so is a number without its unit where only the unit tells what it means.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

enum num_unit {
	NUM_COUNT,    /* plain integer: "4" */
	NUM_BYTES,    /* "1448", "64k", "1M", "2G": powers of 1024, as iperf3 and netperf read -l */
	NUM_DURATION, /* "500ms", "10s", "2m", "1h", also us, ns; result in nanoseconds */
	NUM_RATE, /* "10Gbps", "1.5Mbps", "100kbps", "9600bps": powers of 1000; bits per second */
	NUM_PERCENT, /* "5%", "0.5%"; result in parts per million */
	NUM_SHARE,   /* the same in parts per 10^9, for ratios of lost frames */
	NUM_PER_S,   /* "9001", "1.5M", "1e6": powers of 1000; frames, queries, ... per second */
	NUM_MANY,    /* the same of things that are counted: "20000", "1M" */
	NUM_UNIT_N,
};

/*
 * num_parse() - read a whole string as a number of this unit.
 * @ret: integer in the unit's base (bytes, ns, bit/s, ppm, ppb, 1/s); untouched on failure
 *
 * Decimal fractions are allowed where a suffix scales them and are exact: what does not come out
 * as an integer ("0.5" bytes) is an error, as is anything beyond 2^63 - 1 (JSON integers).
 *
 * Return: 0, -EINVAL (not such a number) or -ERANGE.
 */
int num_parse(const char *s, enum num_unit unit, uint64_t *ret, struct err *e) must_check_;

/* Prints @v so that num_parse() gives the same value back: 65536 -> "64k", 1e9 ns -> "1s". */
void num_format(uint64_t v, enum num_unit unit, char *ret, size_t size);

/* Unit of the parsed number: "", "bytes", "ns", "bit/s", "ppm", "ppb", "1/s". */
const char *num_unit_base(enum num_unit unit);
