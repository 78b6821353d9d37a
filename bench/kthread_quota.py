#!/usr/bin/env python3
"""Does a cgroup's CPU quota slow a kernel thread? Linux to 6.17: yes; 6.18 and later: no.

Run on demand by root; takes some seconds:

    bench/kthread_quota.py

A threaded NAPI's thread is moved into a cgroup of its own, and frames that cost it much are sent to
its device. Printed are its CPU time and what the cgroup says it was throttled. Everything is in
namespaces of its own, but the cgroup, which is removed.
"""
import contextlib
import glob
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import lab

SPAN_S = 1.0
FILTERS = 300  # that match nothing, each looked at for each frame
PERIOD_US = 100000
QUOTAS = (-1, 20000, 3000)


def run(*words, text=None):
    subprocess.run(words, check=True, input=text, text=True)


def thread_of(device):
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            if pathlib.Path(path).read_text().startswith(f"napi/{device}-"):
                return int(path.split("/")[2])
        except OSError:
            pass
    sys.exit(f"{device} has no thread: threaded NAPI is not to be had here")


def build():
    device, peer = f"tq{os.getpid() % 10000}a", f"tq{os.getpid() % 10000}b"
    run("ip", "link", "add", peer, "type", "veth", "peer", "name", device)
    lab.set_offload(peer, lab.ETHTOOL_STSO, 0)
    lab.set_offload(device, lab.ETHTOOL_SGRO, 1)
    for name in (peer, device):
        run("ip", "link", "set", name, "up")
    run("tc", "qdisc", "add", "dev", device, "clsact")
    run("tc", "-batch", "-", text="".join(
        f"filter add dev {device} ingress prio {i + 1} protocol all u32 match u32 0x{i:08x} 0xffffffff at 40\n"
        for i in range(FILTERS)))
    with tempfile.TemporaryDirectory() as sys_dir:
        run("mount", "-t", "sysfs", "none", sys_dir)
        (pathlib.Path(sys_dir) / f"class/net/{device}/threaded").write_text("1")
        run("umount", sys_dir)
    return device, peer


def flood(peer):
    end = time.monotonic() + SPAN_S
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((peer, 0))
        frame = b"\xff" * 6 + b"\x02" + b"\0" * 5 + b"\x88\xb5" + b"\xff" * 50
        while time.monotonic() < end:
            for _ in range(64):
                with contextlib.suppress(OSError):  # its ring is full: that is what it is for
                    s.send(frame)


def throttled(group):
    return dict(line.split() for line in (group / "cpu.stat").read_text().splitlines()).get("nr_throttled")


def measure(group, pid, peer):
    v1 = (group / "cpu.cfs_quota_us").exists()
    for quota in QUOTAS:
        if v1:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{'max' if quota < 0 else quota} {PERIOD_US}")
        used, was = lab.cpu_ns(pid), throttled(group)
        flood(peer)
        share = (lab.cpu_ns(pid) - used) / 1e9 / SPAN_S
        print(f"quota {'none' if quota < 0 else quota / PERIOD_US:>5}: thread {share:.3f} CPU, "
              f"throttled {int(throttled(group)) - int(was)} times")


def main():
    if "--inside" not in sys.argv:
        os.execvp("unshare", ["unshare", "-nm", sys.executable, __file__, "--inside"])
    top = pathlib.Path("/sys/fs/cgroup/cpu")
    group = (top if top.exists() else pathlib.Path("/sys/fs/cgroup")) / f"tare-bench-kthread-{os.getpid()}"
    device, peer = build()
    pid = thread_of(device)
    group.mkdir()
    try:
        (group / "cgroup.procs").write_text(str(pid))
        print(f"Linux {os.uname().release}")
        measure(group, pid, peer)
    finally:
        (group.parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()


main()
