#!/usr/bin/env python3
"""tare guard on cgroups of the test's own: quotas while it runs, and as they were after it, however it ends.

usage: guard.py TARE SOURCE_ROOT
"""

import concurrent.futures
import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, in_background, skip_all, until  # noqa: E402

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000  # sched.h
DEADLINE_S = 20
NUMBERS = itertools.count()
V1 = pathlib.Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").exists()
TOP = pathlib.Path("/sys/fs/cgroup/cpu" if V1 else "/sys/fs/cgroup")


def set_quota(group, quota, period):
    """-1: none"""
    if V1:
        (group / "cpu.cfs_period_us").write_text(str(period))
        (group / "cpu.cfs_quota_us").write_text(str(quota))
    else:
        (group / "cpu.max").write_text(f"{'max' if quota < 0 else quota} {period}")


def get_quota(group):
    if V1:
        return tuple(int((group / f"cpu.cfs_{what}_us").read_text()) for what in ("quota", "period"))
    quota, period = (group / "cpu.max").read_text().split()
    return -1 if quota == "max" else int(quota), int(period)


class Tenant:
    """A cgroup with a sleeper in it."""

    def __init__(self, stack, path, quota=20000):
        self.group = path
        self.begin(quota)
        stack.callback(self.end)

    def begin(self, quota):
        self.group.mkdir()
        self.sleeper = self.sleep()
        set_quota(self.group, quota, 100000)
        (self.group / "cgroup.procs").write_text(str(self.sleeper.pid))

    def sleep(self):
        return subprocess.Popen(["sleep", "1000"])

    def end_sleeper(self):
        self.sleeper.kill()
        self.sleeper.wait()

    def end(self):
        self.end_sleeper()
        self.remove()

    def remove(self):
        until(lambda: self.try_remove(), "the cgroup can be removed")

    def try_remove(self):
        try:
            self.group.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return False
        return True

    def quota(self):
        return get_quota(self.group)

    def guarded(self):
        return self.quota()[1] == 20000


class Scene(Tenant):
    """One, or more, and a directory for the guard's state."""

    def __init__(self, stack, quota=20000):
        super().__init__(stack, TOP / f"tare-test-guard-cli-{os.getpid()}-{next(NUMBERS)}", quota)
        self.groups = [self.group]
        self.state = stack.enter_context(tempfile.TemporaryDirectory())

    def words(self, *more):
        return [TARE, "guard", "--state-dir", self.state, "--only", "--cgroup", ",".join(map(str, self.groups)),
                "--interval", "200ms", "--irq", "0", *more]

    def start(self, stack, *more, **how):
        p = subprocess.Popen(self.words(*more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
        stack.callback(lambda: (p.kill(), p.communicate()))
        return p

    def start_guarding(self, stack, *more, **how):
        p = self.start(stack, "--policy", "charge", *more, **how)
        until(self.guarded, "the guard has the cgroup")
        return p

    def noted(self):
        state = pathlib.Path(self.state, "state")
        return [line.split()[1:4] for line in state.read_text().splitlines() if line.startswith("cgroup ")]

    def run(self, *more):
        return subprocess.run(self.words(*more), capture_output=True, text=True, check=False, timeout=60)


def guarded_line(p):
    while True:
        row = json.loads(p.stdout.readline())
        if row["containers"] and row["containers"][0]["guarded"]:
            return row


def row_until(p, test):
    """The first row of a line of JSON that is as wanted."""
    while True:
        for row in json.loads(p.stdout.readline())["containers"]:
            if test(row):
                return row


def beside(p):
    """The process that puts quotas back when the guard is killed."""
    children = pathlib.Path(f"/proc/{p.pid}/task/{p.pid}/children").read_text().split()
    return [int(c) for c in children if "tare-guard-end" in pathlib.Path(f"/proc/{c}/comm").read_text()]


def kill_both(p):
    p.send_signal(signal.SIGSTOP)  # or it would have the other one replaced
    for pid in beside(p):
        os.kill(pid, signal.SIGKILL)
    p.kill()
    p.wait()


def lines(p):
    return [json.loads(line) for line in p.stdout.splitlines()]


def observe_touches_nothing():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.run("--json-stream", "--duration", "400ms")
        assert p.returncode == 0, p.stderr
        assert get_quota(s.group) == (20000, 100000)
        all_lines = lines(p)
        assert [x["event"] for x in all_lines][::len(all_lines) - 1] == ["start", "end"]
        for x in all_lines:
            for c in x["containers"]:
                assert c["policy"] == "observe" and not c["guarded"], c
        check_schema(all_lines)


def check_schema(all_lines):
    text = subprocess.run([TARE, "doc", "guard-schema"], capture_output=True, text=True, check=True).stdout
    assert text == (ROOT / "docs/schema/tare-guard-1.json").read_text(), \
        "run: tare doc guard-schema > docs/schema/tare-guard-1.json"
    try:
        import jsonschema
    except ImportError:
        return
    validator = jsonschema.Draft202012Validator(json.loads(text))
    for x in all_lines:
        validator.validate(x)


def charge_then_sigterm():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.start(stack, "--policy", "charge", "--json-stream")
        until(s.guarded, "the guard has the cgroup")
        assert get_quota(s.group) == (4000, 20000)
        row = guarded_line(p)
        assert row["containers"][0]["budget_cpus"] == 0.2, row
        check_schema([row])
        p.send_signal(signal.SIGTERM)
        assert p.wait(DEADLINE_S) == 0
        assert get_quota(s.group) == (20000, 100000)
        assert os.listdir(s.state) == ["lock"]


def killed():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        for _ in range(2):
            p = s.start(stack, "--policy", "charge")
            until(s.guarded, "the guard has the cgroup")
            p.kill()
            p.wait()
            until(lambda: os.listdir(s.state) == ["lock"], "the state is gone")
            assert get_quota(s.group) == (20000, 100000)


def killed_with_the_process_beside_it():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.start_guarding(stack)
        assert len(beside(p)) == 1
        kill_both(p)
        assert get_quota(s.group) == (4000, 20000), "nobody is left to put it back"
        back = s.run("--restore")
        assert (back.returncode, back.stdout) == (
            0, "tare: guard: 1 cgroup put back as it was before a guard that ended\n"), back
        assert get_quota(s.group) == (20000, 100000)
        again = s.run("--restore")
        assert (again.returncode, again.stdout) == (0, ""), again


def process_beside_it_killed():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.start_guarding(stack)
        first = beside(p)
        os.kill(first[0], signal.SIGKILL)
        until(lambda: beside(p) and beside(p) != first, "there is another one")
        p.kill()
        p.wait()
        until(lambda: os.listdir(s.state) == ["lock"], "the state is gone")
        assert s.quota() == (20000, 100000)


def restore_refused():
    """the cgroup above has less by now, which the guard's lower quota allowed"""
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        above = TOP / f"tare-test-guard-cli-above-{os.getpid()}"
        above.mkdir()
        stack.callback(above.rmdir)
        t = Tenant(stack, above / "t", 50000)
        s.groups.append(t.group)
        rules = ["--container", "t:charge,cpus=0.1;*:charge", "--json-stream"]
        p = s.start(stack, *rules)
        until(lambda: s.guarded() and t.guarded(), "the guard has both cgroups")
        kill_both(p)
        set_quota(above, 30000, 100000)

        p = s.run("--restore")
        assert p.returncode == 4, p
        assert p.stdout == "tare: guard: 1 cgroup put back as it was before a guard that ended\n", p
        assert p.stderr.startswith(f"tare: guard: not put back, still noted: {t.group}: ") and p.stderr.count("\n") == 1, p
        assert (s.quota(), t.quota()) == ((20000, 100000), (30000, 100000)), "the other, and as much as there is"
        assert len(s.noted()) == 1 and s.noted()[0][1:] == ["50000", "100000"], s.noted()

        p = s.start(stack, *rules)
        until(s.guarded, "a guard starts all the same")
        row = row_until(p, lambda row: str(t.group).endswith(row["cgroup"]) and row["why"])
        assert not row["guarded"] and "can't be put back as it was" in row["why"], row
        assert t.quota() == (30000, 100000)
        p.send_signal(signal.SIGTERM)
        _, words = p.communicate(timeout=DEADLINE_S)
        assert p.returncode == 4 and f"not put back as it was: {t.group}: " in words, (p.returncode, words)
        assert s.quota() == (20000, 100000) and len(s.noted()) == 1

        p = s.start(stack, *rules)
        until(s.guarded, "a guard starts once more")
        set_quota(above, -1, 100000)
        until(t.guarded, "what can be put back is, and is guarded")
        p.send_signal(signal.SIGTERM)
        assert p.wait(DEADLINE_S) == 0, p.stderr.read()
        assert t.quota() == (50000, 100000)
        assert os.listdir(s.state) == ["lock"]


def restore_read_only():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        kill_both(s.start_guarding(stack))
        locked = ["unshare", "-m", "sh", "-ec", 'mount -o remount,bind,ro "$0"; exec "$@"', str(TOP)]
        p = subprocess.run(locked + s.words("--restore"), capture_output=True, text=True, check=False)
        assert p.returncode == 4 and p.stdout == "", p
        assert f"not put back, still noted: {s.group}: " in p.stderr and "Read-only file system" in p.stderr, p
        assert s.run("--restore").returncode == 0
        assert s.quota() == (20000, 100000)


def second_refuses():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.start(stack, "--policy", "charge")
        until(s.guarded, "the guard has the cgroup")
        for more in ([], ["--restore"]):
            second = s.run(*more)
            assert second.returncode == 3, second
            assert second.stderr == \
                f"tare: guard: {s.state}: another guard is at work: process {p.pid}\n", second
        assert get_quota(s.group) == (4000, 20000)


def second_with_its_own_state_refuses():
    """as before Linux 6.6 both would have the same tc filter"""
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.start_guarding(stack)
        other = stack.enter_context(tempfile.TemporaryDirectory())
        words = [other if w == s.state else w for w in s.words("--policy", "charge", "--duration", "400ms")]

        def second(*before):
            return subprocess.run([*before, *words], capture_output=True, text=True, check=False, timeout=60)

        refused = second()
        assert (refused.returncode, refused.stderr) == (
            3, f"tare: guard: another guard is at work in this network namespace: process {p.pid}\n"), refused
        elsewhere = second("unshare", "-n")
        assert elsewhere.returncode == 0 and "another guard" in elsewhere.stdout, elsewhere
        assert s.quota() == (4000, 20000)
        p.kill()
        p.wait()
        assert second().returncode == 0, "kill -9 frees it"
        assert s.quota() == (20000, 100000)


def claimed_until_it_is_put_back():
    """or another guard would take what a killed one has made of a quota for what was before"""
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.start_guarding(stack)
        other = stack.enter_context(tempfile.TemporaryDirectory())
        words = [other if w == s.state else w for w in s.words("--policy", "charge", "--json-stream")]
        second = subprocess.Popen(["unshare", "-n", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stack.callback(lambda: (second.kill(), second.communicate()))
        row_until(second, lambda row: row["why"] == "another guard has its cgroup")
        watcher = os.pidfd_open(beside(p)[0])
        stack.callback(os.close, watcher)
        stack.callback(lambda: s.quota() == (20000, 100000) or signal.pidfd_send_signal(watcher, signal.SIGCONT))
        signal.pidfd_send_signal(watcher, signal.SIGSTOP)
        p.kill()
        p.wait()
        for _ in range(8):  # it tries again each second
            row = row_until(second, lambda row: True)
            assert not row["guarded"] and row["why"] == "another guard has its cgroup", row
        signal.pidfd_send_signal(watcher, signal.SIGCONT)
        row_until(second, lambda row: row["guarded"])
        second.kill()
        second.wait()
        until(lambda: os.listdir(other) == ["lock"], "the state is gone")
        assert s.quota() == (20000, 100000)


def removed_meanwhile():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.start_guarding(stack, "--json-stream")
        s.end()
        row_until(p, lambda row: row["gone"])
        assert p.poll() is None
        p.send_signal(signal.SIGINT)
        assert p.wait(DEADLINE_S) == 0, p.stderr.read()


def another_of_the_same_path():
    """within one step: what the new cgroup had is noted, never what the old one had"""
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.start_guarding(stack)
        for quota in (30000, 40000, 50000):
            p.send_signal(signal.SIGSTOP)
            s.end()
            s.begin(quota)
            p.send_signal(signal.SIGCONT)
            until(lambda: s.quota() == (quota // 5, 20000), "the guard has the new cgroup")
            until(lambda: len(s.noted()) == 1, "the old one is forgotten")
            assert s.noted() == [[str(s.group.stat().st_ino), str(quota), "100000"]], s.noted()
        kill_both(p)
        assert s.run("--restore").returncode == 0
        assert s.quota() == (50000, 100000)


def renamed_meanwhile():
    """it is found by its number; who has its name now is left alone"""
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        name = s.group
        for end in (signal.SIGTERM, signal.SIGKILL):
            p = s.start_guarding(stack)
            p.send_signal(signal.SIGSTOP)
            s.group = name.rename(f"{name}-renamed")
            name.mkdir()
            stack.callback(lambda: name.exists() and not s.group == name and name.rmdir())
            set_quota(name, 4000, 20000)
            p.send_signal(end)
            p.send_signal(signal.SIGCONT)
            p.wait(DEADLINE_S)
            until(lambda: os.listdir(s.state) == ["lock"], "the state is gone")
            assert s.quota() == (20000, 100000), end
            assert get_quota(name) == (4000, 20000), end
            name.rmdir()
            s.group = s.group.rename(name)


def signals():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        for end, code in ((signal.SIGHUP, 0), (signal.SIGINT, 0), (signal.SIGQUIT, -signal.SIGQUIT),
                          (signal.SIGUSR1, -signal.SIGUSR1)):
            p = s.start_guarding(stack)
            p.send_signal(end)
            assert p.wait(DEADLINE_S) == code, end
            until(lambda: os.listdir(s.state) == ["lock"], "the state is gone")
            assert s.quota() == (20000, 100000), end
        # Of a whole group of processes: the process beside the guard is in another. SIGTSTP would be no word to a group
        # whose parents are of another session.
        p = s.start_guarding(stack, "--json-stream", start_new_session=True)
        os.killpg(p.pid, signal.SIGSTOP)
        until(lambda: s.quota() == (20000, 100000), "a guard that is stopped has no quota")
        os.killpg(p.pid, signal.SIGCONT)
        guarded_line(p)
        os.killpg(p.pid, signal.SIGTERM)
        assert p.wait(DEADLINE_S) == 0
        assert s.quota() == (20000, 100000)


def streams():
    """closed, with a reader that goes, and with one that does not read"""
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        for how, code in (("<&- exec", 0), (">&- exec", 3)):
            p = subprocess.run(["sh", "-c", f'{how} "$@"', "sh",
                                *s.words("--policy", "charge", "--duration", "400ms")], capture_output=True, check=False)
            assert p.returncode == code, (how, p)
            assert s.quota() == (20000, 100000), how
        p = s.start_guarding(stack)
        p.stdout.readline()
        p.stdout.close()  # as head -1
        assert p.wait(DEADLINE_S) == 3
        assert s.quota() == (20000, 100000)
        p = s.start_guarding(stack, "--json-stream")
        fcntl.fcntl(p.stdout, fcntl.F_SETPIPE_SZ, 4096)
        until(lambda: s.quota() == (20000, 100000), "a guard that waits for its reader has no quota")
        p.stdout.close()
        assert p.wait(DEADLINE_S) == 3
        assert s.quota() == (20000, 100000)


def fill(path):
    with open(path, "wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(bytes(4096))


def disk_full():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tare-test", s.state], check=True)
        stack.callback(lambda: subprocess.run(["umount", "-l", s.state], check=True))
        full = pathlib.Path(s.state, "full")
        fill(full)
        p = s.run("--policy", "charge")
        assert p.returncode == 4 and "No space left on device" in p.stderr, p
        assert s.quota() == (20000, 100000)
        assert sorted(os.listdir(s.state)) == ["full", "lock"]

        late = Tenant(stack, s.group.with_name(f"{s.group.name}-late"), -1)
        s.groups.append(late.group)
        for end in ("another that can't be noted", "kill -9"):
            full.unlink()
            p = s.start_guarding(stack)
            fill(full)
            if end == "kill -9":
                p.kill()
            else:
                set_quota(late.group, 50000, 100000)
            assert p.wait(DEADLINE_S) == (-signal.SIGKILL if end == "kill -9" else 4), end
            until(lambda: sorted(os.listdir(s.state)) == ["full", "lock"], "the state is gone")
            assert s.quota() == (20000, 100000), end
            set_quota(late.group, -1, 100000)


def no_quota():
    with contextlib.ExitStack() as stack:
        s = Scene(stack, quota=-1)
        p = s.run("--policy", "charge", "--duration", "400ms")
        assert p.returncode == 0, p
        assert "nothing to charge against" in p.stdout, p
        assert get_quota(s.group) == (-1, 100000)
        p = s.start(stack, "--container", "*:charge,cpus=0.5")
        until(lambda: get_quota(s.group) == (10000, 20000), "it has the budget that was asked for")
        p.send_signal(signal.SIGTERM)
        assert p.wait(DEADLINE_S) == 0
        assert get_quota(s.group) == (-1, 100000)


def rule_for_nobody():
    """A mistake in a name is said, once, and who it is not said of is guarded."""
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        p = s.run("--container", f"{s.group.name}:charge;no-such-*:charge", "--duration", "1s")
        assert p.returncode == 0, p
        said = [line for line in p.stderr.splitlines() if "fits no container so far" in line]
        assert len(said) == 1 and "'no-such-*'" in said[0], p.stderr
        head, row = [line for line in p.stdout.splitlines() if " s, in CPUs" not in line][-2:]
        columns = dict(zip(head.split(), row.split()))
        assert columns["name"] == s.group.name and columns["policy"] == "charge", p.stdout
        assert columns["budget"] == "0.200" and columns["state"] == "guarded", p.stdout


def drop_goes_with_it():
    """programs hang on links, which go with the process"""
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        device = f"tgd{os.getpid() % 100000}"
        inside = ["unshare", "-n", "sh", "-ec",
                  f"ip link add {device} type veth peer name {device}p; ip link set {device} up; exec \"$@\"", "sh"]
        p = subprocess.Popen(inside + s.words("--container", "*:charge+drop,protect=22", "--nic", device,
                                              "--json-stream"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stack.callback(lambda: (p.kill(), p.communicate()))
        until(s.guarded, "the guard has the cgroup")
        row = guarded_line(p)
        assert row["containers"][0]["policy"] == "charge+drop" and not row["containers"][0]["why"], row
        check_schema([row])
        p.kill()
        p.wait()
        until(lambda: os.listdir(s.state) == ["lock"], "the state is gone")
        assert get_quota(s.group) == (20000, 100000)
        bad = s.run("--policy", "charge+drop", "--nic", "nosuch0")
        assert (bad.returncode, bad.stderr) == (3, "tare: guard: device 'nosuch0': No such device\n"), bad


def in_netns(p, *words):
    return ["nsenter", "-t", str(p.pid), "-n", *words]


def ip(p, *words):
    subprocess.run(in_netns(p, "ip", *words), check=True)


def sleep_in_netns():
    """Returns when it is in a network namespace of its own."""
    p = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE)
    p.stdout.readline()
    return p


class Pod(Tenant):
    """In a network namespace of its own, with a device whose other half is in the host's."""

    def __init__(self, stack, host, name):
        super().__init__(stack, TOP / f"tare-test-guard-{os.getpid()}-{name}")
        ip(host, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(self.sleeper.pid))
        ip(host, "link", "set", name, "up")
        ip(self.sleeper, "link", "set", "eth0", "up")

    def sleep(self):
        return sleep_in_netns()

    def end_sleeper(self):
        super().end_sleeper()
        self.sleeper.stdout.close()

    def addr(self, verb, addr):
        ip(self.sleeper, "addr", verb, addr, "dev", "eth0")


def addresses_are_followed():
    """one container gives itself the address of another, which no rule names"""
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory())
        host = sleep_in_netns()
        stack.callback(lambda: (host.kill(), host.communicate()))
        ip(host, "link", "add", "nic", "type", "veth", "peer", "name", "wire")
        a, b = Pod(stack, host, "pod-a"), Pod(stack, host, "pod-b")
        a.addr("add", "198.18.0.10/24")
        p = subprocess.Popen(in_netns(host, TARE, "guard", "--state-dir", state, "--only", "--json-stream",
                                      "--cgroup", f"{a.group},{b.group}", "--interval", "100ms", "--nic", "nic",
                                      "--irq", "0", "--container", "*-pod-a:charge+drop,publish=tcp:8080"),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stack.callback(lambda: (p.kill(), p.communicate()))

        def says(why):
            rows = json.loads(p.stdout.readline())["containers"]
            return any(c["why"] == why for c in rows if c["name"] == a.group.name and c["guarded"])
        until(lambda: says(""), "it is guarded")
        b.addr("add", "198.18.0.11/24")
        for _ in range(2):
            a.addr("add", "198.18.0.11/32")
            until(lambda: says(f"198.18.0.11 is {b.group.name}'s, too: packets to it pass --nic"), "it is contested")
            a.addr("del", "198.18.0.11/32")
            until(lambda: says(""), "it is not any more")
        p.send_signal(signal.SIGTERM)
        assert p.wait(DEADLINE_S) == 0, p.stderr.read()


class Wire:
    """A namespace with a veth pair, held by a sleeper; its sysfs, as only that namespace's shows its devices."""

    def __init__(self, stack, flush=5000, defer=1):
        self.dev = f"tgm{os.getpid() % 100000}"
        self.holder = subprocess.Popen(
            ["unshare", "-nm", "sh", "-ec", f"ip link add {self.dev} type veth peer name {self.dev}p; "
             "mount -t sysfs tare-test /sys; echo ready; exec sleep 1000"], stdout=subprocess.PIPE, text=True)
        stack.callback(lambda: (self.holder.kill(), self.holder.communicate()))
        assert self.holder.stdout.readline() == "ready\n"
        self.at = pathlib.Path(f"/proc/{self.holder.pid}/root/sys/class/net/{self.dev}")
        self.set(flush, defer)

    def set(self, flush, defer):
        (self.at / "gro_flush_timeout").write_text(str(flush))
        (self.at / "napi_defer_hard_irqs").write_text(str(defer))

    def get(self):
        return tuple(int((self.at / name).read_text()) for name in ("gro_flush_timeout", "napi_defer_hard_irqs"))

    def start(self, stack, scene, *more):
        p = subprocess.Popen(in_netns(self.holder, *scene.words(*more)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stack.callback(lambda: (p.kill(), p.communicate()))
        return p


def moderated_while_it_runs():
    with contextlib.ExitStack() as stack:
        s, w = Scene(stack), Wire(stack)
        p = w.start(stack, s, "--moderate", w.dev, "--json-stream")
        until(lambda: w.get() == (200000, 2), "the device is polled by a timer")
        assert json.loads(p.stdout.readline())["config"]["moderate"] == w.dev
        p.send_signal(signal.SIGINT)
        assert p.wait(DEADLINE_S) == 0, p.stderr.read()
        assert w.get() == (5000, 1) and os.listdir(s.state) == ["lock"]


def moderated_and_killed():
    """by the process beside it, and by --restore from another namespace; what somebody has set stays"""
    with contextlib.ExitStack() as stack:
        s, w = Scene(stack), Wire(stack)
        p = w.start(stack, s, "--moderate", f"{w.dev}=1ms")
        until(lambda: w.get() == (1000000, 2), "the device is polled by a timer")
        p.kill()
        p.wait()
        until(lambda: os.listdir(s.state) == ["lock"], "the state is gone")
        assert w.get() == (5000, 1)
        for flush, defer in ((1000000, 2), (1000000, 7)):
            p = w.start(stack, s, "--moderate", f"{w.dev}=1ms")
            until(lambda: w.get() == (1000000, 2), "the device is polled by a timer")
            kill_both(p)
            w.set(flush, defer)
            back = s.run("--restore")
            assert (back.returncode, back.stdout) == (
                0, "tare: guard: 1 device put back as it was before a guard that ended\n"), back
            assert w.get() == (5000, defer if defer == 7 else 1)
            w.set(5000, 1)


def moderated_and_refused():
    """what may not be entered is not gone"""
    with contextlib.ExitStack() as stack:
        s, w = Scene(stack), Wire(stack)
        p = w.start(stack, s, "--moderate", w.dev)
        until(lambda: w.get() == (200000, 2), "the device is polled by a timer")
        kill_both(p)
        p = subprocess.run(["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", *s.words("--restore")],
                           capture_output=True, text=True, check=False)
        assert (p.returncode, p.stdout) == (4, ""), p
        assert p.stderr.startswith("tare: guard: not put back, still noted: device ") and p.stderr.count("\n") == 1, p
        assert w.get() == (200000, 2)
        assert s.run("--restore").returncode == 0 and os.listdir(s.state) == ["lock"]
        assert w.get() == (5000, 1)


def moderated_and_gone():
    """a device, and a namespace with all that was in it"""
    with contextlib.ExitStack() as stack:
        s, w = Scene(stack), Wire(stack)
        p = w.start(stack, s, "--moderate", w.dev)
        until(lambda: w.get() == (200000, 2), "the device is polled by a timer")
        ip(w.holder, "link", "del", w.dev)
        p.send_signal(signal.SIGINT)
        assert p.wait(DEADLINE_S) == 0, p.stderr.read()
        w = Wire(stack)
        p = w.start(stack, s, "--moderate", w.dev)
        until(lambda: w.get() == (200000, 2), "the device is polled by a timer")
        kill_both(p)
        w.holder.kill()
        w.holder.wait()
        assert s.run("--restore").returncode == 0 and os.listdir(s.state) == ["lock"]


def moderate_refused():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        for words, status, message in (
                ("eth0,eth0=1ms", 2, "'eth0' stands twice"),
                ("eth0=1", 2, "'1' is not a time with its unit, such as 500ms or 10s"),
                ("eth0=20ms", 2, "'20ms' is not from 1us to 10ms"),
                ("eth0=", 2, "'' is not a time with its unit, such as 500ms or 10s"),
                ("eth0,", 2, "'' is no name of a device"),
                ("../lo", 2, "'../lo' is no name of a device"),
                ("nosuch0", 3, "device 'nosuch0': No such device")):
            p = s.run("--moderate", words, "--irq", "0")
            assert (p.returncode, p.stderr) == (status, f"tare: guard: --moderate: {message}\n"), p


def damaged_state():
    with contextlib.ExitStack() as stack:
        s = Scene(stack)
        (pathlib.Path(s.state) / "state").write_text("tare-guard-state 1\nboot x\ncgroup 1 2000 ")
        for more in (["--policy", "charge"], ["--restore"]):
            p = s.run(*more)
            assert p.returncode == 3 and "'state': damaged: " in p.stderr, p
        assert get_quota(s.group) == (20000, 100000)


def enter_netns(flags=0):
    """Guards of a network namespace refuse each other."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | flags) < 0:
        skip_all(f"no namespaces: {os.strerror(ctypes.get_errno())}")


TESTS = (
    ("observe touches nothing", observe_touches_nothing),
    ("charge has the quota until SIGTERM", charge_then_sigterm),
    ("kill -9: quotas are put back by the process beside it", killed),
    ("kill -9 of both: by --restore", killed_with_the_process_beside_it),
    ("kill -9 of the process beside it: there is another", process_beside_it_killed),
    ("what can't be put back stands in nobody's way", restore_refused),
    ("a cgroup that is renamed meanwhile", renamed_meanwhile),
    ("nor what is mounted read-only", restore_read_only),
    ("a second guard refuses", second_refuses),
    ("so does one with a state of its own", second_with_its_own_state_refuses),
    ("a cgroup is claimed until it is put back", claimed_until_it_is_put_back),
    ("a cgroup that is removed meanwhile", removed_meanwhile),
    ("another cgroup of the same path", another_of_the_same_path),
    ("signals", signals),
    ("standard streams", streams),
    ("no room for the state", disk_full),
    ("no quota, nothing to charge against", no_quota),
    ("a rule that fits nobody", rule_for_nobody),
    ("charge+drop: attached, and gone with the guard", drop_goes_with_it),
    ("charge+drop: addresses that come, go, and are another's", addresses_are_followed),
    ("--moderate while it runs", moderated_while_it_runs),
    ("--moderate and kill -9", moderated_and_killed),
    ("--moderate of what may not be entered", moderated_and_refused),
    ("--moderate of what is gone meanwhile", moderated_and_gone),
    ("--moderate that can't be", moderate_refused),
    ("a damaged state file is refused", damaged_state),
)
V1_ONLY = {restore_refused: "a cgroup of v2 may have more than those above", renamed_meanwhile: "v2 has no such thing"}


def main():
    tap = Tap()
    if os.geteuid() != 0:
        skip_all("needs root")
    enter_netns(CLONE_NEWNS)  # mounts are to go with this process
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    try:
        with contextlib.ExitStack() as stack:
            p = Scene(stack).run("--duration", "100ms")
    except OSError as e:
        skip_all(f"no cgroup with a CPU quota can be made: {e}")
    if p.returncode == 3:
        skip_all(p.stderr.strip())
    # They mostly wait: for programs to be loaded, for steps, and for silence. Each thread has a network of its own.
    with concurrent.futures.ThreadPoolExecutor(4, initializer=enter_netns) as pool:
        results = [(name, test, None if test in V1_ONLY and not V1 else in_background(pool, test)) for name, test in TESTS]
        for name, test, result in results:
            if result:
                tap.check(name, result)
            else:
                tap.skip(name, V1_ONLY[test])
    tap.done()


main()
