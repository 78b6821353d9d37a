#!/usr/bin/env python3
"""kill -9 of tare at random moments, and what it leaves on the machine.

A slow job, run on demand by root:

    bench/kill9.py --times 30 --paths podman:bridge,ovs-netdev,vm-virtio build/src/cmd/tare

Each time it starts a campaign with these paths in random order, kills tare itself (not its
children) after a random time, waits until all that dies by itself had time to, and compares what
the machine has with what it had before the first one. Exit status 1 when anything is left.
"""
import argparse
import ctypes
import os
import random
import signal
import subprocess
import sys
import time

PATHS = ("podman:bridge,ovs-netdev,vm-virtio,cni:examples/cni/bridge.conflist,dpdk-testpmd,"
         "nat-iptables,ebpf-tc")
QUICK = ["--time", "100ms", "--warmup", "10ms", "--repeat-min", "2", "--repeat-max", "2"]

PR_SET_CHILD_SUBREAPER = 36  # Ref: prctl(2)
DIRECTORIES = ("/tmp", "/var/tmp", "/run", "/run/netns", "/run/lock", "/dev/shm", "/dev/hugepages",
               "/sys/fs/bpf", "/var/lib", "/var/lib/cni", "/var/lib/tare", "/var/lib/containers",
               "/etc/cni/net.d", os.path.expanduser("~"), os.path.expanduser("~/.local/share"),
               os.path.expanduser("~/.config"))


def output(*words):
    """The lines that a program prints; none where it isn't installed or can't."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    except FileNotFoundError:
        return []
    return [" ".join(words) + ": " + line for line in done.stdout.splitlines()
            if not line.startswith("#")]


def names(directory):
    try:
        return [f"{directory}/{name}" for name in os.listdir(directory)]
    except OSError:
        return []


def cgroups(pid):
    """Those of the run @pid, and what an engine made elsewhere; not those of runs beside it."""
    for parent, children, _ in os.walk("/sys/fs/cgroup"):
        for name in children:
            if f"-{pid}-" in name or ("libpod" in name and "tare-" not in parent):
                yield f"cgroup {parent}/{name}"


def text_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def become_reaper():
    """Whoever loses its parent becomes our child, so that it is found, and is no one else's."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0:
        sys.exit("cannot become a reaper of orphans: " + os.strerror(ctypes.get_errno()))


def children_of(pid):
    for task in names(f"/proc/{pid}/task"):
        for child in text_of(task + "/children").split():
            yield child
            yield from children_of(child)


def processes():
    """All that tare has started and that still is there."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    return {f"process {pid} {text_of(f'/proc/{pid}/comm').strip()}: "
            + text_of(f"/proc/{pid}/cmdline").replace("\0", " ")[:100]
            for pid in children_of(os.getpid())}


def namespaces():
    """Mounted ones; those that live by a descriptor are found by their process."""
    return [line for line in text_of("/proc/self/mountinfo").splitlines() if "nsfs" in line]


def state(pid):
    """All that the run @pid could leave, a thing a line."""
    seen = set(cgroups(pid)) | set(namespaces())
    for directory in DIRECTORIES:
        seen.update(names(directory))
    seen.update("mount " + line for line in text_of("/proc/self/mounts").splitlines())
    seen.add("nr_hugepages " + text_of("/proc/sys/vm/nr_hugepages").strip())
    seen.update("link " + line.split(":")[0].strip()
                for line in text_of("/proc/net/dev").splitlines()[2:])
    for words in (("nft", "list", "ruleset"), ("iptables-save",), ("ip6tables-save",),
                  ("ip", "netns"), ("ip", "rule"), ("ip", "route"), ("bpftool", "net", "show"),
                  ("docker", "ps", "-aq"), ("docker", "images", "-q"),
                  ("docker", "network", "ls", "-q"), ("ipcs", "-m")):
        seen.update(output(*words))
    return seen


def left_since(before, pid, grace_s, ignore):
    """What is there and was not. Looks until nothing is, or the grace is over."""
    deadline = time.monotonic() + grace_s
    while True:
        left = processes() | {x for x in state(pid) - before
                              if not any(word in x for word in ignore)}
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(0.2)


def campaign(args, paths):
    return [args.tare, "compare", "--path", ",".join(paths), "--load", "rr", *QUICK,
            "--quiet", *args.option]


def length_of_one(args):
    """How long a campaign takes that nobody kills."""
    start = time.monotonic()
    subprocess.run(campaign(args, args.paths.split(",")), stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)
    return time.monotonic() - start


def kill_once(args, paths):
    limit_s = random.uniform(0, args.span)
    start = time.monotonic()
    run = subprocess.Popen(campaign(args, paths), stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, start_new_session=True)
    try:
        run.wait(limit_s)
        print(f"# it ended by itself with {run.returncode}: choose a shorter --span")
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        run.wait()
    run.stderr.close()
    return run.pid, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tare", help="the program")
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--paths", default=PATHS)
    parser.add_argument("--option", action="append", default=[],
                        help="one more word for tare compare, as --option=--guest-dir=DIR")
    parser.add_argument("--span", type=float,
                        help="seconds: the latest moment; else as long as a campaign takes")
    parser.add_argument("--grace", type=float, default=3, help="seconds for all to end")
    parser.add_argument("--ignore", action="append", default=[],
                        help="what others do here: lines with this text do not count")
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    become_reaper()
    seed = args.seed if args.seed is not None else random.randrange(1 << 32)
    random.seed(seed)
    print(f"# seed {seed}", flush=True)
    before = state(0)
    args.span = args.span or length_of_one(args)
    bad = 0
    for i in range(1, args.times + 1):
        paths = args.paths.split(",")
        random.shuffle(paths)
        pid, moment = kill_once(args, paths)
        left = left_since(before, pid, args.grace, args.ignore)
        bad += bool(left)
        print(f"{'not ok' if left else 'ok'} {i} - killed after {moment:.2f} s: "
              f"{','.join(paths)}", flush=True)
        for line in sorted(left):
            print(f"#   left: {line}", flush=True)
        before |= left
    print(f"1..{args.times}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
