#!/usr/bin/env python3
"""Do two documents of iperf3 --json have the same shape: keys, their order, types of the values?

usage: iperf_keys.py [--any-order] A.json B.json    compares two documents
       iperf_keys.py --self-test DIR                compares the documents of two versions in DIR

Exit status 0: the same; 1: not, each difference on a line. A list has the shapes of its items, each once, so
that the number of intervals does not matter.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap  # noqa: E402

# What came after 3.12 and may be absent from one of two documents: keys by the object they stand in, "[]" an item.
NEWER = {
    "start": {"fq_rate"},
    "start.timestamp": {"timemillisecs"},
    "start.test_start": {"bidir", "fqrate", "interval", "gso", "gro"},
    "intervals[].streams[]": {"reorder"},
    "end.streams[].sender": {"reorder"},
}
# Depends on the run, not on the program: a server has one or the other.
MAYBE = {"server_output_json", "server_output_text", "error"}
TYPES = {bool: "bool", int: "number", float: "number", str: "string", type(None): "null"}


def shape(value):
    """Type's name, {key: shape}, or [shape, ...] without repeats"""
    if isinstance(value, dict):
        return {key: shape(v) for key, v in value.items()}
    if isinstance(value, list):
        shapes = []
        for s in map(shape, value):
            # dicts compare without order; as text they do not
            if json.dumps(s) not in map(json.dumps, shapes):
                shapes.append(s)
        return shapes
    return TYPES[type(value)]


def compare_objects(at, a, b, any_order):
    optional = NEWER.get(at.removeprefix("server_output_json."), set()) | (MAYBE if not at else set())
    for x, y, which in ((a, b, "second"), (b, a, "first")):
        for key in x:
            if key not in y and key not in optional:
                yield f"{at or 'top'}: '{key}' is not in the {which} document"
    both = [key for key in a if key in b]
    if not any_order and both != [key for key in b if key in a]:
        yield f"{at or 'top'}: order differs: {' '.join(a)} | {' '.join(b)}"
    for key in both:
        yield from compare(f"{at}.{key}" if at else key, a[key], b[key], any_order)


def compare(at, a, b, any_order=False):
    """Each difference of two shapes, in words"""
    if isinstance(a, dict) and isinstance(b, dict):
        yield from compare_objects(at, a, b, any_order)
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            yield f"{at}: items have {len(a)} and {len(b)} different shapes"
        for x, y in zip(a, b):
            yield from compare(f"{at}[]", x, y, any_order)
    elif a != b:
        yield f"{at}: {a} and {b} are different types"


def differences(path_a, path_b, any_order=False):
    a, b = (json.loads(pathlib.Path(p).read_text(encoding="utf-8")) for p in (path_a, path_b))
    return list(compare("", shape(a), shape(b), any_order))


def self_test(folder):
    tap = Tap()

    def same(a, b):
        found = differences(folder / a, folder / b)
        assert not found, found

    def differ(a, b, words):
        found = differences(folder / a, folder / b)
        assert any(words in line for line in found), found

    tap.check("client, 3.12 and 3.21", same, "tcp_p2_client_312.json", "tcp_p2_client_321.json")
    tap.check("server, 3.12 and 3.21", same, "udp_server_312.json", "udp_server_321.json")
    tap.check("missing key", differ, "tcp_p2_client_321.json", "tcp_omit_client_321.json", "title")
    tap.check("other protocol", differ, "tcp_server_321.json", "udp_server_321.json", "jitter_ms")
    tap.check("other direction", differ, "udp_rev_client_321.json", "udp_p2_client_321.json", "lost_packets")
    tap.done()


def main(words):
    if words[:1] == ["--self-test"]:
        self_test(pathlib.Path(words[1]))
    any_order = words[:1] == ["--any-order"]
    paths = words[any_order:]
    if len(paths) != 2:
        sys.exit(__doc__)
    found = differences(*paths, any_order)
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))


if __name__ == "__main__":
    main(sys.argv[1:])
