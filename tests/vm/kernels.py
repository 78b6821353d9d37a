#!/usr/bin/env python3
"""Who pays, under other kernels, with cgroup v2 and a NIC's driver: the same tare in an emulated guest.

usage: kernels.py TARE NET_SOFTIRQ                  one guest for each kernel there is; TAP
       kernels.py TARE NET_SOFTIRQ inside on|off    what runs in it; on: IRQ_TIME_ACCOUNTING

    peer: eth1 == wire of virtio NICs == eth0: bridge br0 -- v1: pod 1, receives N datagrams
                                                          -- v2: pod 2, receives 3 N

Pods are told by their cgroups, which look like Docker's. Numbers of packets decide, never times: those
of an emulated CPU are shown, no more.
"""

import contextlib
import ctypes
import json
import mmap
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
from tap import Tap, skip_all, until as wait_until  # noqa: E402

TARE = os.path.abspath(sys.argv[1])
RUN_S = 420  # on a busy machine; a guest that hangs is given up earlier
NET_SOFTIRQ = os.path.abspath(sys.argv[2])  # tests/net/softirq.c
# Where it is and how it gets there; more for its command line; does it leave softirqs out of run time?
KERNELS = (("Debian's 6.1", "/var/lib/tare/guest", "make deps-vm", "", "off"),
           ("Debian's 6.12", "/var/lib/tare/guest-6.12", "make deps-vm612", "", "off"),
           ("6.12 with IRQ_TIME_ACCOUNTING", "/var/lib/tare/guest-irqtime", "make deps-vmirqtime", "tsc=reliable", "on"),
           ("the same, its clock too slow for that", "/var/lib/tare/guest-irqtime", "make deps-vmirqtime",
            "tsc=noirqtime", "off"))
N = 1000  # datagrams
AHEAD = 64  # so many on their way at most: a virtio queue of QEMU's has room for 256
MOST_S = 100  # for anything to happen; emulated, on a busy machine
PORT = 7
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
SPENT = 2
everybody = []  # the pods
GROUPS = pathlib.Path("/sys/fs/cgroup/docker")


# Inside


def run(*words):
    subprocess.run(words, check=True, timeout=MOST_S)


def until(test, what):
    wait_until(test, what, MOST_S)


def child(main):
    pid = os.fork()
    if pid:
        return pid
    try:
        main()
    finally:
        os._exit(1)


class Machine:
    """A process with a network of its own, which does what it is told a line at a time."""

    def __init__(self, serve, group=None):
        theirs, self.pipe = os.pipe()
        # Shared with the child: what it has received, what it has done, and from SPENT on what sending took.
        self.count = mmap.mmap(-1, 4096)
        os.set_inheritable(theirs, True)

        def main():
            os.close(self.pipe)
            if group:
                (group / "cgroup.procs").write_text("0")
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) < 0:
                os._exit(1)
            serve(self, os.fdopen(theirs))

        own = os.stat("/proc/self/ns/net").st_ino
        self.pid = child(main)
        os.close(theirs)
        until(lambda: os.stat(f"/proc/{self.pid}/ns/net").st_ino != own, "a network of its own")

    def get(self, i):
        return struct.unpack_from("Q", self.count, 8 * i)[0]

    def add(self, i, n=1):
        struct.pack_into("Q", self.count, 8 * i, self.get(i) + n)

    def ip(self, *words):
        run("nsenter", "-t", str(self.pid), "-n", "ip", *words)

    def tell(self, *words):
        """And wait until it is done."""
        before = self.get(1)
        os.write(self.pipe, (" ".join(map(str, words)) + "\n").encode())
        until(lambda: self.get(1) > before, f"done: {words}, {[p.get(0) for p in everybody]} received")


def spent():
    """By the clock; running; waiting for a CPU."""
    return (time.monotonic_ns(), *map(int, pathlib.Path("/proc/thread-self/schedstat").read_text().split()[:2]))


def send(machine, orders, pods):
    """PODS' NUMBERS OF DATAGRAMS, interleaved; waits for who receives, or, with AHEAD 0, for nobody."""
    for order in orders:
        ahead, *numbers = map(int, order.split())
        begin = spent()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            awaited = [p for p, n in zip(pods, numbers) if n]
            before = sum(p.get(0) for p in awaited)
            sent, left = 0, list(numbers)
            while any(left):
                i = max(range(len(left)), key=lambda k: left[k] / max(numbers[k], 1))
                s.sendto(b"x" * 18, (pods[i].address, PORT))
                left[i] -= 1
                sent += 1
                while ahead and sent - (sum(p.get(0) for p in awaited) - before) >= ahead:
                    time.sleep(0.001)  # a CPU that spins takes the others' turns
        for i, (a, b) in enumerate(zip(begin, spent())):
            machine.add(SPENT + i, b - a)
        machine.add(1)


class Pod(Machine):
    def __init__(self, number, others):
        self.address = f"10.79.0.{number}"
        self.group = GROUPS / (str(number) * 64)
        self.group.mkdir()
        (self.group / "cpu.max").write_text("20000 100000")
        self.others = others
        super().__init__(Pod.serve, self.group)
        everybody.append(self)
        run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", str(self.pid))
        self.ip("addr", "add", f"{self.address}/24", "dev", "eth0")
        self.ip("link", "set", "eth0", "addrgenmode", "none", "up")
        run("ip", "link", "set", f"v{number}", "master", "br0", "addrgenmode", "none", "up")

    def serve(self, orders):
        pid = os.fork()
        if pid == 0:
            send(self, orders, self.others)
            os._exit(0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            # A packet of a driver with XDP has a page: 49 fill the usual room.
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
            s.bind(("0.0.0.0", PORT))
            self.add(1)
            while True:
                s.recv(2048)
                self.add(0)

    def quota(self):
        return (self.group / "cpu.max").read_text().strip()


def build():
    (GROUPS.parent / "cgroup.subtree_control").write_text("+cpu")
    GROUPS.mkdir()
    (GROUPS / "cgroup.subtree_control").write_text("+cpu")
    run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    run("ip", "link", "set", "eth0", "master", "br0", "addrgenmode", "none", "up")
    run("ip", "link", "set", "br0", "addrgenmode", "none", "up")
    pods = [Pod(1, [])]
    pods.append(Pod(2, pods[:1]))
    peer = Machine(lambda m, orders: send(m, orders, pods))
    run("ip", "link", "set", "eth1", "netns", str(peer.pid))
    peer.ip("addr", "add", "10.79.0.9/24", "dev", "eth1")
    peer.ip("link", "set", "eth1", "addrgenmode", "none", "up")
    for pod in pods:
        until(lambda pod=pod: pod.get(1), "a pod listens")
    return peer, pods


class Stream:
    """The lines of JSON that a tare says while it runs."""

    def __init__(self, stack, *words):
        self.process = subprocess.Popen([TARE, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        stack.callback(lambda: (self.process.kill(), self.process.communicate()))

    def next(self):
        ready, _, _ = select.select([self.process.stdout], [], [], MOST_S)
        assert ready, "no line"
        text = self.process.stdout.readline()
        assert text, self.process.stderr.read()
        return json.loads(text)

    def until(self, test):
        end = time.monotonic() + MOST_S
        while True:
            line = self.next()
            if test(line):
                return line
            assert time.monotonic() < end, line

    def finish(self, event):
        self.process.send_signal(signal.SIGINT)
        line = self.until(lambda x: x["event"] == event)
        assert self.process.wait(MOST_S) == 0, self.process.stderr.read()
        return line


def row_of(rows, pod):
    found = [r for r in rows if r["id"] == pod.group.name]
    assert len(found) <= 1, found
    return found[0] if found else None


def comment(text):
    print(f"# {text}", flush=True)


def charge(sender, pods, *numbers):
    """The totals of a run in which the pods are sent so many."""
    with contextlib.ExitStack() as stack:
        s = Stream(stack, "charge", "--json-stream", "--interval", "200ms")
        s.until(lambda b: all(row_of(b["rows"], p) for p in pods))
        sender.tell(AHEAD, *numbers)
        return s.finish("total")


def who_receives(peer, pods):
    total = charge(peer, pods, N, 3 * N)
    rows = [row_of(total["rows"], p) for p in pods]
    by = {}
    for r in total["rows"]:
        name = {p.group.name: f"pod {i + 1}" for i, p in enumerate(pods)}.get(r["id"], r["kind"])
        by[name] = by.get(name, 0) + r["rx_ns"] + r["tx_ns"]
    comment(f"conservation {total['conservation']}; of the time: "
            + ", ".join(f"{k} {v / sum(by.values()):.4f}" for k, v in by.items())
            + f"; pod 2 of the pods' {by['pod 2'] / (by['pod 1'] + by['pod 2']):.4f}; packets: "
            + ", ".join(str(r["rx_pkts"]) for r in total["rows"]))
    assert 0.99 <= total["conservation"] <= 1.01, total
    for row, n in zip(rows, (N, 3 * N)):
        # Address resolution adds a few.
        assert row["kind"] == "docker" and n <= row["rx_pkts"] <= n + 50, row
        assert row["rx_ns"] > 0, row
    share = rows[1]["rx_pkts"] / (rows[0]["rx_pkts"] + rows[1]["rx_pkts"])
    assert abs(share - 0.75) <= 0.02, share


def whose_context(pods):
    """Pod 2 sends, and the kernel receives for pod 1 in its time: told by cgroup ids of v2."""
    total = charge(pods[1], pods, N)
    one, two = (row_of(total["rows"], p) for p in pods)
    comment(f"pod 2 gained {two['gained_ns']} ns of {one['rx_ns']} ns for pod 1; own {two['own_ns']} ns")
    assert N <= one["rx_pkts"] <= N + 50, one
    assert two["gained_ns"] > 0 and two["process_ns"] > 0, two


def asked(*words):
    return json.loads(subprocess.run([TARE, *words], capture_output=True, check=True, timeout=MOST_S).stdout)


def knows(irq_time):
    """By BTF; by the configuration where the machine has it; and by what is on, whatever they say can be."""
    def known():
        return asked("charge", "--json", "--duration", "1s")["kernel"]["irq_time"]

    config = pathlib.Path(f"/boot/config-{os.uname().release}")  # the guest's, in its memory
    by_btf = known()
    config.write_text("# CONFIG_IRQ_TIME_ACCOUNTING is not set\n")
    by_no = known()
    config.write_text("CONFIG_IRQ_TIME_ACCOUNTING=y\n")
    by_yes = known()
    config.unlink()
    has_switch = " sched_clock_irqtime\n" in pathlib.Path("/proc/kallsyms").read_text()
    comment(f"irq_time: by BTF {by_btf}, not set {by_no}, set {by_yes}; {'has' if has_switch else 'lacks'} a switch")
    assert by_btf == irq_time and not by_no, (by_btf, by_no)
    assert by_yes == (irq_time if has_switch else True), by_yes


def counts_once(pods, irq_time):
    """
    Pod 2 sends in a loop, and all softirqs are in its context. By the scheduler's own word it ran and it waited for a
    CPU; what lacks to the clock are interrupts and softirqs, or nothing. A total has its own softirqs once.
    """
    quota = pods[1].quota()
    (pods[1].group / "cpu.max").write_text("max")
    begin = [pods[1].get(SPENT + i) for i in range(3)]
    with contextlib.ExitStack() as stack:
        s = Stream(stack, "charge", "--json-stream", "--interval", "200ms")
        s.until(lambda b: all(row_of(b["rows"], p) for p in pods))
        pods[1].tell(0, 4 * N)
        total = s.finish("total")
    (pods[1].group / "cpu.max").write_text(quota)
    wall, ran, waited = (pods[1].get(SPENT + i) - b for i, b in enumerate(begin))
    one, two = (row_of(total["rows"], p) for p in pods)
    inside = two["own_ns"] + two["gained_ns"]
    comment(f"of {wall} ns sending {ran} run, {waited} waiting, {wall - ran - waited} neither; softirqs there: "
            f"own {two['own_ns']}, gained {two['gained_ns']}; pod 2's process {two['process_ns']}, softirq "
            f"{two['softirq_ns']}, total {two['total_ns']}; pod 1's process {one['process_ns']}, softirq "
            f"{one['softirq_ns']}, total {one['total_ns']}")
    assert two["own_ns"] > 0 and two["gained_ns"] > 0, two
    for row in (one, two):
        taken = 0 if irq_time else row["own_ns"] + row["gained_ns"]
        assert row["total_ns"] == row["process_ns"] + row["softirq_ns"] + row["thread_ns"] - taken, row
    if irq_time:
        assert wall - ran - waited > inside * 0.9, (wall, ran, waited, inside)
    else:
        assert abs(wall - ran - waited) < inside * 0.5, (wall, ran, waited, inside)


def budgets_in_the_kernel():
    """The accounting's own test under this kernel: budgets lose process time and each softirq once, to the us."""
    done = subprocess.run([NET_SOFTIRQ, "bills_the_context"], capture_output=True, text=True, check=False,
                          timeout=MOST_S, env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"})
    for line in done.stdout.splitlines():
        if line.startswith("# irq_time"):
            comment(line[2:])
    assert done.returncode == 0 and "# irq_time" in done.stdout, done.stdout + done.stderr


def guard(stack, pods, policy, *more):
    """Guards pods; the stream is at a line that says so."""
    s = Stream(stack, "guard", "--state-dir", "/run/guard", "--json-stream", "--interval", "200ms", "--container",
               ";".join(f"/docker/{p.group.name}:{policy}" for p in pods), *more)
    s.until(lambda line: all((row_of(line["containers"], p) or {}).get("guarded") for p in pods))
    return s


def guarded_row(s, pod, test):
    def fits(line):
        row = row_of(line["containers"], pod)
        return row and test(row)

    return row_of(s.until(fits)["containers"], pod)


def quotas(peer, pods):
    """cpu.max is the guard's while it runs, in short periods, and as it was afterwards."""
    with contextlib.ExitStack() as stack:
        s = guard(stack, pods[1:], "charge")
        peer.tell(AHEAD, 0, N)
        row = guarded_row(s, pods[1], lambda r: r["charged_ns"] > 0)
        # As it was for as long as the guard gets no CPU for two seconds.
        until(lambda: pods[1].quota().endswith(" 20000"), f"a quota of a short period: {row}")
        comment(f"guarded: charged {row['charged_ns']} ns, cpu.max {pods[1].quota()}, {row['writes']} writes")
        assert row["guarded"] and row["budget_cpus"] == 0.2, row
        assert pods[0].quota() == "20000 100000", pods[0].quota()
        second = subprocess.run([TARE, "guard", "--state-dir", "/run/other", "--duration", "1s"], capture_output=True,
                                text=True, check=False, timeout=MOST_S)
        assert second.returncode == 3 and second.stderr == \
            f"tare: guard: another guard is at work in this network namespace: process {s.process.pid}\n", second
        s.finish("end")
        assert pods[1].quota() == "20000 100000", pods[1].quota()


def clock_set(peer, pods):
    """Both are at work while somebody sets the clock: back by a year, and forward by two."""
    year = 365 * 86400
    was, begin = time.clock_gettime(time.CLOCK_REALTIME), time.monotonic_ns()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: time.clock_settime(time.CLOCK_REALTIME, was))
        bills = Stream(stack, "charge", "--json-stream", "--interval", "200ms")
        bills.until(lambda b: row_of(b["rows"], pods[1]))
        s = guard(stack, pods[1:], "charge")
        for to in (was - year, was + year):
            time.clock_settime(time.CLOCK_REALTIME, to)
            peer.tell(AHEAD, 0, N)
            row = guarded_row(s, pods[1], lambda r: r["charged_ns"] > 0)
            assert row["guarded"] and row["debt_ns"] <= 200000000, row  # a second's budget
        s.finish("end")
        total = bills.finish("total")
        row = row_of(total["rows"], pods[1])
        assert 0.99 <= total["conservation"] <= 1.01, total
        assert 2 * N <= row["rx_pkts"] <= 2 * N + 50, row
        assert begin <= total["from_ns"] <= total["to_ns"] <= time.monotonic_ns(), total
        assert pods[1].quota() == "20000 100000", pods[1].quota()


def who_pays(pods, irq_time):
    """
    Pod 2 sends, and softirqs for pod 1 are in its context: pod 1 pays. Where the scheduler does not count them as pod
    2's nothing is given back to it, and its own are charged.
    """
    with contextlib.ExitStack() as stack:
        s = guard(stack, pods, "charge", "--irq", "0")
        pods[1].tell(AHEAD, N)
        charged, credited, quota = [0, 0], [0, 0], [[], []]
        end = time.monotonic() + MOST_S
        while not charged[0] or min(quota[0]) >= 0.2:
            assert time.monotonic() < end, (charged, quota)
            rows = [row_of(s.next()["containers"], p) for p in pods]
            for i, row in enumerate(rows):
                charged[i] += row["charged_ns"]
                credited[i] += row["credited_ns"]
                quota[i].append(row["quota_cpus"])
        comment(f"charged {charged} ns, credited {credited} ns, quotas at least {[min(q) for q in quota]}, "
                f"at most {[max(q) for q in quota]}")
        assert (credited[1] == 0) == irq_time, credited
        if irq_time:
            assert charged[1] > 0 and max(quota[1]) <= 0.2, (charged, quota)
        s.process.kill()
        s.process.wait()
        until(lambda: all(p.quota() == "20000 100000" for p in pods), "the quotas are back")


def xdp_mode():
    link = json.loads(subprocess.run(["ip", "-j", "link", "show", "eth0"], capture_output=True, check=True).stdout)
    return link[0].get("xdp", {}).get("mode", 0)


def drops(peer, pods):
    """In the driver (mode 1 of rtnetlink); the other pod gets all of its own; kill -9 leaves nothing."""
    with contextlib.ExitStack() as stack:
        s = guard(stack, pods[1:], "charge+drop,cpus=0.05", "--nic", "eth0")
        until(xdp_mode, "a program at the NIC")
        mode = xdp_mode()
        dropped = 0
        end = time.monotonic() + MOST_S
        while not dropped:
            assert time.monotonic() < end, "nothing is dropped"
            peer.tell(0, 0, N)
            row = guarded_row(s, pods[1], lambda r: True)
            dropped += row["dropped_pkts"]
        before = pods[0].get(0)
        peer.tell(AHEAD, N, 0)
        until(lambda: pods[0].get(0) == before + N, "all of the other's")
        comment(f"XDP mode {mode} (1: the driver's), {dropped} dropped")
        assert row["policy"] == "charge+drop" and not row["why"], row
        assert mode == 1, mode
        s.process.kill()
        s.process.wait()
        until(lambda: xdp_mode() == 0, "the program is gone")
        until(lambda: pods[1].quota() == "20000 100000", "the quota is back")


def cpu_comes_and_goes(peer, pods):
    """Accounts stay whole while a CPU is offline and when it is back; of the host's processes nothing is made up."""
    online = pathlib.Path("/sys/devices/system/cpu/cpu1/online")

    with contextlib.ExitStack() as stack:
        stack.callback(online.write_text, "1")
        g = guard(stack, pods[1:], "charge")
        s = Stream(stack, "charge", "--json-stream", "--interval", "200ms", "--per-cpu")
        before = s.until(lambda b: all(row_of(b["rows"], p) for p in pods))
        peer.tell(AHEAD, N, N)
        online.write_text("0")
        assert os.cpu_count() == 1, os.cpu_count()
        peer.tell(AHEAD, N, N)
        s.until(lambda b: b["rows"][0]["process_ns"] is None)
        online.write_text("1")
        peer.tell(AHEAD, N, N)
        total = s.finish("total")
        g.finish("end")
    rows = [row_of(total["rows"], p) for p in pods]
    comment(f"conservation {total['conservation']}; packets {[r['rx_pkts'] for r in rows]}; CPUs' rx_ns "
            f"{[c['rx_ns'] for c in total['cpus']]}")
    assert len(before["cpus"]) == len(total["cpus"]) == 2, total["cpus"]
    assert 0.99 <= total["conservation"] <= 1.01, total["conservation"]
    for row in rows:
        assert 3 * N <= row["rx_pkts"] <= 3 * N + 50, row
        assert sum(c["rx_ns"] for c in row["cpus"]) == row["rx_ns"], row
    assert total["rows"][0]["process_ns"] is None, total["rows"][0]
    assert pods[1].quota() == "20000 100000", pods[1].quota()


def locked_down(pods):
    """For good. Helpers that read the kernel's memory are for nobody then; pointers with types are none."""
    lock = pathlib.Path("/sys/kernel/security/lockdown")
    run("mount", "-t", "securityfs", "none", "/sys/kernel/security")
    lock.write_text("confidentiality")
    assert "[confidentiality]" in lock.read_text()
    whose_context(pods)
    for form, word in ((["--json"], '"tunnels": false'), ([], "locked down")):
        done = subprocess.run([TARE, "charge", "--once", "--interval", "100ms", *form], capture_output=True, text=True,
                              check=False, timeout=MOST_S)
        assert done.returncode == 0 and word in done.stdout, done
    with contextlib.ExitStack() as stack:
        guard(stack, pods[1:], "charge+drop").finish("end")
    done = subprocess.run([TARE, "run", "--path", "veth", "--load", "stream:dir=tx", "--time", "100ms", "--warmup", "10ms",
                           "--repeat-min", "2", "--repeat-max", "2", "--softirq", "all", "--quiet", "--json"],
                          capture_output=True, text=True, check=False, timeout=MOST_S)
    trials = json.loads(done.stdout)["trials"]
    assert trials and all(t["status"] == "ok" and t["metered"] for t in trials), (trials, done.stderr)


def inside(irq_time):
    tap = Tap()
    tap.check("whether softirqs are left out of run time is known", knows, irq_time)
    tap.check("budgets lose each softirq once", budgets_in_the_kernel)
    peer, pods = build()
    comment(f"{os.uname().release}, {' '.join(sorted(os.listdir('/sys/class/net/')))}")
    tap.check("1:3 by a virtio NIC, conserved", who_receives, peer, pods)
    tap.check("own and gained by cgroups of v2", whose_context, pods)
    tap.check("own softirqs count once", counts_once, pods, irq_time)
    tap.check("who pays for softirqs in another's time", who_pays, pods, irq_time)
    tap.check("cpu.max is written, and put back", quotas, peer, pods)
    tap.check("the clock is set meanwhile", clock_set, peer, pods)
    tap.check("drops in the NIC's driver", drops, peer, pods)
    tap.check("a CPU comes and goes", cpu_comes_and_goes, peer, pods)
    if " lockdown_is_locked_down\n" in pathlib.Path("/proc/kallsyms").read_text():
        tap.check("lockdown=confidentiality takes tunnels only", locked_down, pods)
    else:
        tap.skip("lockdown=confidentiality takes tunnels only", "this kernel knows no lockdown")
    tap.done()


# At the host


def in_guest(name, folder, append, irq_time, said):
    start = time.monotonic()
    done = subprocess.run([TARE, "guest", "--one-thread", "--nics", "2", "--guest-dir", folder, "--append",
                           append, "--time-max", f"{RUN_S}s", "--", sys.executable, os.path.abspath(__file__), TARE,
                           NET_SOFTIRQ, "inside", irq_time],
                          capture_output=True, text=True, check=False, timeout=2 * RUN_S)
    said += [f"{name}: {line}" for line in done.stdout.splitlines() if line.startswith("#")]
    said.append(f"{name}: took {time.monotonic() - start:.0f} s")
    assert done.returncode == 0 and "not ok" not in done.stdout and "1..11" in done.stdout, \
        f"{done.returncode}\n{done.stdout}\n{done.stderr}"


def main():
    done = subprocess.run([TARE, "guest", "--guest-dir", "/nowhere", "--", "true"], capture_output=True, text=True,
                          check=False)
    if "no program" in done.stderr:
        skip_all(done.stderr.strip())
    tap = Tap()
    for name, folder, how, append, irq_time in KERNELS:
        said = []
        if list(pathlib.Path(folder, "boot").glob("vmlinuz-*")):
            tap.check(f"charge and guard under {name}", in_guest, name, folder, append, irq_time, said)
        else:
            tap.skip(f"charge and guard under {name}", f"there is no kernel in {folder}: {how}")
        for line in said:
            comment(line)
    tap.done()


if sys.argv[3:4] == ["inside"]:
    inside(sys.argv[4] == "on")
else:
    main()
