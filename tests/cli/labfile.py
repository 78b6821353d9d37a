#!/usr/bin/env python3
"""Files for tare compare --file: what is taken, what is refused with its place, and the schema.

usage: labfile.py TARE SOURCE_ROOT
"""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, strict_json, tare  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
TAKEN = "--json and --csv exclude each other"  # a plan is made of it, and only then it is refused
QUICK = {"time": "50ms", "warmup": "10ms", "repeat-min": 2, "repeat-max": 2, "quiet": True}

GOOD = [
    {},
    {"title": "nothing", "$schema": "x"},
    {"paths": ["basic"], "loads": ["rr:proto=tcp,req=1"]},
    {"paths": [{"path": "veth", "options": {"mtu": 9000}}], "options": {"quick": True}},
    {"paths": [{"path": "existing", "options": {"near": "netns:a,b", "far": "pid:1"}}]},
    {"loads": [{"load": "stream", "options": {"block": "64k", "flows": 4, "mptcp": False}}]},
    {"options": {"wire-rate": 0, "warmup": 0, "time-max": "0", "ipv6": False}},
]

# Document, message without the file's name, and whether the schema is to refuse it, too.
BAD = [
    ('{"paths": [}', "not JSON: ", None),
    ("[]", "not a JSON object", None),
    ('{"paths": ["nat"], "paths": ["veth"]}', "not JSON: duplicate object key", None),
    ({"path": ["nat"]}, "path: unknown key, not one of: $schema, title, paths, loads, options", True),
    ({"paths": "nat"}, "paths: not a list", True),
    ({"paths": []}, "paths: an empty list", True),
    ({"paths": [7]}, "paths[0]: neither a string nor an object", True),
    ({"paths": ["nat", {"option": {}}]}, "paths[1].option: unknown key, not one of: path, argument, options", True),
    ({"paths": [{"options": {}}]}, "paths[0]: no key 'path'", True),
    ({"paths": [{"path": 1}]}, "paths[0].path: not a string", True),
    ({"paths": [{"path": "veth", "options": []}]}, "paths[0].options: not an object", True),
    ({"loads": [{"load": "rr", "path": "x"}]}, "loads[0].path: unknown key, not one of: load, options", True),
    ({"options": {"nope": 1}}, "options.nope: no such option", True),
    ({"options": {"file": "x"}}, "options.file: not an option of a file", True),
    ({"options": {"path": "nat"}}, "options.path: not an option of a file", True),
    ({"options": {"time": 10}}, "options.time: '10' is not a time with its unit, such as 500ms or 10s", True),
    ({"options": {"time": "2h"}}, "options.time: '2h' is out of range (50ms to 1h)", False),
    ({"options": {"mtu": 100}}, "options.mtu: '100' is out of range (576 to 65535)", True),
    ({"options": {"mtu": -1}}, "options.mtu: neither a string nor a whole number", True),
    ({"options": {"mtu": 1.5}}, "options.mtu: neither a string nor a whole number", True),
    ({"options": {"mtu": None}}, "options.mtu: neither a string nor a whole number", True),
    ({"options": {"pin": "x"}}, "options.pin: 'x' is not one of: auto, apart, together, none", True),
    ({"options": {"quick": "yes"}}, "options.quick: neither true nor false", True),
    ({"options": {"rate": 1000}}, "options.rate: --rate is <rate> to one part and <n> to another: set it there: "
     "--rate: '1000' is not a rate with its unit, such as 100Mbps or 1Gbps", True),
]
# Found when the plan is made: after the name of the command.
BAD_PLAN = [
    ({"paths": ["nosuch"]}, "paths[0]: unknown path 'nosuch' (see tare list)", False),
    ({"paths": ["nat", {"path": "nosuch"}]}, "paths[1].path: unknown path 'nosuch' (see tare list)", True),
    ({"paths": ["nat,veth"]}, "paths[0]: unknown path 'nat,veth' (see tare list)", False),
    ({"paths": [{"path": "veth", "argument": "x"}]}, "paths[0].argument: path 'veth' takes none", True),
    ({"paths": ["nat", {"path": "veth", "options": {"mtu": "70000"}}]},
     "paths[1].options.mtu: '70000' is out of range (576 to 65535)", False),
    ({"paths": [{"path": "veth", "options": {"vcpus": 2}}]}, "paths[0].options.vcpus: no such option", True),
    ({"paths": [{"path": "existing", "options": {"near": "host"}}]},
     "paths[0]: a network that is there needs --near and --far", False),
    ({"paths": [{"path": "veth", "options": {"ipv6": True, "mtu": 1000}}]},
     "paths[0]: --mtu 1000 is too small for IPv6, which needs 1280", False),
    ({"loads": ["nosuch"]}, "loads[0]: unknown load 'nosuch' (see tare list)", False),
    ({"loads": [{"load": "nosuch"}]}, "loads[0].load: unknown load 'nosuch' (see tare list)", True),
    ({"loads": ["rr", {"load": "stream", "options": {"flows": 0}}]},
     "loads[1].options.flows: '0' is out of range (1 to 1024)", True),
    ({"loads": [{"load": "rr", "options": {"flows": 2, "threads": 4}}]},
     "loads[0]: --threads 4 is more than --flows 2", False),
    ({"loads": ["stream", "stream"]}, "loads[1]: load 'stream-tx' is asked for twice", False),
    ({"options": {"repeat-min": 9, "repeat-max": 3}}, "--repeat-min 9 is more than --repeat-max 3", False),
]


def refused(directory, text, *words):
    """Status and message of a run on a file with this text."""
    path = directory / "lab.json"
    path.write_text(text)
    done = subprocess.run([TARE, "compare", "--file", path, *words, "--json", "--csv"],
                          capture_output=True, text=True, check=False)
    assert done.stdout == "" and done.returncode == 2, done
    return done.stderr.removeprefix("tare: compare: ").rstrip("\n").replace(f"{path}: ", "")


def is_taken(directory, doc):
    assert refused(directory, json.dumps(doc)) == TAKEN


def is_refused(directory, doc, message):
    text = doc if isinstance(doc, str) else json.dumps(doc)
    got = refused(directory, text)
    assert got.startswith(message) if message.startswith("not JSON") else got == message, got


def too_long(directory):
    text = "{}" + " " * (1 << 20)
    assert "longer than 1 MiB" in refused(directory, text)


def deep(directory):
    assert "not JSON: maximum parsing depth" in refused(directory, '{"paths":' + "[" * 100000)


def many(directory):
    paths = [{"path": "veth", "options": {"mtu": 1000 + i}} for i in range(100)]
    assert "more than 64 paths" in refused(directory, json.dumps({"paths": paths}))


def no_file():
    done = subprocess.run([TARE, "compare", "--file", "/nowhere/lab.json"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "tare: compare: cannot open /nowhere/lab.json: No such file or directory\n", done


def overridden(directory):
    """The file over the defaults, the command line over the file."""
    path = directory / "lab.json"
    lab = {"paths": ["bridge", {"path": "veth", "options": {"mtu": 9000}}], "loads": [{"load": "rr", "options": {
        "proto": "tcp", "req": 17}}], "options": {**QUICK, "mtu": 1400}}
    path.write_text(json.dumps(lab))
    run = strict_json(tare(TARE, "compare", "--file", str(path), "--json"))
    assert [p["name"] for p in run["paths"]] == ["native", "bridge", "veth:mtu=9000"], run["paths"]
    assert [p["config"]["mtu"] for p in run["paths"]] == [1400, 1400, 9000]
    assert [(x["id"], x["config"]["req_bytes"]) for x in run["loads"]] == [("rr-tcp", 17)], run["loads"]
    assert (run["config"]["time_ns"], run["config"]["repeat_max"]) == (50000000, 2)
    run = strict_json(tare(TARE, "compare", "--mtu", "1300", "--file", str(path), "--path", "basic", "--load", "crr",
                           "--json"))
    assert [p["name"] for p in run["paths"]] == ["native", "hostnet", "veth", "bridge", "nat"], run["paths"]
    assert run["config"]["mtu"] == 1300 and [x["id"] for x in run["loads"]] == ["crr"]


def quick_first(directory):
    """quick sets defaults, wherever it stands: what the file says beside it holds."""
    path = directory / "lab.json"
    path.write_text(json.dumps({"paths": ["veth"], "loads": ["crr"], "options": {"time": "60ms", "quick": True,
                                                                               "quiet": True}}))
    run = strict_json(tare(TARE, "compare", "--file", str(path), "--json"))
    assert (run["config"]["time_ns"], run["config"]["repeat_max"]) == (60000000, 3), run["config"]


def same_as_committed(schema_text):
    committed = (ROOT / "docs/schema/tare-lab-1.json").read_text()
    assert schema_text == committed, "run: tare doc lab-schema > docs/schema/tare-lab-1.json"


def by_schema(validator, doc, valid):
    assert validator.is_valid(doc) == valid, doc


def main():
    tap = Tap()
    schema_text = tare(TARE, "doc", "lab-schema")
    example = strict_json((ROOT / "examples/lab.json").read_text())
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for doc in [*GOOD, example]:
            tap.check(f"taken: {json.dumps(doc)[:70]}", is_taken, directory, doc)
        for doc, message, _ in BAD + BAD_PLAN:
            tap.check(f"refused: {message}", is_refused, directory, doc, message)
        tap.check("a file of more than 1 MiB", too_long, directory)
        tap.check("lists in lists", deep, directory)
        tap.check("too many paths", many, directory)
        tap.check("no file", no_file)
        tap.check("defaults, file, command line", overridden, directory)
        tap.check("quick and the file's own times", quick_first, directory)
    tap.check("the committed schema is this program's", same_as_committed, schema_text)
    if jsonschema:
        schema = strict_json(schema_text)
        validator = jsonschema.Draft202012Validator(schema)
        tap.check("the schema is one", jsonschema.Draft202012Validator.check_schema, schema)
        for doc in [*GOOD, example]:
            tap.check(f"valid: {json.dumps(doc)[:70]}", by_schema, validator, doc, True)
        for doc, message, by in BAD + BAD_PLAN:
            if by is not None:
                tap.check(f"{'invalid' if by else 'beyond a schema'}: {message}", by_schema, validator, doc, not by)
    else:
        print("# python3-jsonschema is missing: no check of the schema")
    tap.done()


main()
