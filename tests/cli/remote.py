#!/usr/bin/env python3
"""tare stream and tare rr against a tare server, over loopback.

usage: remote.py TARE SOURCE_ROOT [WORDS...], more words for the server
"""

import contextlib
import csv
import io
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, in_background, strict_json  # noqa: E402

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
SERVER = [TARE, "serve", "--port", "0", *sys.argv[3:]]
KEYED = SERVER + ["--key-file", "{key}"]
SHORT = ["--time", "300ms", "--warmup", "20ms", "--interval", "100ms"]
KEY = "a key of more than sixteen bytes"
DEADLINE_S = 20
MAX_TRIES = 10
AT_ONCE = 3  # each mostly waits; more would take each other's CPU time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server in a process of its own, ready when the block begins."""

    def __init__(self, words=None, key=None):
        self.words = [w.format(key=key) for w in words or SERVER]

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        first = self.process.stderr.readline()
        found = re.search(r":(\d+) \(TCP, UDP\)", first)
        assert found, f"{self.words}: {first}"
        self.port = int(found[1])
        return self

    def sessions(self):
        pid = self.process.pid
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def __exit__(self, *unused):
        self.kill()


def client(port, load, *words):
    command = [TARE, load, "127.0.0.1", "--port", str(port), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def run(server, load, *words):
    """The machine is shared: an end that got no CPU for the whole span proves nothing."""
    for _ in range(MAX_TRIES):
        done = client(server.port, load, *SHORT, *words)
        if "too busy" not in done.stderr:
            break
        print(f"# {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def document(server, load, *words):
    return strict_json(run(server, load, "--json", *words))


def trial_of(doc):
    assert len(doc["trials"]) == 1 and doc["trials"][0]["status"] == "ok", doc["trials"]
    return doc["trials"][0]


def in_order(parts):
    """Intervals of one end follow each other without a gap."""
    at = 0
    for part in parts:
        assert part["begin_ns"] == at < part["end_ns"], parts
        at = part["end_ns"]
    return at


def sums_match(trial):
    """What the intervals of an end counted is what it counted in the whole span."""
    for end in ("near", "far"):
        parts = [i[end] for i in trial["intervals"] if i[end]]
        assert len(parts) >= 2, trial["intervals"]
        assert in_order(parts) == trial[end]["end_ns"] - trial[end]["begin_ns"]
        for key in ("bytes_tx", "bytes_rx", "transactions", "lost"):
            assert sum(p[key] for p in parts) == trial[end][key], (end, key)


def validates(doc):
    import jsonschema

    schema = json.loads((ROOT / "docs/schema/tare-run-1.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(doc)


def stream_goes(server, direction):
    trial = trial_of(document(server, "stream", "--dir", direction))
    near, far = trial["near"], trial["far"]
    assert (far["bytes_rx"] > 0) == (direction != "rx"), far
    assert (near["bytes_rx"] > 0) == (direction != "tx"), near
    assert (near["meters"]["tcp"]["n_flows"] > 0) == (direction != "rx"), near
    assert (far["meters"]["tcp"]["n_flows"] > 0) == (direction != "tx"), far
    sums_match(trial)


def threads_and_flows(server):
    trial = trial_of(document(server, "stream", "--flows", "4", "--threads", "2"))
    for end in ("near", "far"):
        assert trial[end]["meters"]["proc"]["n_threads"] == 2, trial[end]
        assert len(trial[end]["first_cpu"]) == len(trial[end]["last_cpu"]) == 2
    assert trial["near"]["meters"]["tcp"]["n_flows"] == 4


def pins(server):
    cpus = sorted(os.sched_getaffinity(0))
    trial = trial_of(document(server, "stream", "--cpus", f"{cpus[0]}/{cpus[-1]}"))
    assert trial["near_cpus"] == str(cpus[0]) and trial["far_cpus"] == str(cpus[-1])
    assert trial["near"]["first_cpu"] == trial["near"]["last_cpu"] == [cpus[0]]
    assert trial["far"]["first_cpu"] == trial["far"]["last_cpu"] == [cpus[-1]]


def rr_goes(server, proto):
    doc = document(server, "rr", "--proto", proto, "--flows", "2")
    trial = trial_of(doc)
    assert trial["near"]["transactions"] > 0 and trial["near"]["lost"] == 0
    assert [p["metric"] for p in doc["cells"][0]["percentiles"]][:1] == ["latency_p50_ns"]
    sums_match(trial)


def crr_goes(server):
    trial = trial_of(document(server, "crr", "--flows", "2"))
    assert trial["near"]["transactions"] > 0 and trial["near"]["lost"] == 0, trial
    sums_match(trial)


def rr_under_stream(server):
    doc = document(server, "rr", "--under", "stream")
    idle, under = doc["trials"]
    assert idle["load"] == "rr-tcp-idle" and under["load"] == "rr-tcp-under-stream", doc["loads"]
    assert under["far"]["under_bytes_rx"] > 0 == idle["far"]["under_bytes_rx"]
    assert under["near"]["transactions"] > 0


def rr_open_loop(server):
    trial = trial_of(document(server, "rr", "--rate", "1000"))
    assert 0 < trial["near"]["transactions"] <= 320, trial


def exact(server, direction, size, *words):
    trial = trial_of(document(server, "stream", "--dir", direction, "--bytes", str(size), *words))
    near, far = trial["near"], trial["far"]
    tx, rx = (size if direction in ("tx", "both") else 0), (size if direction in ("rx", "both") else 0)
    assert (near["bytes_tx"], far["bytes_rx"]) == (tx, tx), (near, far)
    assert (far["bytes_tx"], near["bytes_rx"]) == (rx, rx), (near, far)


def ways_to_send(server, way):
    """At the server's end: it is confined to the system calls that were seen."""
    words = ("--dir", "both", "--send", way, "--recv", "trunc", "--pacing", "1Gbps", "--flows", "2")
    trial = trial_of(document(server, "stream", *words))
    assert trial["far"]["bytes_tx"] > 0 and trial["far"]["bytes_rx"] > 0, trial
    assert (trial["far"]["zerocopy_sends"] > 0) == (way == "zerocopy"), trial


def json_is_as_the_schema_says(server):
    doc = document(server, "stream")
    validates(doc)
    assert doc["remote"]["port"] == server.port and doc["remote"]["same_machine"] is True
    assert doc["cells"][0]["metrics"][0]["ratio"] is None
    validates(document(server, "rr"))


def stream_of_events(server):
    lines = [strict_json(t) for t in run(server, "stream", "--json-stream").splitlines()]
    events = [x["event"] for x in lines]
    assert events[0] == "start" and events[-2:] == ["trial", "end"], events
    parts = [x for x in lines if x["event"] == "interval"]
    assert [x["n"] for x in parts] == list(range(len(parts))) and len(parts) >= 2, events
    for end in ("near", "far"):
        assert sum(x[end]["bytes_rx"] for x in parts) == lines[-2][end]["bytes_rx"]


def rows_of_csv(server):
    rows = list(csv.DictReader(io.StringIO(run(server, "stream", "--csv"))))
    assert all(None not in r and None not in r.values() for r in rows), rows
    far = [r for r in rows if r["metric"] == "far.bytes_rx"]
    assert len(far) >= 2 and all(int(r["mean"]) > 0 for r in far)
    assert any(r["metric"] == "goodput_bps" for r in rows)


def text_for_people(server):
    text = run(server, "stream", "--dir", "both")
    for words in ("connected to 127.0.0.1", "goodput tx", "goodput rx", "CPU cost", "the same machine"):
        assert words in text, (words, text)
    text = run(server, "stream", "--repeat", "3", "--quiet")
    assert "native" not in text and "±" in text and "trial 3" in text, text


def without_intervals(server):
    assert trial_of(document(server, "stream", "--interval", "0"))["intervals"] == []


def limits_of_the_server():
    with Server([*SERVER, "--max-duration", "2s", "--max-flows", "4", "--max-bytes", "10k"]) as server:
        for words, said in (
            (["--time", "3s"], "at most 2 s"),
            (["--flows", "5", "--time", "1s"], "at most 4 flows"),
        ):
            done = client(server.port, "stream", *words)
            assert done.returncode == 3 and said in done.stderr, done
        for words in (["--bytes", "10241", "--time", "1s"], ["--time", "1s"]):
            done = client(server.port, "stream", *words)
            assert done.returncode == 4 and "allowed" in done.stderr, done


def nobody_there():
    done = client(free_port(), "stream", *SHORT)
    assert done.returncode == 3 and "Connection refused" in done.stderr, done
    done = client(free_port(), "stream", *SHORT, "--json-stream")
    assert done.returncode == 3 and strict_json(done.stdout)["event"] == "error", done


def no_such_host():
    done = subprocess.run(
        [TARE, "stream", "host.invalid"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 3 and "host.invalid" in done.stderr, done


def not_a_tare_server(reply):
    """Something else listens there: it says nothing, hangs up, or talks another protocol."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(1)
        command = [TARE, "stream", "127.0.0.1", "--port", str(s.getsockname()[1])]
        p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        peer, _ = s.accept()
        peer.sendall(reply)
        with contextlib.suppress(OSError):  # hung up on already
            peer.shutdown(socket.SHUT_WR)
        _, words = p.communicate(timeout=60)
        peer.close()
    assert p.returncode == 3 and "server" in words, (p.returncode, words)


def wrong_usage():
    for words in (
        ["stream"],
        ["stream", "a", "b"],
        ["stream", ""],
        ["stream", "h", "-4", "-6"],
        ["stream", "h", "--interval", "9ms"],
        ["stream", "h", "--time", "0"],
        ["stream", "h", "--cpus", "x/y"],
        ["stream", "h", "--cpus", "0/1/2"],
        ["stream", "h", "--json", "--csv"],
        ["stream", "h", "--port", "0"],
        ["rr", "h", "--dir", "rx"],
    ):
        done = subprocess.run([TARE, *words], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 2 and done.stderr.startswith("tare: "), (words, done)


def wrong_key():
    with tempfile.TemporaryDirectory() as folder:
        right, wrong = pathlib.Path(folder, "right"), pathlib.Path(folder, "wrong")
        right.write_text(KEY + "\n")
        wrong.write_text(KEY[::-1] + "\n")
        right.chmod(0o600)
        with Server(KEYED, right) as server:
            run(server, "stream", "--key-file", str(right))
            for words in ([], ["--key-file", str(wrong)], ["--key-file", folder + "/none"]):
                done = client(server.port, "stream", *SHORT, *words)
                assert done.returncode == 3 and done.stderr.startswith("tare: "), done


def begin(server, *words):
    """A long run whose first interval has been reported."""
    command = [TARE, "stream", "127.0.0.1", "--port", str(server.port), "--time", "30s", *words]
    p = subprocess.Popen(
        [*command, "--interval", "50ms", "--json-stream"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    for line in p.stdout:
        if strict_json(line)["event"] == "interval":
            return p
    raise AssertionError(p.communicate())


def server_killed():
    with Server() as server:
        p = begin(server)
        server.kill()
        begun = time.monotonic()
        _, words = p.communicate(timeout=DEADLINE_S)
        assert p.returncode == 4 and "agent far" in words, (p.returncode, words)
        assert time.monotonic() - begun < DEADLINE_S / 2


def server_stopped():
    """A peer that is silent, not dead, is given up on after a while."""
    with Server() as server:
        p = begin(server)
        sessions = server.sessions()
        for pid in sessions:
            os.kill(pid, signal.SIGSTOP)
        p.send_signal(signal.SIGINT)
        _, words = p.communicate(timeout=DEADLINE_S)
        for pid in sessions:
            os.kill(pid, signal.SIGCONT)
        assert p.returncode == 4 and words.startswith("tare: "), (p.returncode, words)


def interrupted():
    with Server() as server:
        p = begin(server)
        p.send_signal(signal.SIGINT)
        text, _ = p.communicate(timeout=DEADLINE_S)
        lines = [strict_json(t) for t in text.splitlines()]
        assert p.returncode == 4, (p.returncode, text)
        trial, end = lines[-2], lines[-1]
        assert trial["event"] == "trial" and trial["interrupted"] and trial["status"] == "ok", trial
        assert trial["far"]["bytes_rx"] > 0 and end["complete"] is False
        assert end["cells"][0]["stop"] == "interrupted"
        run(server, "stream")


# Each with servers of its own, or none. The longest begin.
ALONE = [
    ("server stopped: status 4", server_stopped),
    ("limits of the server: status 3, 4 once it runs", limits_of_the_server),
    ("no server: status 3", nobody_there),
    ("no such host: status 3", no_such_host),
    *[(f"another server, {reply!r}: status 3", not_a_tare_server, reply)
      for reply in (b"", b"\0\0\0\2{}", b"\xff\xff\xff\xff", b"220 smtp.example ESMTP\r\n")],
    ("wrong usage: status 2", wrong_usage),
    ("wrong key: status 3", wrong_key),
    ("server killed: status 4", server_killed),
    ("interrupted: status 4, and what there is", interrupted),
]
# At one server.
AT_SERVER = [
    *[(f"stream {direction}", stream_goes, direction) for direction in ("tx", "rx", "both")],
    ("4 flows on 2 threads", threads_and_flows),
    ("threads are pinned, and the result says where they ran", pins),
    ("rr tcp", rr_goes, "tcp"),
    ("rr udp", rr_goes, "udp"),
    ("crr", crr_goes),
    ("rr at a rate", rr_open_loop),
    ("rr under a stream", rr_under_stream),
    *[(f"exact bytes {direction}", exact, direction, 100_000_007, "--time", "20s")
      for direction in ("tx", "rx", "both")],
    ("one byte", exact, "tx", 1, "--time", "0"),
    ("bytes over flows", exact, "both", 10_000_019, "--flows", "3", "--time", "0"),
    *[(f"sending by {way}", ways_to_send, way) for way in ("copy", "zerocopy", "sendfile")],
    ("the JSON document is as the schema says", json_is_as_the_schema_says),
    ("the JSON stream", stream_of_events),
    ("the CSV rows", rows_of_csv),
    ("the text", text_for_people),
    ("no intervals", without_intervals),
]


def main():
    t = Tap()
    with ThreadPoolExecutor(AT_ONCE) as pool, Server() as server:
        tests = [(name, in_background(pool, test, *args)) for name, test, *args in ALONE]
        tests += [(name, in_background(pool, test, server, *args)) for name, test, *args in AT_SERVER]
        for name, test in tests:
            t.check(name, test)
    t.done()


main()
