#!/usr/bin/env python3
"""The JSON document against its schema, and every name against source and man page.

usage: schema.py TARE SOURCE_ROOT
"""

import copy
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import QUICK, Tap, skip_all, strict_json, tare  # noqa: E402

try:
    import jsonschema
except ImportError:
    skip_all("python3-jsonschema is missing")

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
RUNS = [
    ["run", "--path", "veth", "--load", "rr", *QUICK],
    ["run", "--path", "bridge", "--load", "stream", "--dir", "both", "--wire-rate", "1Gbps", *QUICK],
]
# Counts of what may not happen at all in a trial; nothing can be compared with 0.
RARE = {"retransmits_per_s"}


def keys(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def same_as_committed(schema_text):
    committed = (ROOT / "docs/schema/tare-run-1.json").read_text()
    assert schema_text == committed, "run: tare doc schema > docs/schema/tare-run-1.json"


def names_in_source(run):
    source = " ".join(p.read_text() for p in (ROOT / "src").rglob("*.[ch]"))
    words = set(re.findall(r"\w+", source))
    missing = sorted(set(keys(run)) - words)
    assert not missing, missing


def names_in_man_page(run):
    page = tare(TARE, "doc", "result").replace("\\", "")
    missing = sorted(k for k in set(keys(run)) if f"*{k}*" not in page)
    assert not missing, missing


def numbers_are_whole(run):
    names = {p["name"] for p in run["paths"]}
    assert len(run["cells"]) == len(names) * len(run["loads"])
    for cell in run["cells"]:
        assert cell["metrics"], cell
        for m in cell["metrics"]:
            v = m["value"]
            if m["metric"].startswith(("softirq_", "process_")):  # of one trial more, where the meter can be had
                assert m["unit"] and v["n"] == 1 and v["ci_low"] is None, m
                continue
            assert m["unit"] and v["n"] >= 2, m
            assert v["ci_low"] <= v["mean"] <= v["ci_high"], m
            if cell["path"] == "native":
                assert m["ratio"] is None, m
            elif m["metric"] not in RARE:
                assert m["ratio"]["n"] >= 1, m
        for p in cell["percentiles"]:
            assert p["ci_low"] <= p["value"] <= p["ci_high"] and p["n"] >= 20, p
    for t in run["trials"]:
        for end in (t["near"], t["far"]):
            assert end["end_ns"] > end["begin_ns"]


def damaged(validator, run):
    """A schema that takes anything proves nothing."""

    def refused(change):
        broken = copy.deepcopy(run)
        change(broken)
        assert not validator.is_valid(broken), change

    refused(lambda r: r.pop("started"))
    refused(lambda r: r.update(extra=1))
    refused(lambda r: r["cells"][0].update(stop="bored"))
    refused(lambda r: r["cells"][0]["metrics"][0].update(unit="furlong"))
    refused(lambda r: r["cells"][0]["metrics"][0]["value"].update(n="3"))
    refused(lambda r: r["trials"][0]["near"].update(bytes_tx=-1))
    refused(lambda r: r["loads"][0]["config"].update(flows=None))


def main():
    tap = Tap()
    schema_text = tare(TARE, "doc", "schema")
    schema = strict_json(schema_text)
    validator = jsonschema.Draft202012Validator(schema)

    tap.check("the schema is one", jsonschema.Draft202012Validator.check_schema, schema)
    tap.check("the committed schema is this program's", same_as_committed, schema_text)
    for words in RUNS:
        run = strict_json(tare(TARE, *words, "--json"))
        name = " ".join(words[:5])
        tap.check(f"{name}: valid", validator.validate, run)
        tap.check(f"{name}: damaged ones are not", damaged, validator, run)
        tap.check(f"{name}: every key is a name in the source", names_in_source, run)
        tap.check(f"{name}: every key is in tare-result(5)", names_in_man_page, run)
        tap.check(f"{name}: every number has unit, n, interval", numbers_are_whole, run)
    tap.done()


main()
