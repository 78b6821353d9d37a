#!/usr/bin/env python3
"""Guests as ends of paths, emulated: they carry traffic, leave nothing, and fail in plain words.

usage: vm.py TARE
TAP. Skips where there is no QEMU, no kernel for guests or no tap device, as tare says it.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
from procs import await_qemu, interrupted_while_booting, killed  # noqa: E402
from tap import QUICK, Tap, in_background, skip_all, strict_json  # noqa: E402

TARE = os.path.abspath(sys.argv[1])
RUN_S = 150  # on a busy machine; a boot that hangs is given up earlier
TCG = ["--accel", "tcg", *QUICK]


def run(*words, **env):
    with tempfile.TemporaryDirectory() as tmp:
        begin = time.monotonic()
        done = subprocess.run([TARE, *words], capture_output=True, text=True, check=False, timeout=RUN_S,
                              env={**os.environ, "TMPDIR": tmp, **env})
        assert not os.listdir(tmp), os.listdir(tmp)
        return done, time.monotonic() - begin


def said(done):
    """A document is long: only its reasons."""
    return (done.returncode, re.findall(r'"reason": "[^"]+"', done.stdout), done.stderr)


def carry_traffic():
    paths = "vm-e1000" + (",vm-vhost-user" if shutil.which("dpdk-testpmd") else "")
    # Of 100 ms a guest of a busy machine may get nothing one way.
    done, _ = run("compare", "--path", paths, "--load", "stream:dir=both", "--json", *TCG, "--time", "500ms")
    assert done.returncode == 0, said(done)
    doc = strict_json(done.stdout)
    for path in doc["paths"][1:]:
        assert path["status"] == "ok", path
        assert any("accel=tcg" in n for n in path["notes"]) and path["mark"] == "tcg", path
    for trial in doc["trials"]:
        assert trial["status"] == "ok", trial
    for path in paths.split(","):
        got = [t for t in doc["trials"] if t["path"] == path]
        for end in "near", "far":
            # in one short trial a busy machine may leave a guest no time at all
            assert sum(t[end]["bytes_rx"] for t in got) > 0, got


def other_ways():
    """A container in the guest, IPv6, two queues, no offloads, UDP; the CPU time is the machine's, as are softirqs."""
    done, _ = run("run", "--path", "vm-virtio-pod:vcpus=2,queues=2,offloads=off", "-6", "--load", "rr:proto=udp",
                  "--json", *TCG)
    assert done.returncode == 0, said(done)
    doc = strict_json(done.stdout)
    trials = [t for t in doc["trials"] if t["path"].startswith("vm-")]
    assert all(t["status"] == "ok" and t["watch"]["cpu"] for t in trials), trials
    for x in [t["near"]["meters"]["softirq"] for t in trials if t["metered"]]:
        assert x["far_known"] and x["far_rx_ns"] > 0 and x["far_tx_pkts"] > 0, x  # by the guest's tap


def both_ends_guests():
    done, _ = run("run", "--path", "vm-vm", "--between", "pods", "--load", "rr:proto=tcp", "--json", *TCG)
    assert done.returncode == 0, said(done)
    assert all(t["status"] == "ok" for t in strict_json(done.stdout)["trials"])


def start_guest():
    """A running tare and the pid of its QEMU."""
    p = subprocess.Popen([TARE, "run", "--path", "vm-virtio", "--load", "stream", "--accel", "tcg", "--time", "5s"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return p, await_qemu(p, RUN_S)


def interrupted():
    out, err = interrupted_while_booting(start_guest, RUN_S)
    assert "interrupted" in (out + err).lower(), out + err


def fake_qemu(script, path="vm-virtio"):
    """What is said of a path when QEMU is this script, and how long that took."""
    with tempfile.TemporaryDirectory() as where:
        fake = pathlib.Path(where, "qemu")
        fake.write_text("#!/bin/sh\n" + script)
        fake.chmod(0o755)
        done, took_s = run("run", "--path", path, "--qemu", str(fake), "--load", "rr", "--json", *TCG)
    assert done.returncode == 4, said(done)
    return strict_json(done.stdout)["paths"][1]["reason"], took_s


def qemu_fails():
    reason, took_s = fake_qemu("echo 'no such machine' >&2; exit 7\n")
    assert "QEMU ended with 7: no such machine" in reason, reason
    assert took_s < 10, took_s


def qemu_hangs():
    reason, took_s = fake_qemu("exec sleep 100\n")
    assert "did not start within" in reason, reason
    assert took_s < 25, took_s


def without_network():
    """QEMU with a NIC that leads nowhere, and with none: both boot, and both are given up."""
    cases = (("tap,id=net0,*) w=hubport,id=net0,hubid=0;;", "does not answer a ping"),
             ("virtio-net-pci,*) w=virtio-rng-pci;;", "no NIC has come up"))
    script = 'n=$#; for w; do case $w in\n%s\nesac; set -- "$@" "$w"; done; shift "$n"; exec qemu-system-x86_64 "$@"\n'
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for (_, expected), (reason, took_s) in zip(cases, pool.map(lambda c: fake_qemu(script % c[0]), cases)):
            assert expected in reason, reason
            assert took_s < 60, took_s


def out_of_memory():
    """A trial that needs more than the guest has fails, and says why; the next has a new agent."""
    done, _ = run("run", "--path", "vm-virtio", "--guest-memory", "128M", "--json", *TCG,
                  "--load", "rr:flows=256,proto=tcp,req=1M,rsp=1M,rr:proto=udp")
    of_guest = [t for t in strict_json(done.stdout)["trials"] if t["path"] == "vm-virtio"]
    assert "ran out of memory" in of_guest[0]["reason"], (of_guest[0]["status"], of_guest[0]["reason"])
    assert all(t["status"] == "ok" for t in of_guest[1:]), [t["reason"] for t in of_guest]


def port_to_port():
    """Frames through a guest that routes. On a busy machine some get lost on the way, with no guest too."""
    done, _ = run("frames", "--path", "pvp", "--accel", "tcg", "--dir", "both", "--count", "400", "--rate", "1k",
                  "--drain", "5s", "--json")
    assert done.returncode == 0, said(done)
    flows = strict_json(done.stdout)["flows"]
    assert len(flows) == 2, flows
    for flow in flows:
        assert flow["intended"] == flow["received"] + flow["lost"] == 400 and flow["received"] > 0, flow
        assert flow["duplicated"] == flow["corrupt"] == 0, flow


def port_to_port_loads():
    """A guest that bridges, and a pod beside a guest to one in it (BMP2VMP)."""
    paths = "pvp:nf=bridge,offloads=off,vm-virtio-pod:between=pods"
    done, _ = run("compare", "--path", paths, "-6", "--load", "rr", "--json", *TCG)
    assert done.returncode == 0, said(done)
    doc = strict_json(done.stdout)
    assert [p["kind"] for p in doc["paths"]] == ["native", "pvp", "vm-virtio-pod"], doc["paths"]
    pvp = doc["paths"][1]
    assert pvp["status"] == "ok" and pvp["mark"] == "tcg", pvp
    assert (pvp["config"]["nf"], pvp["config"]["offloads"]) == ("bridge", "off"), pvp
    assert all(t["status"] == "ok" for t in doc["trials"]), doc["trials"]
    assert not any(t["near_guest"] or t["far_guest"] for t in doc["trials"] if t["path"].startswith("pvp")), doc


def no_way_round_a_guest():
    """One of its NICs leads nowhere: nothing else joins the two ports."""
    script = 'n=$#; for w; do case $w in\ntap,id=net1,*) w=hubport,id=net1,hubid=0;;\nesac\n'
    script += 'set -- "$@" "$w"; done; shift "$n"; exec qemu-system-x86_64 "$@"\n'
    reason, _ = fake_qemu(script, "pvp")
    assert "no packet came through" in reason, reason


def scenarios():
    done, _ = run("list", "scenarios")
    rows = {line.split()[0]: line.split()[1:4] for line in done.stdout.splitlines()[1:]}
    assert rows["pvp"] == ["yes", "N/S", "pvp"], rows["pvp"]
    assert rows["bmp2vmp"] == ["yes", "E/W", "vm-virtio-pod:between=pods"], rows["bmp2vmp"]


def what_is_missing():
    for words, expected in ((["--qemu", "qemu-nosuch"], "make deps-vm"),
                            (["--guest-dir", "/nowhere"], "no kernel for a guest")):
        done, took_s = run("run", "--path", "vm-virtio", "--load", "rr", *words, *TCG)
        assert done.returncode == 3, (done.returncode, done.stdout, done.stderr)
        assert expected in done.stdout + done.stderr, done.stdout + done.stderr
        assert took_s < 10, took_s


def refused():
    for path, expected in (("vm-e1000:queues=2", "virtio"), ("vm-virtio:queues=2", "vcpus"),
                           ("vm-vm", "between"), ("pvp:nf=tc", "route or bridge"), ("pvp:instances=2", "one guest"),
                           ("pvp:nfs=2", "one guest"), ("pvp:queues=2", "vcpus"), ("pvp:between=pods", "a port at each")):
        done, _ = run("run", "--path", path, "--load", "rr", *TCG)
        assert done.returncode == 2 and expected in done.stderr, (path, done.returncode, done.stderr)


def mtu_of_a_nic():
    """What a NIC can't do makes its path unavailable, in the guest's words."""
    done, _ = run("run", "--path", "vm-rtl8139", "--mtu", "9000", "--load", "rr", *TCG)
    assert done.returncode == 3 and "MTU of 9000" in done.stdout + done.stderr, done.stdout + done.stderr


def main():
    done = subprocess.run([TARE, "list", "paths"], capture_output=True, text=True, check=False)
    row = next(line.split(None, 2) for line in done.stdout.splitlines() if line.split()[:1] == ["vm-virtio"])
    if row[1] != "yes":
        skip_all(row[2])
    tap = Tap()
    pool = concurrent.futures.ThreadPoolExecutor()
    hangs, no_network = in_background(pool, qemu_hangs), in_background(pool, without_network)
    no_way_round = in_background(pool, no_way_round_a_guest)
    tap.check("guests carry traffic both ways", carry_traffic)
    tap.check("a container in a guest: queues, IPv6, UDP, no offloads", other_ways)
    tap.check("both ends are guests", both_ends_guests)
    tap.check("kill -9 leaves no QEMU", killed, start_guest, RUN_S)
    tap.check("SIGINT ends a boot", interrupted)
    tap.check("QEMU that fails is quoted", qemu_fails)
    tap.check("QEMU that hangs is given up", hangs)
    tap.check("a guest without network is given up", no_network)
    tap.check("frames through a guest, port to port", port_to_port)
    tap.check("a guest that bridges; from pod to pod in a guest", port_to_port_loads)
    tap.check("no way round a guest", no_way_round)
    tap.check("scenarios with guests", scenarios)
    tap.check("a guest out of memory says so", out_of_memory)
    tap.check("what is missing is said", what_is_missing)
    tap.check("what can't be is refused", refused)
    tap.check("an MTU that the NIC has not", mtu_of_a_nic)
    tap.done()


main()
