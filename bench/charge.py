#!/usr/bin/env python3
"""tare charge against the truth: each kind of traffic alone, and two of them at once.

usage: charge.py TARE [--seconds S] [--rounds N] [SCENARIO ...]

Slow, and no test: about two minutes. Root. All runs in namespaces of this program's own, which go with it:

    peer eth0 == wire [ host: br0 or routes, DNAT ] c0 == eth0 a      [...] c1 == eth0 b

What is known is not a time but counts and ratios: a and b get packets of one kind at 1:3; what one sender sends to a
costs alone what it costs beside another's to b; and all owners have what all CPUs had. A row is alone and together of a,
us of softirqs by send, which the sender counts; 'host' is the host's part of softirq time on the CPU under test; 'sum'
is owners by CPUs, the worst CPU's. A process that always computes keeps the CPU from idling: a packet that ends an idle
CPU's sleep is dearer, and alone there are more of these. CPUs are shared with what else the machine does, so ratios of a
busy one are wide: the middle of --rounds pairs is shown with the lowest and the highest.
"""

import argparse
import contextlib
import json
import mmap
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lab  # noqa: E402

RUN = 64
PORT = 7
CLONE_NEWNET = 0x40000000  # Ref: include/uapi/linux/sched.h
UDP_SEGMENT = 103          # Ref: include/uapi/linux/udp.h
CPU = sorted(os.sched_getaffinity(0))[-1]
sends = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast('Q')  # by net, counted by the sender


def run(*words, **kwargs):
    subprocess.run(words, check=True, timeout=20, **kwargs)


class Machine:
    """A process that holds a namespace, and what is forked into it."""
    def __init__(self):
        ready = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            lab.libc.prctl(lab.PR_SET_PDEATHSIG, signal.SIGKILL)
            lab.libc.unshare(CLONE_NEWNET)
            os.write(ready[1], b'x')
            while True:
                signal.pause()
        os.read(ready[0], 1)
        self.inode = os.stat(f'/proc/{self.pid}/ns/net').st_ino

    def ip(self, *words):
        run('nsenter', '-t', str(self.pid), '-n', 'ip', *words)

    def fork(self, function, *args):
        """Runs in the namespace, on the CPU under test, until it is killed."""
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                lab.libc.prctl(lab.PR_SET_PDEATHSIG, signal.SIGKILL)
                with open(f'/proc/{self.pid}/ns/net') as ns:
                    assert lab.libc.setns(ns.fileno(), CLONE_NEWNET) == 0
                os.sched_setaffinity(0, {CPU})
                function(*args)
            os._exit(1)
        return pid


def reap(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def compute():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass


# Loads. Each runs until it is killed. The first argument is the net whose sends it counts.
def sink():
    """A socket that nobody reads: what is beyond its buffer is dropped where it would be queued."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('0.0.0.0', PORT))
    signal.pause()


def swallow():
    with socket.create_server(('0.0.0.0', PORT)) as server:
        while True:
            s, _ = server.accept()
            while s.recv(1 << 18):
                pass


def paced(net, pps, burst, send):
    at = time.monotonic()
    while True:
        for _ in range(burst):
            send()
            sends[net] += 1
        at = max(at + burst / pps, time.monotonic() - 0.1)
        time.sleep(max(0, at - time.monotonic()))


def udp(net, address, pps, size=18, segment=0):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if segment:
        s.setsockopt(socket.SOL_UDP, UDP_SEGMENT, segment)
    s.connect((address, PORT))
    data = b'x' * size

    def send():
        with contextlib.suppress(OSError):
            s.send(data)
    paced(net, pps, max(1, pps // 500), send)


def mixed(net, address, pps, other):
    """One to three, of one sender, in runs: a packet that follows another one's is dearer, as caches are cold."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    runs = [address, other, other, other]

    def send():
        random.shuffle(runs)  # which one is the first after a sleep
        for to in (to for to in runs for _ in range(RUN)):
            with contextlib.suppress(OSError):
                s.sendto(b'x' * 18, (to, PORT))
    paced(net, pps / RUN, 1, send)


def tcp(net, address, pps, size=16384):
    s = socket.create_connection((address, PORT))
    data = b'x' * size
    paced(net, pps, 4, lambda: s.sendall(data))


class Net:
    """Bridged, or routed; with nat, what comes to the host's port 7 or 8 goes to a or b."""
    def __init__(self, routed=False, nat=False, extra=lambda: None):
        self.machines, self.pids = [Machine() for _ in range(3)], []
        self.host = os.getpid()
        self.routed, self.nat = routed, nat
        run('ip', 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0')
        run('ip', 'link', 'set', 'br0', 'addrgenmode', 'none', 'up')
        for name, net, m in zip(('wire', 'c0', 'c1'), (0, 1, 2), self.machines):
            run('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', str(m.pid))
            run('ip', 'link', 'set', name, 'addrgenmode', 'none', 'up')
            m.ip('link', 'set', 'eth0', 'addrgenmode', 'none', 'up')
            m.ip('addr', 'add', f'{self.address(net)}/24', 'dev', 'eth0')
            if routed:
                run('ip', 'addr', 'add', f'10.81.{net}.254/24', 'dev', name)
                m.ip('route', 'add', 'default', 'via', f'10.81.{net}.254')
            else:
                run('ip', 'link', 'set', name, 'master', 'br0')
        if routed:
            pathlib.Path('/proc/sys/net/ipv4/ip_forward').write_text('1')
        if nat:
            rules = 'table ip t { chain c { type nat hook prerouting priority -100\n' + ''.join(
                f'udp dport {PORT} ip daddr 10.81.0.{200 + net} dnat to {self.address(net)}\n' for net in (1, 2)) + '}\n}\n'
            for net in (1, 2):
                run('ip', 'addr', 'add', f'10.81.0.{200 + net}/24', 'dev', 'wire')
            subprocess.run(['nft', '-f', '-'], input=rules, text=True, check=True)
        extra()
        for net in (1, 2):
            run('nsenter', '-t', str(self.machines[0].pid), '-n', 'ping', '-qc1', '-W2', self.address(net), stdout=subprocess.DEVNULL)

    def address(self, net):
        return f'10.81.{net}.1' if self.routed else f'10.81.0.{net + 1}'

    def asked(self, net):
        return f'10.81.0.{200 + net}' if self.nat else self.address(net)

    def start(self, net, server, client, *args, reverse=False):
        """A load to a (net 1) or b (2); reverse: from it."""
        here, there = self.machines[net], self.machines[0]
        if reverse:
            here, there = there, here
        server_pid = here.fork(server)
        time.sleep(0.05)
        address = self.address(0) if reverse else self.asked(net)
        return [server_pid, there.fork(client, net, address, *args)]

    def close(self):
        reap([m.pid for m in self.machines])
        for name in ('wire', 'c0', 'c1', 'br0'):  # a namespace takes its time to take its pair away
            subprocess.run(['ip', 'link', 'del', name], stderr=subprocess.DEVNULL)
        if self.nat:
            run('nft', 'delete', 'table', 'ip', 't')


def bill(tare, seconds):
    done = subprocess.run([tare, 'charge', '--once', '--interval', f'{int(seconds * 1000)}ms', '--per-cpu', '--json',
                           '--quiet'], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)['total']


def sum_of(b):
    """Owners by CPUs, of the CPU that is worst."""
    worst = 1.0
    for i, cpu in enumerate(b['cpus']):
        truth = cpu['rx_ns'] + cpu['tx_ns']
        owners = sum(r['cpus'][i]['rx_ns'] + r['cpus'][i]['tx_ns'] for r in b['rows'])
        if truth and abs(owners / truth - 1) > abs(worst - 1):
            worst = owners / truth
    return worst


class Seen:
    """What a bill says of a and b, on the CPU under test; @rate: sends to a by second."""
    def __init__(self, net, b, rate):
        self.ns, self.pkts = [], []
        at = next(i for i, c in enumerate(b['cpus']) if c['cpu'] == CPU)
        self.all_ns = b['cpus'][at]['rx_ns'] + b['cpus'][at]['tx_ns']
        for m in net.machines[1:]:
            row = next((r for r in b['rows'] if r['netns'] == m.inode), None)
            cpu = row['cpus'][at] if row else {}
            self.ns.append(cpu.get('rx_ns', 0) + cpu.get('tx_ns', 0) + cpu.get('thread_ns', 0))
            self.pkts.append(max(cpu.get('rx_pkts', 0), cpu.get('tx_pkts', 0)))
        self.host = b['rows'][0]['cpus'][at]['rx_ns'] + b['rows'][0]['cpus'][at]['tx_ns']
        self.sum = sum_of(b)
        self.us = self.ns[0] * 1e6 / (b['to_ns'] - b['from_ns']) / rate


def observed(args, net, loads):
    pids = [pid for load in loads for pid in net.start(*load[:-1], **load[-1])]
    try:
        time.sleep(0.2)
        from_s, before = time.monotonic(), sends[1]
        b = bill(args.tare, args.seconds)
        return Seen(net, b, (sends[1] - before) / (time.monotonic() - from_s))
    finally:
        reap(pids)


def middle(values):
    return f'{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})'


def split(args):
    with contextlib.closing(Net()) as net:
        pid = net.machines[2].fork(sink)
        found = [observed(args, net, [(1, sink, mixed, 5000, net.address(2), {})]) for _ in range(args.rounds)]
        reap([pid])
    off = [s.ns[1] / sum(s.ns) - s.pkts[1] / sum(s.pkts) for s in found]
    print(f'{"split 1:3":<22} of time {middle([s.ns[1] / sum(s.ns) for s in found])}, of packets '
          f'{middle([s.pkts[1] / sum(s.pkts) for s in found])}; off by {100 * max(map(abs, off)):.2f} pp at most, '
          f'sum {max(found, key=lambda s: abs(s.sum - 1)).sum:.4f}', flush=True)


def sysfs(path, text):
    """Of this network namespace: the machine's /sys shows another one's devices."""
    code = 'mount -t sysfs none /mnt && echo "$1" > "/mnt/class/net/$0"'
    run('unshare', '--mount', '--propagation', 'private', 'sh', '-c', code, path, text)


def gro():
    lab.set_offload('wire', lab.ETHTOOL_SGRO, 1)


def threaded():
    gro()
    sysfs('wire/threaded', '1')
    for pid in subprocess.run(['pgrep', '^napi/wire-'], capture_output=True, text=True).stdout.split():
        os.sched_setaffinity(int(pid), {CPU})


def rps():
    sysfs('wire/queues/rx-0/rps_cpus', f'{1 << CPU:x}')


def htb():
    run('tc', 'qdisc', 'add', 'dev', 'wire', 'root', 'handle', '1:', 'htb', 'default', '1')
    run('tc', 'class', 'add', 'dev', 'wire', 'parent', '1:', 'classid', '1:1', 'htb', 'rate', '3mbit', 'burst', '2k')


# name: how the net is, the load of a, and what b gets beside it
UDP = (sink, udp, 8000, {})
KINDS = {
    'bridged': ({}, UDP, (swallow, tcp, 300, {})),
    'forwarded': ({'routed': True}, UDP, (swallow, tcp, 300, {})),
    'dnat': ({'routed': True, 'nat': True}, UDP, UDP),
    'gso': ({}, (sink, udp, 500, 1024, 16, {}), UDP),
    'tcp': ({}, (swallow, tcp, 300, {}), UDP),
    'gro': ({'extra': gro}, (swallow, tcp, 300, {}), UDP),
    'threaded napi': ({'extra': threaded}, UDP, (swallow, tcp, 300, {})),
    'rps': ({'extra': rps}, UDP, (swallow, tcp, 300, {})),
    'htb transmit': ({'extra': htb}, (sink, udp, 8000, {'reverse': True}), (sink, udp, 8000, {'reverse': True})),
    'acks': ({}, (swallow, tcp, 2000, 1000, {'reverse': True}), UDP),
}


def kind(args, name):
    how, mine, other = KINDS[name]
    alone, both = [], []
    with contextlib.closing(Net(**how)) as net:
        for _ in range(args.rounds):
            alone.append(observed(args, net, [(1, *mine)]))
            both.append(observed(args, net, [(1, *mine), (2, *other)]))
    ratio = [b.us / a.us for a, b in zip(alone, both)]
    host = [s.host / (s.all_ns or 1) for s in alone]
    every = alone + both
    print(f'{name:<22} alone {statistics.median(a.us for a in alone):7.2f} us, together '
          f'{statistics.median(b.us for b in both):7.2f} us, by alone {middle(ratio)}, host {middle(host)}, '
          f'sum {max(every, key=lambda s: abs(s.sum - 1)).sum:.4f}', flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('tare')
    parser.add_argument('scenario', nargs='*')
    parser.add_argument('--seconds', type=float, default=1)
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_intermixed_args()
    if lab.libc.unshare(CLONE_NEWNET):
        print('charge.py: root, please', file=sys.stderr)
        return 3
    run('ip', 'link', 'set', 'lo', 'up')
    idler = os.fork()
    if idler == 0:
        lab.libc.prctl(lab.PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, {CPU})
        compute()
    for name in args.scenario or ['split', *KINDS]:
        split(args) if name == 'split' else kind(args, name)
    reap([idler])
    return 0


if __name__ == '__main__':
    sys.exit(main())
