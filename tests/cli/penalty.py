#!/usr/bin/env python3
"""tare penalty with tiny times: every number is within its bounds, nothing stays, documents are by their schema.

usage: penalty.py TARE SOURCE_ROOT

Times decide nothing here: what is asserted holds on any machine, however busy.
"""

import csv
import io
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, skip_all, strict_json  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
TINY = ["--time", "200ms", "--warmup", "20ms", "--settle", "0", "--repeat-min", "1", "--repeat-max", "1", "--retries", "0", "--quiet"]


def tare(*words):
    return subprocess.run([TARE, *words], capture_output=True, text=True, check=False)


def penalty(*words):
    done = tare("penalty", *TINY, *words)
    assert done.returncode == 0, (done.returncode, done.stderr, done.stdout)
    return done.stdout


def cgroups(pid):
    """Directories of this tare's; others come and go meanwhile, which os.walk() does not mind."""
    return [pathlib.Path(at) / d for at, dirs, _ in os.walk("/sys/fs/cgroup") for d in dirs
            if d.startswith("tare-") and f"-{pid}-" in d]


def near(value, most):
    """A share of one CPU, never more than its quota and a period at each end: 20 ms of 200 ms."""
    return 0 <= value <= most / 100 * 1.3 + 0.1


def trial(t, doc):
    parts = [int(x) for x in t["shares"].split("/")]
    cfg = doc["config"]
    assert t["status"] in ("ok", "disturbed") and t["round"] == 0 and t["retries"] == 0, t
    assert t["span_ns"] == 200_000_000 and 0 < t["victim_ns"] <= t["span_ns"], t
    assert t["victim_share"] == t["victim_ns"] / t["span_ns"] and near(t["victim_share"], parts[0]), t
    assert 0 < t["step_ns"] and 250 <= t["least_gap_ns"] <= 1000 and t["n_gaps"] > 0, t
    assert t["longest_gap_ns"] >= t["least_gap_ns"], t
    assert near(t["neighbour_cpu_share"], parts[1]), t
    assert t["foreign_share"] is None or t["foreign_share"] >= 0, t
    if len(parts) == 3:
        assert 0 < t["bystander_sent"] <= 0.2 * cfg["bystander_pps"] + 1, t
        assert 0 <= t["bystander_received"] <= t["bystander_sent"], t
        assert abs(t["bystander_delivery"] - t["bystander_received"] / t["bystander_sent"]) < 1e-9, t
    else:
        assert t["bystander_sent"] == 0 and t["bystander_delivery"] is None, t
    if t["baseline"] or t["neighbour"] == "compute":
        assert t["sent_pps"] is None and t["received_bps"] is None, t
    else:
        assert t["device_pps"] > 0, t


def udp():
    out = penalty("--neighbour", "udp-rx,gso-rx,compute", "--shares", "60/20/20", "--rate", "5k", "--json")
    doc = strict_json(out)
    assert doc["complete"] and doc["cpu"] != doc["peer_cpu"], doc
    assert [c["neighbour"] for c in doc["cells"]] == ["udp-rx", "gso-rx", "compute"], doc["cells"]
    assert len(doc["trials"]) == 4 and [t["baseline"] for t in doc["trials"]].count(True) == 1, doc["trials"]
    for t in doc["trials"]:
        trial(t, doc)
    base = next(t for t in doc["trials"] if t["baseline"])
    for c in doc["cells"]:
        t = next(x for x in doc["trials"] if not x["baseline"] and x["neighbour"] == c["neighbour"])
        assert c["penalty"]["n"] == 1 and c["penalty"]["ci_low"] is None, c
        assert abs(c["penalty"]["mean"] - base["victim_ns"] / t["victim_ns"]) < 1e-9, c
    schema(doc)


def tcp():
    doc = strict_json(penalty("--neighbour", "tcp-rx,tcp-tx,udp-tx", "--shares", "50/50", "--flows", "4",
                              "--mtu", "300", "--json"))
    for t in doc["trials"]:
        trial(t, doc)
    sent = {t["neighbour"]: t for t in doc["trials"] if not t["baseline"]}
    assert set(sent) == {"tcp-rx", "tcp-tx", "udp-tx"}, doc["trials"]
    assert sent["tcp-rx"]["sent_pps"] is None and sent["udp-tx"]["sent_pps"] > 0, sent


def guarded():
    """What a guard does is counted, and its mount is seen by nobody else."""
    doc = strict_json(penalty("--neighbour", "udp-rx", "--shares", "60/20/20", "--rate", "50k", "--irq", "3us",
                              "--guard", "off,charge,charge+drop", "--json"))
    assert doc["interrupt"] == {"ns": 3000, "low_ns": 0, "high_ns": 0, "n": 0}, doc["interrupt"]
    assert [c["guard"] for c in doc["cells"]] == ["off", "charge", "charge+drop"], doc["cells"]
    for t in doc["trials"]:
        trial(t, doc)
        # A container that has packets has softirqs; who is not over its budget loses none.
        assert (t["neighbour_used_share"] is None) == (t["guard"] == "off"), t
        assert t["guard"] == "off" or 0 < t["neighbour_used_share"] <= 2, t
        assert t["guard"] == "charge+drop" or t["neighbour_dropped"] == 0, t
        assert t["bystander_dropped"] == 0, t
    for c in doc["cells"]:
        assert abs(c["slowdown"] - (c["penalty"]["mean"] - 1)) < 1e-9, c
        t = next(x for x in doc["trials"] if not x["baseline"] and x["guard"] == c["guard"])
        used = t["neighbour_cpu_share"] if c["guard"] == "off" else t["neighbour_used_share"]
        assert abs(c["neighbour_got"] - used / 0.2) < 1e-9, (c, t)
    assert " - tmpfs tare " not in pathlib.Path("/proc/self/mountinfo").read_text(), "a mount of the guard's"
    schema(doc)


def moderated():
    """With the wire moderated, for neighbours whose wire would not poll, too."""
    doc = strict_json(penalty("--neighbour", "udp-rx,gso-rx", "--shares", "50/50", "--rate", "5k", "--burst", "1", "--irq", "3us",
                              "--guard", "off,charge+drop+moderate", "--moderate", "500us", "--json"))
    assert doc["config"]["moderate_ns"] == 500_000, doc["config"]
    for t in doc["trials"]:
        trial(t, doc)
    for c in doc["cells"]:
        t = next(x for x in doc["trials"] if not x["baseline"] and (x["guard"], x["neighbour"]) == (c["guard"], c["neighbour"]))
        assert c["victim_irqs_hz"] == (None if c["guard"] == "off" else t["victim_irqs"] / 0.2), (c, t)
        assert c["received_pps"] > 0, "nothing came through the wire"
    schema(doc)


def measured_interrupt():
    done = tare("guard", "--calibrate")
    if done.returncode == 3:
        return print(f"# {done.stderr.strip()}")
    words = done.stdout.split()
    assert done.returncode == 0 and done.stdout.startswith("tare: an interrupt costs "), done
    assert int(words[4]) > 0 and int(words[words.index("to") - 1]) <= int(words[4]) <= int(words[-2]), done


def schema(doc):
    out = tare("doc", "penalty-schema").stdout
    assert out == (ROOT / "docs/schema/tare-penalty-1.json").read_text(), "docs/schema is not what tare doc says"
    if jsonschema:
        jsonschema.Draft202012Validator(strict_json(out)).validate(doc)


def forms():
    text = penalty("--time", "50ms", "--neighbour", "compute", "--shares", "50/50", "--verbose")
    assert "penalty" in text and "(baseline)" in text and "gaps from" in text, text
    text = penalty("--time", "50ms", "--neighbour", "compute", "--shares", "50/50", "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [r["baseline"] for r in rows] == ["true", "false"] and all(int(r["victim_ns"]) > 0 for r in rows), rows


def estimate():
    """It says beforehand what it will take, and how far it is."""
    words = [w for w in TINY if w != "--quiet"]
    done = tare("penalty", *words, "--time", "50ms", "--neighbour", "compute", "--shares", "50/50")
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and lines[0].startswith("tare: 1 cells, at most 2 trials, will take"), lines
    assert lines[1].startswith("tare: trial 1 of at most 2: 50/50 beside the baseline, round 1, "), lines


def interrupted(sig, status):
    words = [TARE, "penalty", "--time", "30s", "--warmup", "10ms", "--neighbour", "gso-rx", "--rate", "1k", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert "will take" in run.stderr.readline() and "trial 1" in run.stderr.readline()
        wait_for(lambda: sum((p / "cgroup.procs").read_text() != "" for p in cgroups(run.pid)) >= 3, run)
        run.send_signal(sig)
        out, err = run.communicate(timeout=20)
    assert run.returncode == status, (run.returncode, err)
    wait_for(lambda: cgroups(run.pid) == [], None)
    if status > 0:
        doc = strict_json(out)
        assert not doc["complete"] and doc["trials"] == [] and "interrupted" in err, (out, err)


def wait_for(happens, run):
    """Looks until it has happened, for 20 s of looking."""
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        assert run is None or run.poll() is None, run.stderr.read()


def refused():
    for words, message in ROWS:
        done = tare("penalty", *words)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"tare: penalty: {message}\n"), (words, done)


ROWS = [
    (["--shares", "60/50"], "--shares: '60/50' is more than one CPU"),
    (["--shares", "60"], "--shares: '60' has no neighbour"),
    (["--shares", "50/50,50/50"], "--shares: '50/50' stands twice"),
    (["--shares", "x/1"], "--shares: 'x/1' is not 1 to 99 per cent for each, such as 60/20/20"),
    (["--shares", "96/4"], "--shares: 4 % of --period is less than 1 ms, the least quota that there is"),
    (["--neighbour", "udp"], "--neighbour: there is no 'udp'"),
    (["--neighbour", "tcp-rx,tcp-rx"], "--neighbour: 'tcp-rx' stands twice"),
    (["--guard", "on"], "--guard: there is no 'on'"),
    (["--cpu", "0-1"], "--cpu: '0-1' is not one CPU"),
    (["--cpu", "0", "--peer-cpu", "0"], "--cpu and --peer-cpu are the same CPU"),
    (["--cpu", "1023"], "CPU 1023 is not one of those allowed here"),
    (["--repeat-min", "5", "--repeat-max", "4"], "--repeat-min 5 is more than --repeat-max 4"),
    (["--irq", "often"], "--irq: 'often' is not a time with its unit, such as 500ms or 10s"),
    (["--irq", "2ms"], "--irq: '2ms' is more than 1ms"),
    (["--moderate", "20ms"], "--moderate: '20ms' is out of range (1us to 10ms)"),
    (["--tso", "--guard", "charge+drop+moderate"],
     "--tso excludes charge+drop+moderate: the wire does not poll for such segments"),
    (["--json", "--csv"], "--json and --csv exclude each other"),
]


def one_cpu():
    done = subprocess.run(["taskset", "-c", "0", TARE, "penalty"], capture_output=True, text=True, check=False)
    assert done.returncode == 3 and done.stderr.startswith("tare: penalty: there is one CPU only: "), done


def no_root():
    done = subprocess.run(["unshare", "-Ur", TARE, "penalty"], capture_output=True, text=True, check=False)
    if done.stderr.startswith("unshare"):
        return print(f"# no user namespaces here: {done.stderr.strip()}")
    assert done.returncode == 3 and done.stderr.startswith("tare: penalty: needs root, "), done
    # Its network is still somebody else's: it could not come back from a lab's.
    done = subprocess.run(["unshare", "-Ur", TARE, "compare"], capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "as it is of another user namespace" in done.stderr, done


def main():
    tap = Tap()
    probe = tare("penalty", *TINY, "--time", "50ms", "--neighbour", "compute", "--shares", "50/50")
    if probe.returncode == 3:
        skip_all(probe.stderr.strip())
    tap.check("bad options, one row each", refused)
    tap.check("one CPU only", one_cpu)
    tap.check("root of a user namespace only", no_root)
    tap.check("receivers of datagrams and a control", udp)
    tap.check("streams and senders", tcp)
    tap.check("the guard as an axis", guarded)
    tap.check("with the wire's interrupts moderated", moderated)
    tap.check("what an interrupt costs", measured_interrupt)
    tap.check("text and lines", forms)
    tap.check("what it will take is said beforehand", estimate)
    tap.check("Ctrl-C leaves no cgroup", interrupted, signal.SIGINT, 4)
    tap.check("nor does kill -9", interrupted, signal.SIGKILL, -9)
    tap.done()


main()
