#!/usr/bin/env python3
"""Resources as axes: where functions and a competing load run, and the spread between instantiations.

usage: resources.py TARE
"""

import glob
import math
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, strict_json, tare  # noqa: E402

TARE = sys.argv[1]
CPUS = sorted(os.sched_getaffinity(0))
TINY = ["--count", "500", "--rate", "50k", "--drain", "20ms"]
FUNCTION = ["--path", "pcp:nf=afxdp"]
CPUSETS = "/sys/fs/cgroup/**/tare-*-{pid}-*"


def refused(words, message, status):
    done = subprocess.run([TARE, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert message in done.stderr, done.stderr


def model():
    """Each second instantiation serves a tenth less: all of it is between them, nothing within."""
    doc = strict_json(tare(TARE, "rfc2544", "--sut", "model:rate=1M,uneven=10%", "--profile", "quick", "--sizes",
                           "64", "--tests", "throughput", "--rebuild", "4", "--repeat", "2", "--quiet", "--json"))
    fps = [unit["rows"][0]["fps"] for unit in doc["results"]]
    assert fps == [1e6, 1e6, 9e5, 9e5] * 2, fps
    x, = doc["summaries"][0]["instantiations"]
    assert (x["n_groups"], x["n"], x["mean"], x["sd_within"]) == (4, 8, 950000, 0), x
    assert abs(x["sd_between"] - 1e5 / math.sqrt(3)) < 1, x
    assert doc["config"]["rebuild"] == 4 and doc["config"]["pin"] == "none", doc["config"]


def frames(*words):
    return strict_json(tare(TARE, "frames", *TINY, "--json", *words))


def rebuilt():
    doc = frames("--path", "p2p", "--rebuild", "2", "--repeat", "2")
    assert [len(x) for x in doc["instantiations"]] == [2, 2], doc["instantiations"]
    for x in (x for each in doc["instantiations"] for x in each):
        assert x["intended"] == 500 == x["received"] + x["lost"], x
    assert doc["received_fps"]["n"] == 4 and doc["received_fps"]["n_groups"] == 2, doc["received_fps"]
    assert (doc["resources"]["by"], doc["resources"]["functions"]) == ("", ""), doc["resources"]


def cpus(text):
    """the set of "0,2-5\""""
    ranges = [part.split("-") for part in text.split(",")]
    return {cpu for r in ranges for cpu in range(int(r[0]), int(r[-1]) + 1)}


def modes():
    """What is said of each mode is what it must be on these CPUs. Of shared, killed() looks where they are."""
    first, last = CPUS[0], CPUS[-1]
    tester = ["--tx-cpu", str(first), "--rx-cpu", str(first), "--place", "inline", "--hog", "1"]
    for words, function, hogs in ((["--pin", "none"], set(CPUS), set(CPUS)),
                                  (["--pin", "exclusive", "--pin-cpus", str(last)], {last},
                                   set(CPUS[:-1]) or {last})):
        x = frames(*FUNCTION, *tester, *words)["resources"]
        assert x["by"] in ("cpuset", "affinity") and x["n_functions"] == 1, x
        assert (cpus(x["functions"]), cpus(x["hogs"])) == (function, hogs), (words, x)


def too_few():
    n = len(CPUS) + 1
    x = frames("--path", f"chain:nf=afxdp,nfs={min(n, 16)}", "--pin", "exclusive", "--pin-cpus",
               ",".join(map(str, CPUS)), "--hog", "1")["resources"]
    assert len(x["functions"].split()) == min(n, 16), x
    assert n > 16 or "fewer CPUs than functions" in x["note"], x
    assert "no CPU is left for the load" in x["note"] and "shares its CPU with the tester" in x["note"], x


def children(pid):
    """All processes below one, by name."""
    found = {}
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = pathlib.Path(stat).read_text()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        if int(rest[1]) == pid:
            found[int(stat.split("/")[2])] = name
    return found


def gone(pids, names):
    """None of them is there; a zombie is nobody, and a pid may be somebody else's by now."""
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if text[text.index("(") + 1:text.rindex(")")] in names and ") Z" not in text:
            return False
    return True


def wait_for(test, what):
    deadline = time.monotonic() + 20
    while not test():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def killed():
    """Where they really run; and kill -9 leaves no cpuset and no process."""
    last = str(CPUS[-1])
    with subprocess.Popen([TARE, "frames", *FUNCTION, "--rate", "1k", "--time", "60s", "--pin", "shared", "--pin-cpus",
                           last, "--hog", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        def placed():
            found = [pid for pid, name in children(p.pid).items() if name in ("tare-nf", "tare-hog")]
            return len(found) == 3 and all(os.sched_getaffinity(pid) == {CPUS[-1]} for pid in found)
        try:
            wait_for(lambda: p.poll() is not None or len(CPUS) == 1 or placed(), "not placed")
            assert p.poll() is None, "it ended by itself"
            there, sets = children(p.pid), glob.glob(CPUSETS.format(pid=p.pid), recursive=True)
        finally:
            p.send_signal(signal.SIGKILL)
    wait_for(lambda: gone(there, ("tare-nf", "tare-hog")), there)
    wait_for(lambda: not any(os.path.exists(x) for x in sets), sets)
    print(f"# {len(sets)} cpusets")


def main():
    tap = Tap()
    tap.check("a model of which instantiations differ", model)
    if not glob.glob("/sys/devices/system/node/node1"):
        tap.check("one NUMA node", refused, ["frames", "--path", "p2p", "--numa", "0"],
                  "--numa 0: this machine has one NUMA node", 3)
    if pathlib.Path("/proc/sys/vm/nr_hugepages").read_text() == "0\n":
        tap.check("no huge pages", refused, ["frames", *FUNCTION, "--hugepages"], "vm.nr_hugepages is 0", 3)
    tap.check("a CPU that is not allowed", refused, ["frames", *FUNCTION, "--pin", "shared", "--pin-cpus", "1000"],
              "CPU 1000 is not one of those allowed here", 2)
    tap.check("a path built twice", rebuilt)
    probe = subprocess.run([TARE, "frames", *FUNCTION, "--count", "1", "--drain", "1ms"], capture_output=True,
                           text=True, check=False)
    if probe.returncode == 3:
        print("# left out, as no function on AF_XDP sockets can be had:", probe.stderr.strip())
    else:
        tap.check("modes", modes)
        tap.check("fewer CPUs than functions", too_few)
        tap.check("kill -9 leaves nothing", killed)
    tap.done()


main()
