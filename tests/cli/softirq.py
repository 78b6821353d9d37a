#!/usr/bin/env python3
"""Meter softirq of tare compare and of the loads: owners add up, and plain trials are without it.

usage: softirq.py TARE SOURCE_ROOT
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, as_nobody, strict_json, tare  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
SHORT = ["--time", "50ms", "--warmup", "10ms", "--repeat-min", "2", "--repeat-max", "2"]
PATHS = ["native", "veth", "bridge", "nat"]
OWNERS = ["near", "far", "host", "overhead"]
N_PLAIN = 2 * len(PATHS)
# Of these no pair of devices says whose a packet is: a device of the wire's, taps, redirection past the host's stack.
TOLD = ["macvlan", "tap", "ebpf-tc"]
MAX_TRIES = 10
DEADLINE_S = 30


def measured(*words, prefix=(), cwd=None):
    """Once more where an end got no CPU: a machine that busy says nothing about the meter."""
    for _ in range(MAX_TRIES):
        done = subprocess.run([*prefix, *words], capture_output=True, text=True, check=False, timeout=60, cwd=cwd)
        if done.returncode != 4:
            break
    assert done.returncode == 0, (words, done.returncode, done.stderr)
    return done.stdout


def has_programs(pid):
    """Is any BPF program of the process attached?"""
    try:
        fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    except FileNotFoundError:  # one was closed, or the process ended, meanwhile
        return False
    return "anon_inode:bpf_link" in fds


def wait_until(what, *args):
    deadline = time.monotonic() + DEADLINE_S
    while not what(*args):
        assert time.monotonic() < deadline, (what.__name__, args)
        time.sleep(0.01)


def program_ids(pid):
    """Numbers of the BPF programs that the process has."""
    ids = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            ids |= set(re.findall(r"^prog_id:\s*(\d+)", pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text(), re.M))
        except FileNotFoundError:
            pass
    return ids


def are_gone(ids):
    shown = subprocess.run(["bpftool", "prog", "show"], capture_output=True, text=True, check=True).stdout
    return not ids & set(re.findall(r"^(\d+):", shown, re.M))


def watch(words):
    """Runs tare; programs may be attached only after all plain trials have been told as done.

    Return: exit status, what it printed, and whether any program was seen attached.
    """
    said, seen = b"", False
    with tempfile.TemporaryFile() as out, subprocess.Popen(
            [TARE, *words], stdout=out, stderr=subprocess.PIPE) as process:
        os.set_blocking(process.stderr.fileno(), False)
        while process.poll() is None:
            attached = has_programs(process.pid)
            said += process.stderr.read() or b""  # after: what was written before is in it
            seen = seen or attached
            assert not attached or said.count(b": trial ") >= N_PLAIN, said.decode()
            time.sleep(0.001)
        out.seek(0)
        return process.returncode, out.read(), seen


def compared(run):
    words = ["compare", "--json", "--path", ",".join(PATHS), "--load", "stream:dir=tx", *SHORT]
    for _ in range(MAX_TRIES):
        status, text, seen = watch([*words, "--softirq", "extra"])
        if status != 4:
            break
    assert status == 0, status
    assert seen, "no program was ever attached"
    run.update(strict_json(text))


def valid(run):
    if jsonschema:
        validator = jsonschema.Draft202012Validator(strict_json(tare(TARE, "doc", "schema")))
        wrong = [e.message[:200] for e in validator.iter_errors(run)]
        assert not wrong, wrong


def one_more(run):
    for path in PATHS:
        trials = [t for t in run["trials"] if t["path"] == path]
        assert all(t["status"] == "ok" for t in trials), trials
        assert [(t["metered"], t["extra"]) for t in trials] == [(False, False)] * 2 + [(True, True)], trials
        for t in trials:
            assert ("softirq" in t["near"]["meters"]) == t["metered"] and "softirq" not in t["far"]["meters"]
    for cell in run["cells"]:
        n = {m["metric"]: m["value"]["n"] for m in cell["metrics"]}
        parts = [f"softirq_{who}_ns_per_byte" for who in OWNERS] + ["process_ns_per_byte"]
        assert all(n.pop(name) == 1 for name in parts), (cell["path"], n)
        assert max(n.values()) == 2, n


def readings(run):
    """(trial, reading) of each trial with the meter; owners add up in all of them."""
    found = [(t, t["near"]["meters"]["softirq"]) for t in run["trials"] if t["metered"] and t["status"] == "ok"]
    for t, x in found:
        for way in ("rx", "tx"):
            total, owners = x[f"total_{way}_ns"], sum(x[f"{who}_{way}_ns"] for who in OWNERS)
            assert abs(owners - total) <= 0.01 * total, (t["path"], way, owners, total)
        assert x["total_rx_ns"] > 0
        for who in OWNERS:
            assert len(x[f"{who}_cpu_ns"]) == len(x["near_cpu_ns"])
            assert sum(x[f"{who}_cpu_ns"]) == x[f"{who}_rx_ns"] + x[f"{who}_tx_ns"], who
    return found


def add_up(run):
    for t, x in readings(run):
        assert x["near_known"] and x["far_known"]
        assert x["far_rx_ns"] > 0 and x["far_rx_pkts"] > 0 and x["near_tx_pkts"] > 0, (t["path"], x)
        # What crosses a host is counted at its devices; a bare machine is an end itself.
        assert x["host_rx_pkts"] > 0 or t["path"] in ("native", "veth"), (t["path"], x)


def told_otherwise():
    """By the socket, or by a tap, far has what was done for it; in a namespace with near it can't be told."""
    words = ["compare", "--path", ",".join([*TOLD, "c2c"]), "--load", "udp:dir=tx", *SHORT]
    run = strict_json(measured(TARE, *words, "--quiet", "--json"))
    skipped = {p["name"]: p["reason"] for p in run["paths"] if p["status"] == "skipped"}
    found = {t["path"]: x for t, x in readings(run)}
    for path in [p for p in TOLD if p not in skipped]:
        x = found[path]
        assert x["far_known"] and x["far_rx_ns"] > 0, (path, x)
    cell = next(c for c in run["cells"] if c["path"] == "c2c")
    metrics = {m["metric"] for m in cell["metrics"]}
    assert found["c2c"]["near_rx_ns"] > 0 and not found["c2c"]["far_known"], found["c2c"]
    assert "softirq_near_ns_per_packet" in metrics and "softirq_far_ns_per_packet" not in metrics, metrics
    for path, reason in skipped.items():
        print(f"# not by {path}: {reason}")


def two_at_once():
    """Each has its own accounts: packets of the other's lab are its host's."""
    words = [TARE, "run", "--path", "veth", "--load", "udp:dir=tx", *SHORT, "--softirq", "all", "--quiet", "--json"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [strict_json(f.result()) for f in [pool.submit(measured, *words) for _ in range(2)]]
    for run in runs:
        found = readings(run)
        assert found and all(x["far_rx_pkts"] > 0 for _, x in found), found


def interrupted(number):
    """Ctrl-C in the middle of a metered trial, or a kill, leaves no program."""
    words = [TARE, "run", "--path", "veth", "--load", "stream", "--time", "10s", "--softirq", "all", "--quiet"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(has_programs, process.pid)
        ids = program_ids(process.pid)
        assert ids and not are_gone(ids), ids
        process.send_signal(number)
        process.wait(timeout=DEADLINE_S)
    wait_until(are_gone, ids)


def every_trial():
    text = measured(TARE, "run", "--path", "veth", "--load", "udp:dir=tx", *SHORT, "--softirq", "all", "--quiet")
    lines = [line for line in text.splitlines() if "softirq ns/packet:" in line]
    assert len(lines) == 1 and lines[0].split()[-5:] == [*OWNERS, "process"], text
    assert "metered in every trial" in text, text


def against_a_server():
    """Both ends are on this machine, in one namespace: all is near's, and far can't be told."""
    server = subprocess.Popen([TARE, "serve", "--port", "0"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        first = server.stderr.readline()
        found = re.search(r":(\d+) \(TCP, UDP\)", first)
        assert found, first
        words = ["rr", "127.0.0.1", "--port", found[1], "--time", "100ms", "--softirq"]
        run = strict_json(measured(TARE, *words, "extra", "--json"))
        text = measured(TARE, *words, "all", "--quiet")
    finally:
        server.kill()
        server.wait()
        server.stderr.close()
    valid(run)
    assert [t["extra"] for t in run["trials"]] == [False, True], run["trials"]
    x = run["trials"][1]["near"]["meters"]["softirq"]
    assert x["near_known"] and not x["far_known"] and x["near_rx_ns"] > 0 and x["far_rx_ns"] == 0, x
    cell = run["cells"][0]
    mean = {m["metric"]: m["value"]["mean"] for m in cell["metrics"]}
    assert "softirq_near_ns_per_transaction" in mean and "softirq_far_ns_per_transaction" not in mean, mean
    # The histogram has the plain trial's transactions only, which the rate is made from.
    assert cell["latency"]["count"] == round(mean["transactions_per_s"] * run["trials"][0]["span_ns"] / 1e9)
    assert sum("  softirq       ns per transaction: near " in line for line in text.splitlines()) == 1, text
    assert "softirq: what is not there can't be told: " in text, text
    ticks = run["environment"]["irq_time_accounting"] != "on"
    assert (" busy, by ticks user " in text) == ticks == ("sampled at timer ticks" in text), text


def not_root():
    """What is missing is said once; nothing is armed, and all else is measured."""
    user = as_nobody()
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        binary = shutil.copy(TARE, d)
        refused = subprocess.run([*user, "unshare", "-Urn", "true"], capture_output=True, text=True, check=False)
        if refused.returncode:
            print(f"# not as nobody: {refused.stderr.strip()}")
            return
        run = strict_json(measured(binary, "run", "--path", "veth", "--load", "stream:dir=tx", *SHORT, "--quiet",
                                   "--json", prefix=user, cwd="/"))
    limits = [x for x in run["limits"] if x.startswith("meter softirq is not available: ")]
    assert len(limits) == 1 and len(limits[0]) > 50, run["limits"]
    assert run["trials"] and not any(t["metered"] or t["extra"] for t in run["trials"])


def unavailable():
    done = subprocess.run([TARE, "list", "meters"], capture_output=True, text=True, check=True)
    row = next(line.split() for line in done.stdout.splitlines() if line.split()[0] == "softirq")
    return None if row[1] == "yes" else " ".join(row[2:])


def main():
    tap, run = Tap(), {}
    tap.check("without privileges: the reason, and the rest", not_root)
    reason = unavailable()
    if reason:
        tap.skip("softirq time by owner", reason)
        tap.done()
    tap.check("compare: programs are attached after the plain trials", compared, run)
    tap.check("the document is valid", valid, run)
    tap.check("one more trial of each cell, in no other number", one_more, run)
    tap.check("owners add up to the total, CPUs to the owners; far has a part", add_up, run)
    tap.check("--softirq all: every trial", every_trial)
    tap.check("a load against a server", against_a_server)
    tap.check("far is told by its sockets and taps, not where near is", told_otherwise)
    tap.check("two at once", two_at_once)
    if shutil.which("bpftool"):
        for number in (signal.SIGINT, signal.SIGKILL):
            tap.check(f"{number.name} leaves no program", interrupted, number)
    else:
        tap.skip("programs that are left", "there is no bpftool")
    tap.done()


main()
