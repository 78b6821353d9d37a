#!/usr/bin/python3
"""Engines' networks as paths: measured for real, nothing left whatever ends it, clear words when it fails.

TAP. Usage: engine.py TARE
Runs in pid, network and mount namespaces of its own, so that others on the machine are not counted.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import tap

RUN_S = 60      # a run that takes longer hangs
JANITOR_S = 10  # sys/janitor.c takes less
# Files that an engine of the machine's own has; tare's has its own ones.
SHARED = ["/dev/shm", "/run", "/run/containers", "/run/libpod", "/etc/cni", "/etc/containers", "/var/lib/containers"]
OTHERS_TOO = ["/dev/shm", "/run"]  # other programs make files there all the time
TARE = os.path.abspath(sys.argv[1])
BRIDGE = ["run", "--path", "podman:bridge", "--load", "rr:proto=tcp", *tap.QUICK]


def alone():
    wrap = ["unshare", "--pid", "--fork", "--mount-proc", "--net"]
    if os.environ.get("ENGINE_ALONE"):
        for folder in OTHERS_TOO:
            subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
        return
    if os.geteuid() != 0:
        tap.skip_all("containers with cgroups need root")
    for program in ("podman", "runc", "unshare"):
        if not shutil.which(program):
            tap.skip_all(f"there is no program {program} (make deps-engine)")
    if subprocess.run([*wrap, "true"], capture_output=True, check=False).returncode:
        tap.skip_all("no pid namespace can be made here")
    os.environ["ENGINE_ALONE"] = "1"
    os.execvp(wrap[0], [*wrap, sys.executable, *sys.argv])


def start(args, path=None):
    env = dict(os.environ, PATH=path or os.environ["PATH"])
    return subprocess.Popen([TARE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def finish(p):
    out, err = p.communicate(timeout=RUN_S)
    return p.returncode, out, err


def others():
    """Processes besides this one; orphans are reaped, this is pid 1."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != os.getpid():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            pass
    return found


def cgroups(pids):
    mine = re.compile(rf"tare-{os.stat('/proc/self/ns/pid').st_ino}-({'|'.join(map(str, pids))})-")
    return [os.path.join(where, d) for where, dirs, _ in os.walk("/sys/fs/cgroup") for d in dirs if mine.match(d)]


def files():
    return {d: sorted(os.listdir(d)) for d in SHARED if os.path.isdir(d)}


def nothing_left(pid, before):
    deadline = time.monotonic() + JANITOR_S
    while True:
        rest = [others(), cgroups({pid}), [f"{d}: {n}" for d, n in files().items() if n != before.get(d)]]
        if not any(rest):
            return
        assert time.monotonic() < deadline, rest
        time.sleep(0.02)


def measures():
    before = files()
    p = start(["compare", "--path", "podman:bridge,podman:host", "--load", "stream:dir=tx,rr:proto=udp", "--json",
               *tap.QUICK])
    status, out, err = finish(p)
    assert status == 0, err
    run = tap.strict_json(out)
    paths = run["paths"]
    assert [(x["name"], x["status"]) for x in paths] == [
        ("native", "ok"), ("podman:bridge", "ok"), ("podman:host", "ok")], paths
    for x in [t["near"]["meters"]["softirq"] for t in run["trials"] if t["metered"] and t["status"] == "ok"]:
        assert x["far_known"] and x["far_rx_ns"] > 0 and x["context_known"], x  # by the engine's cgroup
    nothing_left(p.pid, before)


def killed(sig):
    before = files()
    for delay in (0.05, 0.3, 0.6, 1.0):
        p = start(BRIDGE)
        time.sleep(delay)
        p.send_signal(sig)
        finish(p)
        nothing_left(p.pid, before)


def with_fake(script, sig=None):
    """A run with @script as podman."""
    before = files()
    with tempfile.TemporaryDirectory() as d:
        fake = pathlib.Path(d) / "podman"
        fake.write_text("#!/bin/sh\n" + script)
        fake.chmod(0o755)
        p = start(BRIDGE, f"{d}:{os.environ['PATH']}")
        if sig:
            started = pathlib.Path(d) / "started"
            deadline = time.monotonic() + RUN_S
            while not started.exists():
                assert p.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            p.send_signal(sig)
        status, out, err = finish(p)
    nothing_left(p.pid, before)
    return status, out + err


def fails_with_reason():
    status, text = with_fake('echo "Error: no space left on the moon" >&2; exit 125\n')
    assert status == 4, (status, text)
    assert re.search(r"podman:bridge failed: podman network: .*status 125: Error: no space left on the moon", text), text


def lies():
    status, text = with_fake("exit 0\n")
    assert status == 4 and "podman did not say which process the container is" in text, (status, text)
    status, text = with_fake("for w; do case $w in *.pid) echo garbage > $w;; esac; done\n")
    assert status == 4 and "podman says 'garbage' where a process id belongs" in text, (status, text)


def hangs():
    begin = time.monotonic()
    status, text = with_fake("touch $(dirname $0)/started; exec sleep 1000\n", signal.SIGINT)
    assert status == 4 and "interrupted" in text, (status, text)
    assert time.monotonic() - begin < RUN_S / 2


def is_missing():
    with tempfile.TemporaryDirectory() as d:
        status, out, err = finish(start(BRIDGE, d))
    assert "podman:bridge skipped: there is no program podman (Debian: package podman)" in out, (status, out, err)


def docker_is_down():
    with tempfile.TemporaryDirectory() as d:
        fake = pathlib.Path(d) / "docker"
        fake.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
        fake.chmod(0o755)
        p = start(["run", "--path", "docker:bridge", "--load", "rr:proto=tcp", *tap.QUICK], f"{d}:{os.environ['PATH']}")
        _, out, _ = finish(p)
    assert "docker:bridge skipped: no docker daemon answers: docker ended with status 1: Cannot connect" in out, out


def refuses():
    for name, words in (("none", "a container without a network has nothing to measure"),
                        ("cni0", "path 'podman' has no network 'cni0'"),
                        ("macvlan,engine-user=nobody", "podman:macvlan needs root")):
        status, out, err = finish(start(["run", "--path", "podman:" + name, "--load", "rr"]))
        assert status == 2 and words in err and not out, (status, out, err)


alone()
t = tap.Tap()
t.check("bridge and host networks are measured", measures)
t.check("SIGKILL leaves nothing", killed, signal.SIGKILL)
t.check("SIGINT leaves nothing", killed, signal.SIGINT)
t.check("an engine that fails is quoted", fails_with_reason)
t.check("an engine that lies is not believed", lies)
t.check("an engine that hangs is left by Ctrl-C", hangs)
t.check("a missing engine is named with its package", is_missing)
t.check("a daemon that is down is told from a missing one", docker_is_down)
t.check("networks that can't be are refused", refuses)
t.done()
