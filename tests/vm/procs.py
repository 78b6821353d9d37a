"""QEMU processes, for the tests of guests."""

import pathlib
import signal
import time

GONE_S = 5


def children(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def is_qemu(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("qemu")
    except OSError:
        return False


def await_qemu(p, deadline_s):
    """The pid of the QEMU that this process starts."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline and p.poll() is None:
        found = [c for c in children(p.pid) if is_qemu(c)]
        if found:
            return found[0]
        time.sleep(0.01)
    p.kill()
    raise AssertionError("tare starts no QEMU: " + "".join(map(str, p.communicate())))


def await_gone(pid):
    deadline = time.monotonic() + GONE_S
    while is_qemu(pid):
        assert time.monotonic() < deadline, f"QEMU {pid} is still there"
        time.sleep(0.02)


def killed(start, deadline_s):
    """start() gives a running tare, with text pipes, and the pid of its QEMU."""
    p, qemu = start()
    p.send_signal(signal.SIGKILL)
    p.communicate(timeout=deadline_s)
    await_gone(qemu)


def interrupted_while_booting(start, deadline_s):
    """What it said on stdout and stderr."""
    p, qemu = start()
    begin = time.monotonic()
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=deadline_s)
    assert p.returncode == 4, (p.returncode, out, err)
    assert time.monotonic() - begin < 5, "it took long"
    await_gone(qemu)
    return out, err
