#!/usr/bin/env python3
"""tare search: exact text, the document against its schema, and the rules of RFC 9971 over its log.

usage: search.py TARE SOURCE_ROOT
"""

import copy
import pathlib
import subprocess
import sys
from fractions import Fraction

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, skip_all, strict_json, tare  # noqa: E402

try:
    import jsonschema
except ImportError:
    skip_all("python3-jsonschema is missing")

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])

CSIT = """\
MLRsearch (RFC 9971), loads 9001 to 14880952
SUT: a model, no frame was sent: rate=1M
35 trials, 35.0 s of simulated time

  goal   lower bound   upper bound   conditional    apart
  NDR       999432.8     1004453.0      999432.8   0.500%   regular
  PDR      1004453.0     1009498.5      999999.0   0.500%   regular

  goal   loss   exceed   width   initial   final   sum
  NDR      0%      50%    0.5%        1s      1s   21s
  PDR    0.5%      50%    0.5%        1s      1s   21s

loads are frames/s of each interface; apart and width are (upper - lower) / upper
NDR is not RFC 2544 throughput: trials below 60 s, an exceed ratio
PDR is not RFC 2544 throughput: trials below 60 s, a loss ratio, an exceed ratio
"""
BINARY = """\
binary search (TST 009 12.3.2), loads 1k to 8k
SUT: a model, no frame was sent: rate=4500
3 trials, 180.0 s of simulated time

  goal         lower bound   upper bound   conditional     apart
  throughput        4000.0        5000.0             -   20.000%   regular

  goal         loss   exceed   width   initial   final   sum
  throughput     0%       0%       -        1m      1m    1m

loads are frames/s of each interface; apart and width are (upper - lower) / upper

  load     trials   throughput
  4000.0        1        lower
  5000.0        1        upper
  6000.0        1        upper

  trial     load   duration    tried    lost       ratio
  1       4000.0   60.000 s   240000       0   0.0000000
  2       6000.0   60.000 s   360000   90000   0.2500000
  3       5000.0   60.000 s   300000   30000   0.1000000
"""
MRR = """\
forwarding rate at maximum load (RFC 2285), loads 9001 to 2M
SUT: a model, no frame was sent: rate=1M
10 trials, 10.0 s of simulated time

  forwarded   1000000.0 frames/s, mean of 10
  deviation   0.0
"""

# Each as words, and what its goals come to.
SEARCHES = [
    ([], ["found", "found"]),
    (["--sut", "model:rate=1e6,noise-every=3,overhead=500ms", "--goals", "ndr;pdr;loss=0.1%,exceed=20%"],
     ["found", "found", "min-load"]),
    (["--sut", "model:rate=1e6,inversion=990k", "--goals", "ndr/ndr,name=NDR1,width=1%"], ["found", "found"]),
    (["--sut", "model:rate=1e6,noise-chance=90%"], ["min-load", "min-load"]),
    (["--sut", "model:rate=20M"], ["max-load", "max-load"]),
    (["--sut", "model:rate=9000"], ["min-load", "found"]),
    (["--goals", "rfc2544;ndr", "--time-max", "100s"], ["time-max", "found"]),
    (["--sut", "model:slope=1%", "--goals", "pdr,final=2s,initial=500ms,sum=10s,exceed=33.3333333%"], ["found"]),
    (["--search", "binary", "--max-load", "2M"], ["found"]),
    (["--search", "binary-lv", "--max-load", "2M", "--sut", "model:noise-chance=20%"], ["found"]),
    (["--search", "mrr"], []),
]


def exact(words, wanted):
    got = tare(TARE, "search", *words)
    assert got == wanted, got


def classify(trials, goal):
    """RFC 9971 appendix A in fractions, from the trials at a load."""
    e = Fraction(goal["exceed_ppb"], 10**9)
    total = {(full, bad): 0 for full in (True, False) for bad in (True, False)}
    for t in trials:
        bad = t["tried"] > 0 and Fraction(t["lost"], t["tried"]) > Fraction(goal["loss_ppb"], 10**9)
        total[t["duration_ns"] >= goal["final_ns"], bad] += t["effective_ns"]
    excess = max(0, total[False, True] - total[False, False] * e / (1 - e))
    bad = total[True, True] + excess
    whole = max(total[True, False] + bad, goal["sum_ns"])
    passes = {bad <= e * whole, whole - total[True, False] <= e * whole}
    return "undecided" if len(passes) > 1 else "lower" if passes.pop() else "upper"


def by_the_rules(run):
    """Every load's class and every goal's bounds follow from the trials."""
    assert run["effective_ns"] == sum(t["effective_ns"] for t in run["trials"])
    for i, goal in enumerate(run["goals"]):
        classes = {}
        for x in run["loads"]:
            trials = [t for t in run["trials"] if t["load"] == x["load"]]
            classes[x["load"]] = classify(trials, goal["config"])
            assert classes[x["load"]] == x["classes"][i], x
        upper = min((x for x, c in classes.items() if c == "upper"), default=None)
        lower = max((x for x, c in classes.items() if c == "lower" and (upper is None or x < upper)), default=None)
        assert (goal["lower"], goal["upper"]) == (lower, upper), goal
        if goal["regular"] and goal["config"]["width_ppb"]:
            assert (upper - lower) / upper <= goal["config"]["width_ppb"] / 1e9, goal
        assert goal["regular"] == (goal["end"] == "found"), goal


def one_search(validator, words, ends):
    text = tare(TARE, "search", *words, "--json")
    run = strict_json(text)
    validator.validate(run)
    assert [g["end"] for g in run["goals"]] == ends, run["goals"]
    by_the_rules(run)
    assert tare(TARE, "search", *words, "--json") == text, "not the same again"
    done = subprocess.run([TARE, "search", *words, "--fail-irregular"], capture_output=True, check=False)
    assert done.returncode == (0 if set(ends) <= {"found"} else 1), done


def same_as_committed(schema_text):
    committed = (ROOT / "docs/schema/tare-search-1.json").read_text()
    assert schema_text == committed, "run: tare doc search-schema > docs/schema/tare-search-1.json"


def damaged(validator):
    """A schema that takes anything proves nothing."""
    run = strict_json(tare(TARE, "search", "--json"))

    def refused(change):
        broken = copy.deepcopy(run)
        change(broken)
        assert not validator.is_valid(broken), change

    refused(lambda r: r.pop("sut"))
    refused(lambda r: r.update(extra=1))
    refused(lambda r: r["goals"][0].update(end="bored"))
    refused(lambda r: r["goals"][0]["config"].update(loss_ppb="0%"))
    refused(lambda r: r["loads"][0].update(classes=["good"]))
    refused(lambda r: r["trials"][0].update(lost=-1))


def irregular_text():
    text = tare(TARE, "search", "--sut", "model:noise-chance=90%", "--goals", "ndr;pdr", "--max-load", "100k")
    assert text.count("irregular: min load fails") == 2, text
    text = tare(TARE, "search", "--sut", "model:rate=20M", "--goals", "ndr")
    assert "irregular: max load passes" in text, text
    text = tare(TARE, "search", "--time-max", "5s")
    assert text.count("irregular: out of time") == 2, text


def main():
    tap = Tap()
    schema_text = tare(TARE, "doc", "search-schema")
    schema = strict_json(schema_text)
    validator = jsonschema.Draft202012Validator(schema)

    tap.check("CSIT's goals, to the letter", exact, [], CSIT)
    tap.check("a binary search, to the letter", exact,
              ["--sut", "model:rate=4500", "--search", "binary", "--min-load", "1k", "--max-load", "8k", "--step", "1k",
               "--duration", "60s", "-v"], BINARY)
    tap.check("MRR, to the letter", exact, ["--search", "mrr", "--max-load", "2M"], MRR)
    tap.check("irregular results say why", irregular_text)
    tap.check("the schema is one", jsonschema.Draft202012Validator.check_schema, schema)
    tap.check("the committed schema is this program's", same_as_committed, schema_text)
    tap.check("damaged documents are refused", damaged, validator)
    for words, ends in SEARCHES:
        tap.check(f"search {' '.join(words)}", one_search, validator, words, ends)
    tap.done()


main()
