#!/usr/bin/env python3
"""tare guest: a command under another kernel on this machine's files.

usage: guest.py TARE
TAP. Skips where there is no QEMU or no kernel for guests, as tare says it.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
from procs import await_qemu, interrupted_while_booting, killed  # noqa: E402
from tap import QUICK, Tap, skip_all, strict_json  # noqa: E402

TARE = os.path.abspath(sys.argv[1])
RUN_S = 150  # on a busy machine; a boot that hangs is given up earlier
SEEN = bytes(range(256)) * 8192  # 2 MiB: more than all buffers on the way

# A process that stays behind holds both streams open, and the output ends all the same.
SCRIPT = """
cat && pwd > /dev/stderr && echo changed > file && grep -q ' tare.a=1 tare.b$' /proc/cmdline && ping -c 1 127.0.0.1 > /dev/null || exit 1
"$TARE" run --path ipvlan-l2 --load rr --json "$@"
echo "tare $?" >&2
sleep 1000 &
cat seen >&2
exit 7
"""


def guest(*words, **args):
    return subprocess.run([TARE, "guest", *words], capture_output=True, check=False, timeout=RUN_S, **args)


def runs_a_command():
    with tempfile.TemporaryDirectory(dir=pathlib.Path(TARE).parent) as tmp:
        pathlib.Path(tmp, "file").write_text("as it was\n")
        pathlib.Path(tmp, "seen").write_bytes(SEEN)
        done = guest("--append", "tare.a=1 tare.b", "--", "sh", "-c", SCRIPT, "sh", *QUICK, cwd=tmp, input=b"not for the guest",
                     env={**os.environ, "TARE": TARE})
        assert sorted(os.listdir(tmp)) == ["file", "seen"], os.listdir(tmp)
        assert pathlib.Path(tmp, "file").read_text() == "as it was\n"
    assert done.returncode == 7, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    head = f"{tmp}\ntare 0\n".encode()
    assert done.stderr == head + SEEN, (len(done.stderr), done.stderr[:200], done.stderr[-200:])
    doc = strict_json(done.stdout.decode())
    assert [p["status"] for p in doc["paths"]] == ["ok", "ok"], doc["paths"]
    assert doc["environment"]["emulated"] is True, doc["environment"]
    assert any("emulated" in text for text in doc["limits"]), doc["limits"]
    assert not any("cgroup" in text for text in doc["limits"]), doc["limits"]


def folder_is_not_there():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as tmp:
        done = guest("--", "true", cwd=tmp)
    assert done.returncode == 126 and b"no folder " + tmp.encode() in done.stderr, done


def start():
    p = subprocess.Popen([TARE, "guest", "--", "sleep", "1000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    return p, await_qemu(p, RUN_S)


def interrupted():
    out, err = interrupted_while_booting(start, RUN_S)
    assert "interrupted" in err, (out, err)


def what_can_not_be():
    for words, status, expected in (
            ([], 2, b"which command"),
            (["--guest-dir", "/nowhere", "--", "true"], 3, b"no kernel for a guest"),
            (["--qemu", "qemu-nosuch", "--", "true"], 3, b"make deps-vm"),
            (["--qemu", "false", "--", "true"], 4, b"QEMU ended with 1"),
            (["--", "echo", b"\xff"], 4, b"UTF-8")):
        done = guest(*words)
        assert done.returncode == status and expected in done.stderr and not done.stdout, done


def main():
    if not shutil.which("qemu-system-x86_64"):
        skip_all("there is no qemu-system-x86_64: make deps-vm")
    done = guest("--qemu", "false", "--", "true")
    if done.returncode == 3:
        skip_all(done.stderr.decode().strip())
    tap = Tap()
    tap.check("a command runs, measures, and changes nothing", runs_a_command)
    tap.check("a folder that the guest has not", folder_is_not_there)
    tap.check("kill -9 leaves no QEMU", killed, start, RUN_S)
    tap.check("SIGINT ends a boot", interrupted)
    tap.check("what can't be is said", what_can_not_be)
    tap.done()


main()
