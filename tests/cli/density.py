#!/usr/bin/env python3
"""tare density on real labs with tiny times: every frame is accounted for, marks, going on, documents.

usage: density.py TARE SOURCE_ROOT
"""

import copy
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, skip_all, strict_json  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
TINY = ["--profile", "quick", "--trial-time", "10ms", "--trials", "2", "--drain", "5ms", "--max-rate", "4k",
        "--size", "imix", "--quiet"]
SMALL = ["--instances", "1,2", "--nfs", "1,2"]


def run(*words, status=0):
    done = subprocess.run([TARE, "density", *TINY, *words], capture_output=True, text=True, check=False)
    assert done.returncode == status, (done.returncode, done.stderr)
    return done.stdout


def cells(doc):
    return {(x["topology"], c["instances"], c["nfs"]): c for x in doc["matrices"] for c in x["cells"]}


def matrix(doc):
    assert doc["complete"] and "modified" in doc["label"] and doc["max_fps"] <= 4000, doc["label"]
    there = cells(doc)
    assert set(there) == {(t, m, n) for t in ("chain", "pipeline") for m in (1, 2) for n in (1, 2)}, there
    for (topology, m, n), c in there.items():
        chain = topology == "chain"
        assert (c["functions"], c["crossings"], c["ports"]) == (
            m * n, n + 1 if chain else 2, 2 * m * (n if chain else 1)), c
        assert c["mark"] in ("", ">=", "*") and c["n"] == 1 and 0 < c["fps"] <= doc["max_fps"] * 1.001, c
        assert c["nf_cores"] == 1 / (m * n), c
    for u in doc["results"]:
        assert u["status"] in ("ok", "max-load") and u["n_trials"] == 2 and u["corrupt"] == u["duplicated"] == 0, u
        tried = [w["tried"] for w in u["by_instance"]]
        assert len(tried) == u["instances"] and max(tried) - min(tried) <= u["n_trials"], u
        assert sum(tried) == 2 * round(doc["max_fps"] * 0.01), u
        assert all(w["lost"] <= w["tried"] for w in u["by_instance"]), u
    assert [r["name"] for r in doc["relations"]] == ["D1", "D2", "D3"], doc["relations"]
    assert all(r["verdict"] != "not testable" for r in doc["relations"]), doc["relations"]


def going_on(doc, path):
    """What is in the file is not measured again; half a line is."""
    text = path.read_bytes()
    assert text.count(b"\n") == 1 + len(doc["results"]) and text.endswith(b"\n")
    path.write_bytes(text[:-10])
    again = strict_json(run(*SMALL, "--json", "--resume", str(path)))
    assert again["results"][:-1] == doc["results"][:-1] and len(again["results"]) == len(doc["results"])
    assert again["started"] == doc["started"] and again["max_fps"] == doc["max_fps"]
    done = subprocess.run([TARE, "density", *TINY, *SMALL, "--nf", "tc", "--resume", str(path)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and 'nf is ["route"] there, and ["tc"] here' in done.stderr, done


def impossible():
    out = run("--topology", "chain", "--nf", "bridge", "--instances", "1,2", "--nfs", "1")
    rows = [line.split() for line in out.split("\n") if line.startswith(("  1 ", "  2 "))]
    assert rows[0][1] != "---" and rows[1] == ["2", "---"], out
    assert "M=2 N=1: path 'chain': bridges beside each other" in out, out
    assert "D1 not testable: " in out and "D2 not testable: " in out and "D3 not testable: " in out, out


def schema(doc):
    out = subprocess.run([TARE, "doc", "density-schema"], capture_output=True, text=True, check=True).stdout
    committed = (ROOT / "docs/schema/tare-density-1.json").read_text()
    assert out == committed, "run: tare doc density-schema > docs/schema/tare-density-1.json"
    if not jsonschema:
        return
    validator = jsonschema.Draft202012Validator(strict_json(out))
    validator.check_schema(strict_json(out))
    validator.validate(doc)
    for change in (lambda d: d.pop("label"), lambda d: d.update(extra=1),
                   lambda d: d["matrices"][0]["cells"][0].update(mark="?"),
                   lambda d: d["results"][0]["by_instance"][0].pop("lost"),
                   lambda d: d["relations"][0].update(verdict="perhaps")):
        broken = copy.deepcopy(doc)
        change(broken)
        assert not validator.is_valid(broken), change


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "density.jsonl"
        words = [TARE, "density", *TINY, *SMALL, "--json", "--resume", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 3:
            skip_all(done.stderr.strip())
        tap = Tap()
        assert done.returncode == 0, done.stderr
        doc = strict_json(done.stdout)
        tap.check("a matrix, with every frame accounted for", matrix, doc)
        tap.check("going on", going_on, doc, path)
        tap.check("a cell that can't be", impossible)
        tap.check("schema", schema, doc)
        tap.done()


main()
