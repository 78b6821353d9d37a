#!/usr/bin/python3
"""Prints values.h: what the tests of stat/ expect, computed outside C.

Needs scipy; run by hand: ./values.py | clang-format > values.h. The tests only read the header.
Means and variances are exact fractions; ranks are counted on the sorted samples themselves.
"""
import bisect
import math
import statistics
from fractions import Fraction

from scipy import special, stats

NAN = float("nan")


def c(x):
    return "NAN" if math.isnan(x) else repr(float(x))


def table(declaration, rows):
    print(f"\nstatic const {declaration} = {{")
    for row in rows:
        print("\t{" + ", ".join(row) + "},")
    print("};")


# Student's t -------------------------------------------------------------------------------------


def t_quantile(p, df):
    if df > 10**5:  # Abramowitz & Stegun 26.7.5; what it leaves out is far below 1e-15 here
        z = stats.norm.ppf(p)
        return z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    t = stats.t.ppf(p, df)
    for _ in range(4):  # scipy's own answer is good to 1e-8 only; Newton on its exact tail
        t += (special.betainc(df / 2, 0.5, df / (df + t * t)) / 2 - (1 - p)) / stats.t.pdf(t, df)
    return t


T_DF = [1, 2, 3, 4, 5, 9, 10, 19, 29, 30, 39, 99, 100, 127, 128, 129, 1000, 10**6, 10**9, 2**32 - 1]
T_P = [0.6, 0.75, 0.95, 0.975, 0.995, 0.9999, 0.999999]

# Estimates ---------------------------------------------------------------------------------------

SAMPLES = {
    "none": [],
    "one": [42.5],
    "two": [1.0, 4.0],
    "unsorted": [9.0, 1.0, 8.0, 2.0, 7.0],
    "equal": [3.0] * 6,
    "zero": [0.0] * 4,
    "negative": [-3.0, -1.0, -2.0, -8.0],
    "ill": [1e9 + 1, 1e9 + 2, 1e9 + 3],
    "worse": [1e9 + 0.1, 1e9 + 0.2, 1e9 + 0.4, 1e9 + 0.8],
    "scales": [1e-9, 1.0, 1e9],
    "rates": [9412837112.0, 9398211923.0, 9401128374.0, 9420011821.0, 9387712341.0, 9411120034.0,
              9405512001.0, 9399910002.0, 9415500077.0, 9402213411.0],
    "many": [float(i * i % 1009) for i in range(200)],
}
PAIRS = {
    "none": ([], []),
    "one": ([3.0], [2.0]),
    "same": ([5.0, 7.0, 9.0], [5.0, 7.0, 9.0]),
    "double": ([2.0, 4.0, 80.0], [1.0, 2.0, 40.0]),
    "drift": ([10.0, 21.0, 29.0, 41.0], [11.0, 20.0, 31.0, 40.0]),
    "rates": ([9.41e9, 9.38e9, 9.44e9, 9.40e9, 9.39e9], [3.31e9, 3.29e9, 3.35e9, 3.30e9, 3.28e9]),
    "small": ([1e-6, 3e-6, 2e-6], [1e6, 2e6, 4e6]),
}


def estimate(xs):
    """n, mean, median, sd, ci_low, ci_high of the doubles as they are, without rounding before."""
    n = len(xs)
    if n == 0:
        return 0, NAN, NAN, NAN, NAN, NAN
    exact = [Fraction(x) for x in xs]
    mean = sum(exact) / n
    median = float(statistics.median(exact))
    if n == 1:
        return 1, float(mean), median, NAN, NAN, NAN
    sd = math.sqrt(sum((x - mean) ** 2 for x in exact) / (n - 1))
    half = Fraction(t_quantile(0.975, n - 1) * sd / math.sqrt(n))
    return n, float(mean), median, sd, float(mean - half), float(mean + half)


def estimate_ratio(a, b):
    n, _, median, sd, _, _ = estimate([x / y for x, y in zip(a, b)])
    _, mean, _, _, low, high = estimate([math.log(x / y) for x, y in zip(a, b)])
    return n, math.exp(mean), median, sd, math.exp(low), math.exp(high)


def array(name, xs):
    print(f"static const double {name}[] = {{{', '.join(map(c, xs or [0.0]))}}};")


# Histogram ---------------------------------------------------------------------------------------


def samples(seed, n, bits, spread):
    """As fill() in hist.c: Knuth's MMIX generator; @bits of it, shifted left by 0..@spread - 1."""
    state = seed
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> (64 - bits)) << ((state >> 32) % spread)


def quantile(xs, q):
    """known, exact, ci_low, ci_high: nearest rank, q as the decimal it is written as."""
    n, q = len(xs), Fraction(q)
    rank = max(1, math.ceil(n * q))
    if min(n - rank if 2 * q > 1 else rank - 1, n) < 10:
        return False, 0, 0, 0
    half = 1.96 * math.sqrt(n * q * (1 - q))
    low = min(max(math.ceil(float(n * q) - half), 1), n)
    high = min(max(math.ceil(float(n * q) + half), 1), n)
    return True, xs[rank - 1], xs[low - 1], xs[high - 1]


SETS = [(1, 10007, 16, 20), (2, 100000, 16, 8), (3, 5000, 8, 1), (4, 1000, 20, 1), (5, 100, 7, 1),
        (6, 22, 30, 12), (7, 21, 16, 1), (8, 20, 16, 1), (9, 10, 16, 1), (10, 1, 16, 1),
        (11, 1001, 12, 1), (12, 200, 30, 1)]
Q = ["0", "0.01", "0.05", "0.07", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95", "0.99", "0.999",
     "0.9999", "1"]

EDGES = list(range(256)) + [2**p + k * 2**p // 128 for p in range(8, 42) for k in range(128)]
PROBES = sorted({0, 1, 127, 128, 129, 255, 256, 257, 258, 1000, 1448, 65535, 10**6, 10**9,
                 6 * 10**10, 2**42 - 1, 2**42, 2**63, 2**64 - 1}
                | {2**p + d for p in range(8, 42, 3) for d in (-1, 0, 1)})


def main():
    print("/* Printed by values.py: do not edit. */")
    print('#pragma once\n\n#include "stat/estimate.h"\n')
    print("#include <math.h>\n#include <stdbool.h>\n#include <stdint.h>")

    table("struct {\n\tdouble p;\n\tuint32_t df;\n\tdouble t;\n} t_values[]",
          ([c(p), f"{df}U", c(t_quantile(p, df))] for p in T_P for df in T_DF))

    print()
    for name, xs in SAMPLES.items():
        array(f"x_{name}", xs)
    table("struct {\n\tconst double *x;\n\tstruct estimate e;\n} mean_values[]",
          ([f"x_{name}", "{" + str(len(xs)) + ", " + ", ".join(map(c, estimate(xs)[1:])) + "}"]
           for name, xs in SAMPLES.items()))

    print()
    for name, (a, b) in PAIRS.items():
        array(f"a_{name}", a)
        array(f"b_{name}", b)
    table("struct {\n\tconst double *a, *b;\n\tstruct estimate e;\n} ratio_values[]",
          ([f"a_{name}", f"b_{name}",
            "{" + str(len(a)) + ", " + ", ".join(map(c, estimate_ratio(a, b)[1:])) + "}"]
           for name, (a, b) in PAIRS.items()))

    table("struct {\n\tuint64_t v_ns;\n\tuint32_t bucket;\n} bucket_values[]",
          ([f"{v}ULL", str(bisect.bisect_right(EDGES, v) - 1)] for v in PROBES))

    sets = [sorted(samples(*s)) for s in SETS]
    table("struct {\n\tuint64_t seed;\n\tuint32_t n, bits, spread;\n"
          "\tuint64_t sum_ns, min_ns, max_ns;\n} set_values[]",
          ([*map(str, s), str(sum(xs)), str(xs[0]), str(xs[-1])] for s, xs in zip(SETS, sets)))
    table("struct {\n\tuint32_t set; /* index in set_values */\n\tdouble q;\n\tbool known;\n"
          "\tuint64_t ns, low_ns, high_ns;\n} quantile_values[]",
          ([str(i), q, str(known).lower(), *map(str, ns)]
           for i, xs in enumerate(sets) for q in Q for known, *ns in [quantile(xs, q)]))


main()
