"""The pair of namespaces in which tare and other tools are run alike, and the meters over them.

A trial is metered from EDGE_S after the load came up to EDGE_S before its end: no tool's start-up
is in it. CPU time is the time the machine was not idle by /proc/stat; bytes and packets are the
devices' counters. Whatever is started here is ended here, by its pid.
"""
import ctypes
import fcntl
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time

# Used by processes outside the comparison: more disturbs a trial.
FOREIGN_CPUS = float(os.environ.get('FOREIGN_CPUS') or 0.05)
QUIET_S = 0.3
RETRIES = int(os.environ.get('RETRIES') or 10)  # of a trial that was disturbed
QUIET_WAIT_S = float(os.environ.get('QUIET_WAIT_S') or 30)
SERVER_WAIT_S = 5
START_WAIT_S = 5
LOAD_PKTS = 50  # in 10 ms: the load runs
TICK_S = 1 / os.sysconf('SC_CLK_TCK')
# /proc/net/dev: bytes and packets received, bytes and packets sent
RX_BYTES, RX_PKTS, TX_BYTES, TX_PKTS = 0, 1, 8, 9


SIOCETHTOOL, ETHTOOL_STSO, ETHTOOL_SGRO = 0x8946, 0x1f, 0x2c  # Ref: linux/sockios.h, linux/ethtool.h


class Failed(Exception):
    pass


children = []
libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def cpu_ns(pid):
    return int(pathlib.Path(f'/proc/{pid}/schedstat').read_text().split()[0])


def set_offload(device, command, value):
    request = ctypes.create_string_buffer(struct.pack('=II', command, value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack('16sP16x', device.encode(), ctypes.addressof(request)))


def start(argv, **kwargs):
    """which ends with this process, even if that is killed"""
    child = subprocess.Popen(
        argv, text=True, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM), **kwargs)
    children.append(child)
    return child


def end(child, sig=signal.SIGTERM):
    """ends one and waits for it; what it still said"""
    if child in children:
        children.remove(child)
    if child.poll() is None:
        child.send_signal(sig)
    try:
        return child.communicate(timeout=2)[0]
    except subprocess.TimeoutExpired:
        child.kill()
        return child.communicate()[0]


def exit_on_signals():
    """by SystemExit, once: what follows is not to be interrupted again"""
    signals = signal.SIGTERM, signal.SIGHUP, signal.SIGINT

    def leave(number, frame):
        for sig in signals:
            signal.signal(sig, signal.SIG_IGN)
        sys.exit(128 + number)
    for sig in signals:
        signal.signal(sig, leave)


def end_all():
    for child in reversed(children):
        if child.stdin:
            child.stdin.close()  # which is how tare-pair ends
        elif child.poll() is None:
            child.terminate()
    for child in reversed(children):
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    children.clear()


# Meters.
def busy_s():
    """CPU seconds not idle (nor stolen) of all CPUs since boot: wall time less idle"""
    with open('/proc/stat') as f:
        lines = [s.split() for s in f if re.match(r'cpu\d', s)]
    idle = sum(int(x[4]) + int(x[5]) + int(x[8]) for x in lines) * TICK_S
    return time.monotonic() * len(lines) - idle


def device(pid, dev):
    with open(f'/proc/{pid}/net/dev') as f:
        for line in f:
            name, _, rest = line.partition(':')
            if name.strip() == dev:
                return [int(x) for x in rest.split()]
    raise Failed(f'no device {dev} in the namespace of process {pid}')


def protocol(pid, name, counter):
    """a counter of /proc/net/snmp"""
    with open(f'/proc/{pid}/net/snmp') as f:
        names, values = (x.split() for x in f if x.startswith(name + ':'))
    return int(values[names.index(counter)])


def foreign_s():
    """{pid: CPU seconds, with those of ended children} of processes this one didn't start"""
    parent, cpu = {}, {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/stat') as f:
                x = f.read().rpartition(')')[2].split()
        except OSError:
            continue
        parent[int(pid)] = int(x[1])
        cpu[int(pid)] = sum(map(int, x[11:15])) * TICK_S

    def ours(pid):
        while pid > 1:
            if pid == os.getpid():
                return True
            pid = parent.get(pid, 0)
        return False
    # Kernel threads work for the network too: pid 2 and its children are nobody's fault.
    return {p: s for p, s in cpu.items() if not ours(p) and p != 2 and parent[p] != 2}


def foreign_rise_s(before):
    return sum(max(0, s - before.get(p, 0)) for p, s in foreign_s().items())


def wait_for_quiet():
    deadline = time.monotonic() + QUIET_WAIT_S
    while time.monotonic() < deadline:
        before = foreign_s()
        time.sleep(QUIET_S)
        if foreign_rise_s(before) <= FOREIGN_CPUS * QUIET_S:
            return


def words_of(line, first):
    words = line.split()
    if not words or words[0] != first:
        raise Failed(f'tare-pair: {line.strip() or "ended"}')
    return dict(w.split('=', 1) for w in words[1:])


def first_cpu(cpus):
    return re.match(r'\d+', cpus)[0]


class Pair:
    """path native, held open by tare-pair; near asks and sends, far answers and receives"""

    def __init__(self, program, congestion=None, edge_s=0.5):
        self.edge_s = edge_s
        self.process = start([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        w = words_of(self.process.stdout.readline(), 'ready')
        self.near = int(w['near_pid']), w['near_dev']
        self.far = int(w['far_pid']), w['far_dev']
        self.addr = w['far_addr']
        self.near_cpus, self.far_cpus = w['near_cpus'], w['far_cpus']
        self.near_cpu, self.far_cpu = first_cpu(self.near_cpus), first_cpu(self.far_cpus)
        self.shared_cpu = w['shared_cpu']
        self.loads = set(w.get('loads', 'stream,rr').split(','))
        if congestion:
            self.set_congestion(self.near, congestion)
            self.set_congestion(self.far, congestion)

    def set_congestion(self, end_, congestion):
        """by the route, because not all tools have an option for it, iperf3's comes after connect
        (when a bbr default has already turned pacing on), and a host need not allow it as a
        default"""
        ip = ['nsenter', f'--net=/proc/{end_[0]}/ns/net', 'ip', '-4', 'route']
        out = subprocess.run(ip + ['show', 'dev', end_[1]], check=True, text=True,
                             capture_output=True)
        for route in out.stdout.splitlines():
            subprocess.run(ip + ['change', *route.split(), 'dev', end_[1], 'congctl', congestion],
                           check=True)

    def set_qdisc(self, end_, kind):
        out = subprocess.run(['nsenter', f'--net=/proc/{end_[0]}/ns/net', 'tc', 'qdisc', 'replace',
                              'dev', end_[1], 'root', kind], text=True, capture_output=True)
        if out.returncode != 0:
            raise Failed(f'no qdisc {kind} here: {out.stderr.strip()}')

    def there(self, end_, cpus, argv):
        """argv for the namespace of near or far; nsenter and taskset become the tool itself"""
        return ['nsenter', f'--net=/proc/{end_[0]}/ns/net', 'taskset', '-c', cpus] + argv

    def wait_for_load(self):
        """sockperf sleeps for a second first, and control connections are not the load"""
        deadline = time.monotonic() + START_WAIT_S
        before = device(*self.near)
        while time.monotonic() < deadline:
            time.sleep(0.01)
            now = device(*self.near)
            # A few large sends may be one packet each: bytes count too.
            if (now[TX_PKTS] - before[TX_PKTS] > LOAD_PKTS
                    or now[TX_BYTES] - before[TX_BYTES] > LOAD_PKTS * 1500):
                return
            before = now
        raise Failed('no load came up')

    def counters(self):
        return {'at': time.monotonic(), 'busy': busy_s(),
                'seen_Bps': device(*self.near)[TX_BYTES], 'seen_pps': device(*self.near)[TX_PKTS],
                'udp_in_pps': protocol(self.far[0], 'Udp', 'InDatagrams'),
                'retransmits_ps': protocol(self.near[0], 'Tcp', 'RetransSegs')}

    def metered(self, seconds):
        """sleeps through a trial just started; rises per second, CPUs busy and foreign"""
        self.wait_for_load()
        time.sleep(self.edge_s)
        foreign, before = foreign_s(), self.counters()
        time.sleep(seconds - 2 * self.edge_s)
        after = self.counters()
        span = after.pop('at') - before['at']
        ret = {k: (v - before[k]) / span for k, v in after.items()}
        ret['cpus'] = ret.pop('busy')
        ret['foreign'] = foreign_rise_s(foreign) / span
        return ret

    def trial(self, load, seconds):
        """one of tare's own; its words and the meter"""
        self.process.stdin.write(f'{load} {int(seconds * 1000)}\n')
        self.process.stdin.flush()
        try:
            meter = self.metered(seconds)
        finally:
            answer = self.process.stdout.readline()
        return words_of(answer, 'ok'), meter

    def client(self, cpus, argv, seconds):
        child = start(self.there(self.near, cpus, argv), stdin=subprocess.DEVNULL,
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            meter = self.metered(seconds)
            out = child.communicate(timeout=seconds + 10)[0]
        except (Failed, subprocess.TimeoutExpired) as why:
            out = end(child)
            raise Failed(f'{argv[0]}: {why}: {out.strip()[-300:]}') from None
        children.remove(child)
        if child.returncode != 0:
            raise Failed(f'{argv[0]} ended with {child.returncode}: {out.strip()[-300:]}')
        return out, meter

    def server(self, cpus, port, argv, udp=False, stdout=subprocess.DEVNULL):
        """started, and listening"""
        child = start(self.there(self.far, cpus, argv), stdin=subprocess.DEVNULL,
                      stdout=stdout, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + SERVER_WAIT_S
        want = re.compile(r':%04X [0-9A-F]+:0000 %s' % (port, '07' if udp else '0A'))
        while time.monotonic() < deadline and child.poll() is None:
            for name in (('udp', 'udp6') if udp else ('tcp', 'tcp6')):
                with open(f'/proc/{self.far[0]}/net/{name}') as f:
                    if want.search(f.read()):
                        return child
            time.sleep(0.01)
        end(child)
        raise Failed(f'{argv[0]} does not listen on port {port}')
