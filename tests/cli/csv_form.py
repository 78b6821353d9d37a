#!/usr/bin/env python3
"""The CSV report: header, columns, and the same numbers as a table of cells has.

usage: csv_form.py TARE
"""

import csv
import io
import math
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import QUICK, Tap, tare  # noqa: E402

HEADER = (
    "path load metric unit n mean median sd ci_low ci_high ratio ratio_ci_low ratio_ci_high"
    " ceiling stop status"
).split()
LISTED = "bridge:mtu=1400,wire-rate=1Gbps"  # a name with commas

def rectangular(rows):
    assert rows[0] == HEADER, rows[0]
    assert len(rows) > 8
    for row in rows:
        assert len(row) == len(HEADER), row


def is_there(rows, path):
    assert {row[0] for row in rows[1:]} == {"native", path}, rows


def numbers(rows):
    for row in (dict(zip(HEADER, r)) for r in rows[1:]):
        percentile = re.search(r"_p\d+_ns$", row["metric"])
        middle = float(row["median"] if percentile else row["mean"])
        if row["metric"].startswith(("softirq_", "process_")):  # of one trial more, where the meter can be had
            assert row["n"] == "1" and math.isfinite(middle) and not row["ci_low"], row
            continue
        assert int(row["n"]) >= 2, row
        assert float(row["ci_low"]) <= middle <= float(row["ci_high"]), row
        # Retransmits may be none on either path: then there is nothing to divide.
        if row["metric"] != "retransmits_per_s":
            assert bool(row["ratio"]) == (row["path"] != "native" and not percentile), row


def main():
    tap = Tap()
    for path, load in (("bridge", "stream:dir=tx"), (LISTED, "rr:proto=udp")):
        text = tare(sys.argv[1], "run", "--path", path, "--load", load, "--csv", *QUICK)
        rows = list(csv.reader(io.StringIO(text)))
        tap.check(f"{load}: the path's name", is_there, rows, path)
        tap.check(f"{load}: header and columns", rectangular, rows)
        tap.check(f"{load}: numbers, intervals, ratios", numbers, rows)
    tap.done()


main()
