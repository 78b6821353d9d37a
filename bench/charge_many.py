#!/usr/bin/env python3
"""tare charge on a host of many containers: what it takes of memory and CPU, and how long a refresh is.

usage: charge_many.py TARE [--idle N] [--busy N] [--seconds S] [--dies-per-second N] [SCENARIO ...]

SCENARIO is idle, busy, dying or full; default: all. Slow, and no test: about 30 s. Root.

The host is a network and a pid namespace of this program's own, so what else the machine has does not count. A container
is a process with a network namespace, one end of a veth pair, and directories in the hierarchies of cpu and cpuacct (or
of v2) that are named as docker's. A busy one receives 100 datagrams a second.

start-up  from exec to a bill of 10 ms, less these 10 ms
scan+bill CPU time of an interval in which all containers are looked for again; bill: of one in which none is.
CPU       of one interval by its length, at an interval of 1 s and the default of --rescan
RSS       the most that it was, shared memory (maps of BPF, libraries) included

Cgroups are removed at the end, on Ctrl-C, too; those that a kill -9 leaves are removed by the next run.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lab  # noqa: E402

PORT = 7
PPS = 100  # to each busy container
CHURN_S = 5
BATCH = 100  # made at once; each takes two descriptors meanwhile
PREFIX = 'bench-many-'
# Ref: include/uapi/linux/sched.h, sockios.h, if.h
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8913, 0x8914, 0x8916
IFF_UP = 1


def hierarchies():
    """Directories in which a container has one: of v1's cpu and cpuacct, else of v2."""
    found = {}
    for line in pathlib.Path('/proc/self/mounts').read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == 'cgroup':
            found.update({name: where for name in options.split(',') if name in ('cpu', 'cpuacct')})
        elif kind == 'cgroup2':
            found['v2'] = where
    if 'cpu' not in found:
        return [found['v2']]
    return sorted({found['cpu'], found.get('cpuacct', found['cpu'])})


def remove(tree):
    """What of it has no process; a process that was just killed may take a moment."""
    for where, _, _ in os.walk(tree, topdown=False):
        end = time.monotonic() + 5
        while os.path.isdir(where):
            try:
                os.rmdir(where)
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)


def remove_stale():
    for root in hierarchies():
        for tree in pathlib.Path(root).glob(PREFIX + '*'):
            if not os.path.isdir(f'/proc/{tree.name[len(PREFIX):]}'):
                remove(tree)


def set_up(dev, address=None):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name = dev.encode().ljust(16, b'\0')
        if address:
            fcntl.ioctl(s, SIOCSIFADDR, name + struct.pack('=HH4s8x', socket.AF_INET, 0, socket.inet_aton(address)))
        flags, = struct.unpack_from('=H', fcntl.ioctl(s, SIOCGIFFLAGS, name + bytes(16)), 16)
        fcntl.ioctl(s, SIOCSIFFLAGS, name + struct.pack('=H14x', flags | IFF_UP))


def ip_batch(lines):
    done = subprocess.run(['ip', '-batch', '-'], input='\n'.join(lines), text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr)


def address_of(i):
    return f'10.{64 + (i >> 16)}.{i >> 8 & 255}.{i & 255}'


def mac_of(i):
    return f'02:00:00:00:{i >> 8:02x}:{i & 255:02x}'


class Host:
    def __init__(self, name):
        self.trees = [f'{root}/{name}/docker' for root in hierarchies()]
        self.pids = []

    def dirs(self, i):
        return [f'{tree}/{i:064x}' for tree in self.trees]

    def enter(self, i):
        for where in self.dirs(i):
            os.makedirs(where, exist_ok=True)
            pathlib.Path(where, 'cgroup.procs').write_text('0')

    def container(self, i, busy):
        """A process of it; the pipe says that its namespace is there, and another one starts it."""
        ready, go = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                lab.libc.prctl(lab.PR_SET_PDEATHSIG, signal.SIGKILL)
                for fd in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(fd, signal.SIG_DFL)
                self.enter(i)
                assert lab.libc.unshare(CLONE_NEWNET) == 0
                os.write(ready[1], b'x')
                os.close(go[1])
                os.read(go[0], 1)
                if busy:
                    set_up('eth0', address_of(i))
                    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    s.bind(('0.0.0.0', PORT))
                    os.write(ready[1], b'x')
                    while True:
                        s.recv(2048)
                os.write(ready[1], b'x')
                while True:
                    signal.pause()
            os._exit(1)
        os.close(ready[1])
        os.close(go[0])
        if os.read(ready[0], 1) != b'x':
            raise RuntimeError('a container did not start')
        self.pids.append(pid)
        return pid, ready[0], go[1]

    def add(self, n, n_busy):
        first = len(self.pids)
        made = [self.container(first + k, k < n_busy) for k in range(n)]
        ip_batch([f'link add v{first + k} address {mac_of(first + k)} type veth peer name eth0 '
                  f'address {mac_of(first + k)} netns {pid}' for k, (pid, _, _) in enumerate(made)])
        for k in range(n_busy):
            set_up(f'v{first + k}')
        ip_batch([f'{what} v{i}{rest}' for i in range(first, first + n_busy) for what, rest in (
            (f'route add {address_of(i)}/32 dev', ''),
            (f'neigh add {address_of(i)} lladdr {mac_of(i)} nud permanent dev', ''))] or [''])
        for _, ready, go in made:
            os.write(go, b'x')  # a close is not seen: those forked later have it, too
            os.close(go)
            if os.read(ready, 1) != b'x':
                raise RuntimeError('a container did not start')
            os.close(ready)

    def add_idle(self, n):
        for left in range(n, 0, -BATCH):
            self.add(min(left, BATCH), 0)

    def close(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self.pids:
            os.waitpid(pid, 0)
        self.pids = []


@contextlib.contextmanager
def sending(n):
    """PPS to each of the first n."""
    pid = os.fork() if n else 0
    if n and pid == 0:
        lab.libc.prctl(lab.PR_SET_PDEATHSIG, signal.SIGKILL)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        at = time.monotonic()
        while True:
            for i in range(n):
                s.sendto(b'x' * 18, (address_of(i), PORT))
            at += 1 / PPS
            time.sleep(max(0, at - time.monotonic()))
    try:
        yield
    finally:
        if n:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def status_kib(pid, key):
    for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith(key + ':'):
            return int(line.split()[1])
    raise RuntimeError(f'no {key}')


class Charge:
    """Running; each line that it prints is one more interval."""
    def __init__(self, tare, *words):
        self.p = lab.start([tare, 'charge', '--json-stream', *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def line(self):
        text = self.p.stdout.readline()
        if not text:
            raise RuntimeError('tare ended: ' + self.p.stderr.read())
        return json.loads(text)

    def per_interval(self, n):
        """The last bill, and CPU ns of one interval."""
        self.line()
        from_ns = lab.cpu_ns(self.p.pid)
        for _ in range(n):
            bill = self.line()
        return bill, (lab.cpu_ns(self.p.pid) - from_ns) / n

    def end(self):
        """The total."""
        self.p.send_signal(signal.SIGINT)
        out = self.p.communicate(timeout=30)[0]
        lab.children.remove(self.p)
        if self.p.returncode not in (0, 130):
            raise RuntimeError(f'tare ended with {self.p.returncode}')
        last = json.loads(out.splitlines()[-1])
        assert last['event'] == 'total', last['event']
        return last


def measured(tare, seconds, label):
    from_s = time.monotonic()
    subprocess.run([tare, 'charge', '--once', '--interval', '10ms', '--json', '--quiet', '--max-containers', '2048'],
                   check=True, stdout=subprocess.DEVNULL)
    start_s = time.monotonic() - from_s - 0.01
    both = Charge(tare, '--interval', '250ms', '--rescan', '10ms', '--max-containers', '2048')
    _, scan_ns = both.per_interval(4)
    both.end()
    bare = Charge(tare, '--interval', '250ms', '--rescan', '1h', '--max-containers', '2048')
    _, bill_ns = bare.per_interval(4)
    bare.end()
    usual = Charge(tare, '--interval', '1s', '--max-containers', '2048')
    bill, usual_ns = usual.per_interval(seconds)
    rss = status_kib(usual.p.pid, 'VmHWM') / 1024
    total = usual.end()
    print(f'{label:<22} start-up {start_s * 1e3:4.0f} ms, scan+bill {scan_ns * 1e-6:5.1f} ms, bill {bill_ns * 1e-6:5.1f} '
          f'ms, CPU {usual_ns * 1e-7:4.2f} %, RSS {rss:4.1f} MiB; {len(bill["rows"])} rows, '
          f'conservation {total["conservation"]}', flush=True)


def dying(tare, host, rate):
    """Containers that live for as long as it takes to make them."""
    usual = Charge(tare, '--interval', '1s', '--max-containers', '2048')
    usual.line()
    rss = status_kib(usual.p.pid, 'VmRSS')
    from_ns, at = lab.cpu_ns(usual.p.pid), time.monotonic()
    end, n = at + CHURN_S, 0
    while at < end:
        pid, ready, go = host.container(1 << 20 | n, False)
        host.pids.remove(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(go)
        for where in host.dirs(1 << 20 | n):
            remove(where)
        n += 1
        at = max(at + 1 / rate, time.monotonic())
        time.sleep(max(0, at - time.monotonic()))
    used = (lab.cpu_ns(usual.p.pid) - from_ns) / CHURN_S
    more = status_kib(usual.p.pid, 'VmRSS') - rss
    total = usual.end()
    gone = sum(row['is_gone'] for row in total['rows'])
    print(f'dying: {n} in {CHURN_S} s'.ljust(22) + f' CPU {used * 1e-7:4.2f} %, RSS {more:+d} KiB; {gone} were seen, '
          f'conservation {total["conservation"]}', flush=True)


def full(tare, n):
    """Fewer numbers than containers."""
    room = n // 4 or 1
    usual = Charge(tare, '--interval', '100ms', '--max-containers', str(room))
    bill = usual.line()
    usual.end()
    kept = sum(row['kind'] not in ('host', 'overhead') for row in bill['rows'])
    print(f'full: room for {room}'.ljust(22) + f' {kept} rows, {bill["n_left_out"]} left out, said so', flush=True)
    if kept != room or kept + bill['n_left_out'] < n:
        raise RuntimeError('rows and left out are not all')


def inside(args, name):
    """pid 1 of the namespaces."""
    set_up('lo')
    host = Host(name)
    wanted = args.scenario or ['idle', 'busy', 'dying', 'full']
    try:
        if 'idle' in wanted:
            measured(args.tare, args.seconds, '0 containers')
        from_s = time.monotonic()
        host.add_idle(args.idle)
        print(f'({args.idle} containers made in {time.monotonic() - from_s:.1f} s)', flush=True)
        if 'idle' in wanted:
            measured(args.tare, args.seconds, f'{args.idle} idle')
        if 'dying' in wanted:
            dying(args.tare, host, args.dies_per_second)
        if 'full' in wanted:
            full(args.tare, args.idle)
        if 'busy' in wanted:
            busy(host, args)
    finally:
        host.close()


def busy(host, args):
    """As many idle ones as before, and busy ones, which need the lowest addresses."""
    first = len(host.pids)
    host.close()
    host.add(args.busy, args.busy)
    host.add_idle(first)
    with sending(args.busy):
        measured(args.tare, args.seconds, f'{first} idle, {args.busy} busy')


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument('tare')
    parser.add_argument('scenario', nargs='*')
    parser.add_argument('--idle', type=int, default=1000)
    parser.add_argument('--busy', type=int, default=100)
    parser.add_argument('--seconds', type=int, default=5)
    parser.add_argument('--dies-per-second', type=int, default=100)
    parser.add_argument('--inside', help=argparse.SUPPRESS)
    return parser.parse_intermixed_args()


def main():
    args = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if args.inside:
        return inside(args, args.inside)
    remove_stale()
    name = f'{PREFIX}{os.getpid()}'
    child = lab.start(['unshare', '--net', '--pid', '--fork', '--mount-proc', '--kill-child', '--', sys.executable,
                       __file__, *sys.argv[1:], '--inside', name])
    try:
        return child.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        lab.end(child)
        for root in hierarchies():
            remove(f'{root}/{name}')


if __name__ == '__main__':
    sys.exit(main())
