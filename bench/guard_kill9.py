#!/usr/bin/env python3
"""kill -9 of tare guard at random moments, and what quotas are after it.

A slow job, run on demand by root (100 times: about a minute):

    bench/guard_kill9.py --times 100 build/src/cmd/tare

Every other time the process beside the guard is killed with it, and `tare guard --restore` is the
recovery. Spinners in three cgroups keep their quotas busy. Exit status 1 when a quota or a period
is not as before.
"""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path("/sys/fs/cgroup/cpu")
QUOTAS = (20000, 35000, 50000)
PERIOD_US = 100000
DEADLINE_S = 10


def make(i, quota):
    group = TOP / f"tare-bench-guard-{os.getpid()}-{i}"
    group.mkdir()
    (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
    (group / "cpu.cfs_quota_us").write_text(str(quota))
    spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    (group / "cgroup.procs").write_text(str(spinner.pid))
    return group, spinner


def quota_of(group):
    return tuple(int((group / f"cpu.cfs_{what}_us").read_text()) for what in ("quota", "period"))


def beside(pid):
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if pathlib.Path(f"/proc/{child}/comm").read_text().startswith("tare-guard-end"):
            return int(child)
    return None


def once(args, words, state, groups, both):
    """Were they under guard when it was killed?"""
    p = subprocess.Popen([args.tare, *words, "--policy", "charge", "--step", "10ms", "--quiet"])
    time.sleep(random.uniform(0, args.most))
    guarded = any(quota_of(g)[1] != PERIOD_US for g in groups)
    other = beside(p.pid) if both else None
    for pid in filter(None, (other, p.pid)):
        os.kill(pid, 9)
    p.wait()
    if both:
        subprocess.run([args.tare, *words, "--restore"], check=True, stdout=subprocess.DEVNULL)
    end = time.monotonic() + DEADLINE_S
    while (state / "state").exists() and time.monotonic() < end:
        time.sleep(0.002)
    return guarded


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--most", type=float, default=0.8, help="seconds until the kill, at most")
    parser.add_argument("tare")
    args = parser.parse_args()
    made = [make(i, quota) for i, quota in enumerate(QUOTAS)]
    groups = [group for group, _ in made]
    bad = guarded = 0
    try:
        with tempfile.TemporaryDirectory() as state:
            words = ["guard", "--state-dir", state, "--only", "--cgroup", ",".join(map(str, groups))]
            for i in range(args.times):
                guarded += once(args, words, pathlib.Path(state), groups, i % 2 == 1)
                for group, quota in zip(groups, QUOTAS):
                    if quota_of(group) != (quota, PERIOD_US):
                        print(f"time {i}: {group} has {quota_of(group)}")
                        bad += 1
    finally:
        for group, spinner in made:
            spinner.kill()
            spinner.wait()
            end = time.monotonic() + DEADLINE_S
            while group.exists() and time.monotonic() < end:
                try:
                    group.rmdir()
                except OSError:
                    time.sleep(0.002)
    print(f"{args.times} kills, {guarded} of them under guard; {bad} quotas not as before")
    return bad > 0


sys.exit(main())
