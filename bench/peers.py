#!/usr/bin/env python3
"""tare against other tools; see peers.sh, which starts it.

Each round runs every tool of a case once, in rotating order. All speak IPv4 over the one veth pair
of tare's path native, pinned to the same CPUs: stream on two, a CPU per end; ping-pong on one.

All use the congestion control CONGESTION. It matters more than the tool: bbr paces with timers and
gave half of cubic's goodput here, while tare's default is cubic and the others' is the host's.
tare sets TCP_NODELAY on streams, the others only if told (-N, -D): they are run both ways, as
Nagle's algorithm may hold back the last, partial segment of a block.

Rates are what each tool says. CPU time is /proc/stat's for all of them: time the machine was not
idle from EDGE_S after the load came up to EDGE_S before its end: no tool's start-up is in it. Over
the same interval the device's counters are read, which gives bytes and packets per second by one
meter for all ('seen'); CPU per byte and per transaction is by these. A trial during which
processes outside this comparison used more than FOREIGN_CPUS is done again, up to RETRIES times;
what stays disturbed is in the CSV but not in the table.

Ratios are tare / peer of the same round; shown is their median, with the least and the greatest.
"""
import csv
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

EDGE_S = 0.5
FOREIGN_CPUS = 0.05
RETRIES = 10
QUIET_S = 0.3
QUIET_WAIT_S = 30
SERVER_WAIT_S = 5
START_WAIT_S = 5
LOAD_PKTS = 50  # in 10 ms: the load runs
BLOCK = 128 << 10  # of all tools; iperf3's default
TICK_S = 1 / os.sysconf('SC_CLK_TCK')

PORT = {'iperf3': 15201, 'nuttcp': 15000, 'nuttcp-data': 15001, 'netperf': 15865,
        'netperf-rr': 15866, 'sockperf-tcp': 15111, 'sockperf-udp': 15112}


class Failed(Exception):
    pass


# What is started here is ended here, by pid.
children = []


def start(argv, **kwargs):
    child = subprocess.Popen(argv, text=True, **kwargs)
    children.append(child)
    return child


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


def retransmitted(pid):
    with open(f'/proc/{pid}/net/snmp') as f:
        names, values = (x.split() for x in f if x.startswith('Tcp:'))
    return int(values[names.index('RetransSegs')])


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


def wait_for_load(pair):
    """sockperf sleeps for a second first, and control connections are not the load"""
    deadline = time.monotonic() + START_WAIT_S
    before = device(*pair.near)[9]
    while time.monotonic() < deadline:
        time.sleep(0.01)
        now = device(*pair.near)[9]
        if now - before > LOAD_PKTS:
            return
        before = now
    raise Failed('no load came up')


def metered(pair, seconds):
    """sleeps through a trial just started; busy CPUs, bytes/s and packets/s sent by near"""
    wait_for_load(pair)
    time.sleep(EDGE_S)
    f0, r0 = foreign_s(), retransmitted(pair.near[0])
    t0, c0, d0 = time.monotonic(), busy_s(), device(*pair.near)
    time.sleep(seconds - 2 * EDGE_S)
    t1, c1, d1 = time.monotonic(), busy_s(), device(*pair.near)
    span = t1 - t0
    return {'cpus': (c1 - c0) / span, 'seen_Bps': (d1[8] - d0[8]) / span,
            'seen_pps': (d1[9] - d0[9]) / span,
            'retransmits_ps': (retransmitted(pair.near[0]) - r0) / span,
            'foreign': foreign_rise_s(f0) / span}


def pair_words(line, first):
    words = line.split()
    if not words or words[0] != first:
        raise Failed(f'tare-pair: {line.strip() or "ended"}')
    return dict(w.split('=', 1) for w in words[1:])


def set_congestion(end):
    """by the route, because not all tools have an option for it, iperf3's comes after connect (when
    a bbr default has already turned pacing on), and a host need not allow it as a default"""
    ip = ['nsenter', f'--net=/proc/{end[0]}/ns/net', 'ip', '-4', 'route']
    out = subprocess.run(ip + ['show', 'dev', end[1]], check=True, text=True, capture_output=True)
    for route in out.stdout.splitlines():
        subprocess.run(ip + ['change', *route.split(), 'dev', end[1], 'congctl', CONGESTION],
                       check=True)


class Pair:
    def __init__(self):
        self.process = start([os.environ['TARE_PAIR']], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
        w = pair_words(self.process.stdout.readline(), 'ready')
        self.near = int(w['near_pid']), w['near_dev']
        self.far = int(w['far_pid']), w['far_dev']
        self.addr = w['far_addr']
        self.near_cpu, self.far_cpu = (re.match(r'\d+', w[k])[0] for k in ('near_cpus', 'far_cpus'))
        self.shared_cpu = w['shared_cpu']
        set_congestion(self.near)
        set_congestion(self.far)

    def there(self, end, cpu, argv):
        """argv for the namespace of near or far; nsenter and taskset become the tool itself"""
        return ['nsenter', f'--net=/proc/{end[0]}/ns/net', 'taskset', '-c', cpu] + argv

    def trial(self, load, seconds):
        self.process.stdin.write(f'{load} {int(seconds * 1000)}\n')
        self.process.stdin.flush()
        meter = metered(self, seconds)
        return pair_words(self.process.stdout.readline(), 'ok'), meter

    def client(self, cpu, argv, seconds):
        child = start(self.there(self.near, cpu, argv), stdin=subprocess.DEVNULL,
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        meter = metered(self, seconds)
        try:
            out = child.communicate(timeout=seconds + 10)[0]
        finally:
            if child.poll() is None:
                child.kill()
            children.remove(child)
        if child.returncode != 0:
            raise Failed(f'{argv[0]} ended with {child.returncode}: {out.strip()[-300:]}')
        return out, meter

    def server(self, cpu, port, argv, udp=False):
        child = start(self.there(self.far, cpu, argv), stdin=subprocess.DEVNULL,
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + SERVER_WAIT_S
        want = re.compile(r':%04X [0-9A-F]+:0000 %s' % (port, '07' if udp else '0A'))
        while time.monotonic() < deadline and child.poll() is None:
            for name in (('udp', 'udp6') if udp else ('tcp', 'tcp6')):
                with open(f'/proc/{self.far[0]}/net/{name}') as f:
                    if want.search(f.read()):
                        return
            time.sleep(0.02)
        raise Failed(f'{argv[0]} does not listen on port {port}')


def found(pattern, out, tool):
    m = re.search(pattern, out, re.M)
    if not m:
        raise Failed(f'{tool} said no number: {out.strip()[-300:]}')
    return [float(x) for x in m.groups()]


# One function per tool and case: (pair, seconds) -> (bytes/s or transactions/s, meter).
def tare_stream(pair, seconds):
    options = os.environ.get('STREAM_OPTIONS', '')
    w, meter = pair.trial(f'stream:dir=tx,congestion={CONGESTION}' + options, seconds)
    return float(w['bytes_per_s']), meter


def tare_rr(proto, req, rsp):
    def run(pair, seconds):
        w, meter = pair.trial(f'rr:proto={proto},req={req},rsp={rsp}', seconds)
        return float(w['transactions_per_s']), meter
    return run


def iperf3_stream(*nodelay):
    def run(pair, seconds):
        out, meter = pair.client(pair.near_cpu, [
            'iperf3', '-c', pair.addr, '-p', str(PORT['iperf3']), '-t', str(seconds), '-l',
            str(BLOCK), '-J', *nodelay], seconds)
        return json.loads(out)['end']['sum_received']['bits_per_second'] / 8, meter
    return run


def nuttcp_stream(*nodelay):
    def run(pair, seconds):
        out, meter = pair.client(pair.near_cpu, [
            'nuttcp', '-t', '-fparse', f'-T{seconds}', f'-l{BLOCK}', '-P', str(PORT['nuttcp']),
            '-p', str(PORT['nuttcp-data']), *nodelay, pair.addr], seconds)
        return found(r'rate_Mbps=([\d.]+)', out, 'nuttcp')[0] * 1e6 / 8, meter
    return run


def netperf(pair, seconds, cpu, port, test, options):
    out, meter = pair.client(cpu, [
        NETPERF, '-H', pair.addr, '-p', str(port), '-P0', '-v0', '-l', str(seconds), '-t',
        test, '--'] + options, seconds)
    return found(r'^\s*([\d.]+)\s*$', out, 'netperf')[0], meter


def netperf_stream(*nodelay):
    def run(pair, seconds):
        mbps, meter = netperf(pair, seconds, pair.near_cpu, PORT['netperf'], 'TCP_STREAM',
                              ['-m', str(BLOCK), '-M', str(BLOCK), *nodelay])
        return mbps * 1e6 / 8, meter
    return run


def netperf_rr(proto, req, rsp):
    return lambda pair, seconds: netperf(
        pair, seconds, pair.shared_cpu, PORT['netperf-rr'], f'{proto.upper()}_RR',
        ['-r', f'{req},{rsp}'])


def sockperf_rr(proto, size):
    def run(pair, seconds):
        argv = ['sockperf', 'ping-pong', '-i', pair.addr, '-p', str(PORT['sockperf-' + proto]),
                '-m', str(size), '-t', str(seconds)]
        out, meter = pair.client(pair.shared_cpu, argv + ['--tcp'] * (proto == 'tcp'), seconds)
        s, n = found(r'\[Valid Duration\] RunTime=([\d.]+) sec;.*ReceivedMessages=(\d+)', out,
                     'sockperf')
        return n / s, meter
    return run


def cases():
    """{case: (unit, {tool: function})}; sockperf's answer is as long as its question"""
    ret = {'stream': ('B/s', {
        'tare': tare_stream,
        'iperf3': iperf3_stream(), 'nuttcp': nuttcp_stream(), 'netperf': netperf_stream(),
        'iperf3 -N': iperf3_stream('-N'), 'nuttcp -D': nuttcp_stream('-D'),
        'netperf -D': netperf_stream('-D')})}
    for proto in 'tcp', 'udp':
        ret[f'rr-{proto}'] = ('/s', {
            'tare': tare_rr(proto, 100, 200), 'netperf': netperf_rr(proto, 100, 200)})
    for proto in 'tcp', 'udp':
        ret[f'even-{proto}'] = ('/s', {
            'tare': tare_rr(proto, 100, 100), 'netperf': netperf_rr(proto, 100, 100),
            'sockperf': sockperf_rr(proto, 100)})
    return ret


TITLE = {'stream': 'one TCP stream: 128 KiB blocks the peers, its own default tare', 'rr-tcp': 'TCP ping-pong, 100 B / 200 B',
         'rr-udp': 'UDP ping-pong, 100 B / 200 B',
         'even-tcp': 'TCP ping-pong, 100 B / 100 B', 'even-udp': 'UDP ping-pong, 100 B / 100 B'}


def start_servers(pair, tools):
    if 'iperf3' in tools:
        pair.server(pair.far_cpu, PORT['iperf3'], ['iperf3', '-s', '-p', str(PORT['iperf3'])])
    if 'nuttcp' in tools:
        pair.server(pair.far_cpu, PORT['nuttcp'],
                    ['nuttcp', '-S', '--nofork', '-P', str(PORT['nuttcp'])])
    if 'netperf' in tools:
        for cpu, name in (pair.far_cpu, 'netperf'), (pair.shared_cpu, 'netperf-rr'):
            pair.server(cpu, PORT[name], [NETSERVER, '-D', '-4', '-p', str(PORT[name])])
    if 'sockperf' in tools:
        for proto in 'tcp', 'udp':
            port = PORT['sockperf-' + proto]
            pair.server(pair.shared_cpu, port, ['sockperf', 'server', '-i', pair.addr, '-p',
                                                str(port)] + ['--tcp'] * (proto == 'tcp'),
                        udp=proto == 'udp')


def available(runs, tools):
    return [t for t in runs if t.split()[0] in tools]


def wait_for_quiet():
    deadline = time.monotonic() + QUIET_WAIT_S
    while time.monotonic() < deadline:
        before = foreign_s()
        time.sleep(QUIET_S)
        if foreign_rise_s(before) <= FOREIGN_CPUS * QUIET_S:
            return


def measure(pair, case, tool, run, seconds):
    for attempt in range(RETRIES + 1):
        wait_for_quiet()
        rate, m = run(pair, seconds)
        if m['foreign'] <= FOREIGN_CPUS:
            break
    seen = m['seen_Bps'] if case == 'stream' else m['seen_pps']
    return {'case': case, 'tool': tool, 'rate': rate, **m,
            'repeated': attempt, 'cost_ns': m['cpus'] * 1e9 / seen}


def measure_all(pair, which, tools, rounds, seconds):
    rows = []
    for n in range(rounds):
        for case, (_, runs) in which.items():
            names = available(runs, tools)
            for i in range(len(names)):
                tool = names[(i + n) % len(names)]
                print(f'\rround {n + 1}/{rounds} {case} {tool}\033[K', end='', file=sys.stderr)
                rows.append({'round': n, **measure(pair, case, tool, runs[tool], seconds)})
    print('\r\033[K', end='', file=sys.stderr)
    return rows


# Tables.
def by_round(rows, case, tool, key):
    return {r['round']: r[key] for r in rows if r['case'] == case and r['tool'] == tool}


def middle(rows, case, tool, key):
    return statistics.median(by_round(rows, case, tool, key).values() or [math.nan])


def ratio(rows, case, tool, key):
    own, other = by_round(rows, case, 'tare', key), by_round(rows, case, tool, key)
    x = [own[n] / other[n] for n in own.keys() & other.keys()]
    return f'{statistics.median(x):.3f} ({min(x):.3f}..{max(x):.3f})' if x else 'no pair'


def show_case(rows, case, unit, names):
    per, scale, cost, cost_scale = (('Gbit/s', 8e-9, 'ns/B', 1) if unit == 'B/s'
                                    else ('/s', 1, 'us', 1e-3))
    seen = 'seen_Bps' if unit == 'B/s' else 'seen_pps'
    best = max((t for t in names if t != 'tare'), default=None,
               key=lambda t: middle(rows, case, t, 'rate'))
    print(f'{TITLE[case]}\n  {"":10}{per:>12} {"seen":>12} {"CPUs":>6} {"CPU " + cost:>9}'
          f'  {"rate, tare/peer":24}  {"CPU cost, tare/peer":24}')
    for t in names:
        line = (f'  {t:10}{middle(rows, case, t, "rate") * scale:12.2f} '
                f'{middle(rows, case, t, seen) * scale:12.2f} '
                f'{middle(rows, case, t, "cpus"):6.2f} '
                f'{middle(rows, case, t, "cost_ns") * cost_scale:9.4f}')
        if t != 'tare':
            line += f'  {ratio(rows, case, t, "rate"):24}  {ratio(rows, case, t, "cost_ns"):24}'
        print((line + ('  best peer' if t == best else '')).rstrip())
    print('' if best else '  no peer: netperf is absent\n')


def show(rows, which, tools, seconds):
    calm = [r for r in rows if r['foreign'] <= FOREIGN_CPUS]
    for case, (unit, runs) in which.items():
        show_case(calm, case, unit, available(runs, tools))
    print(f'{len(rows)} trials of {seconds} s, congestion control {CONGESTION}; '
          f'{sum(r["repeated"] for r in rows)} repetitions because others used the machine; '
          f'{len(rows) - len(calm)} left out for the same reason')
    print('seen: bytes (with headers) or packets near sent per second; one per transaction. '
          'CPU: whole machine.')
    print('sockperf answers with as many bytes as it asks; hence the 100 B / 100 B cases.')


def write_csv(path, rows):
    with open(path, 'w', newline='') as f:
        out = csv.DictWriter(f, rows[0].keys())
        out.writeheader()
        out.writerows(rows)


def find_tools():
    tools = {'tare'} | {t for t in ('iperf3', 'nuttcp', 'sockperf') if shutil.which(t)}
    if NETPERF and NETSERVER:
        tools.add('netperf')
    for t in sorted({'iperf3', 'nuttcp', 'sockperf', 'netperf'} - tools):
        print(f'{t} is absent')
    return tools


def main():
    rounds = int(os.environ.get('ROUNDS', 5))
    seconds = int(os.environ.get('SECONDS_PER_TRIAL', 2))
    wanted = os.environ.get('CASES', '').split()
    which = {c: v for c, v in cases().items() if not wanted or c in wanted}
    if rounds < 1 or seconds < 2 or len(which) < len(wanted) or not which:
        print('peers.py: ROUNDS from 1, SECONDS_PER_TRIAL from 2, CASES out of '
              + ' '.join(cases()), file=sys.stderr)
        return 2
    tools = find_tools()
    try:
        pair = Pair()
        start_servers(pair, tools)
        rows = measure_all(pair, which, tools, rounds, seconds)
    except (Failed, OSError, subprocess.SubprocessError) as why:
        print(f'peers.py: {why}', file=sys.stderr)
        return 1
    finally:
        end_all()
    show(rows, which, tools, seconds)
    if len(sys.argv) > 1:
        write_csv(sys.argv[1], rows)
    return 0


CONGESTION = os.environ.get('CONGESTION') or 'cubic'
NETPERF = os.environ.get('NETPERF') or shutil.which('netperf')
NETSERVER = os.environ.get('NETSERVER') or shutil.which('netserver')

if __name__ == '__main__':
    for sig in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
        signal.signal(sig, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
