#!/usr/bin/env python3
"""Without what the accounting of softirqs needs, each command says what is missing, and does without where it can.

usage: refused.py TARE

Lockdown, by which no command is refused, needs a kernel that may be locked: tests/vm/kernels.py.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import QUICK, Tap, skip_all, strict_json  # noqa: E402

TARE = sys.argv[1]
MAX_TRIES = 10
BTF = "/sys/kernel/btf/vmlinux"
PRIVATE = ["unshare", "-m", "--", "sh", "-c"]
# What takes it away, and what is said then.
WITHOUT = (
    ("BTF", [*PRIVATE, f'mount -t tmpfs none {os.path.dirname(BTF)} && exec "$@"', "sh"],
     f"needs the kernel's BTF, {BTF}: CONFIG_DEBUG_INFO_BTF"),
    ("BTF that is one", [*PRIVATE, f'mount --bind /dev/null {BTF} && exec "$@"', "sh"],
     f"needs the kernel's BTF, which {BTF} is not"),
    ("CAP_BPF", ["setpriv", "--bounding-set=-bpf,-sys_admin", "--"], "needs root, or CAP_BPF and CAP_PERFMON"),
    ("CAP_PERFMON", ["setpriv", "--bounding-set=-perfmon,-sys_admin", "--"], "needs root, or CAP_BPF and CAP_PERFMON"),
)


def tare(prefix, *words, status):
    """Once more where an end got no CPU: a machine that is busy says nothing about the meter."""
    for _ in range(MAX_TRIES):
        done = subprocess.run([*prefix, TARE, *words], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 4:
            break
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done


def charge(prefix, why):
    for form in ([], ["--json"], ["--csv"]):
        done = tare(prefix, "charge", "--once", "--interval", "10ms", *form, status=3)
        assert done.stderr.startswith("tare: charge: ") and why in done.stderr and not done.stdout, done


def guard(prefix, why):
    """Nothing of it was begun: there is nothing to put back."""
    with tempfile.TemporaryDirectory() as state:
        # In a namespace of its own: one guard is at work in each.
        done = tare(["unshare", "-n", "--", *prefix], "guard", "--policy", "charge+drop", "--duration", "100ms", "--state-dir",
                    state, status=3)
        assert done.stderr.startswith("tare: guard: ") and why in done.stderr and not done.stdout, done
        assert not [f for f in os.listdir(state) if f != "lock"], os.listdir(state)


def run(prefix, why):
    """A meter less, said once."""
    done = strict_json(tare(prefix, "run", "--path", "hostnet", "--load", "stream:dir=tx", "--json", *QUICK,
                            status=0).stdout)
    said = [x for x in done["limits"] if why in x]
    assert len(said) == 1 and said[0].startswith("meter softirq is not available: "), done["limits"]
    assert done["trials"] and all(t["status"] == "ok" and not t["metered"] for t in done["trials"]), done["trials"]
    text = tare(prefix, "list", "meters", status=0).stdout
    assert [line for line in text.splitlines() if line.split()[:2] == ["softirq", "no"] and why in line], text


def main():
    if os.geteuid() != 0:
        skip_all("not root: everything is missing anyway")
    for tool in ("unshare", "setpriv"):
        if not shutil.which(tool):
            skip_all(f"no {tool}")
    tap = Tap()
    for what, prefix, why in WITHOUT:
        refused = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
        for command in (charge, guard, run):
            name = f"{command.__name__} without {what}"
            if refused.returncode:
                tap.skip(name, f"it can't be taken away: {refused.stderr.strip()}")
            else:
                tap.check(name, command, prefix, why)
    tap.done()


main()
