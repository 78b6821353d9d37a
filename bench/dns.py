#!/usr/bin/env python3
"""tare dns against dnsperf and resperf: the same servers, the same queries, in the same rounds.

usage: dns.py [--quick] TARE [ROUNDS [SECONDS [clients|servers]]]

--quick is 3 rounds of 1 second with short searches, of the servers alone: 4 minutes at most.

Runs in a network namespace of its own (root), over loopback. NSD and BIND are started here on a zone of 1000
names, with one and two server threads, BIND also with its query log. Each round asks each server in turn with

  dnsperf    closed loop, 100 queries in flight, 16 clients, 1 thread
  tare -q    the same by tare dns --outstanding 100
  resperf    open loop, a rising rate: the highest it saw answered, with loss (SECONDS for the ramp)
  tare       the search for the highest rate with no loss, trials of a second, a minute at most
  tare 0.5%  the same with at most 0.5 % lost

What can be compared is dnsperf with tare -q: both count what a closed loop gets through. resperf's is a peak under
overload, tare's the rate that holds. Shown are median, least and greatest of the rounds, the mean with its 95 %
interval (Student's t over the rounds), and the median of the ratios within rounds.

Last, the clients alone: an XDP program answers on the far end of a veth pair, which costs next to nothing, and the
whole cost of it falls on the client's CPU. Shown are queries per second, and per second of the client's CPU time
(user and system, with the softirq work inside its calls).
"""
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PORT = 5300
NAMES = 1000
QUICK = '--quick' in sys.argv
SEARCH = ['--search-max', '60s', '--sum-time', '4s', '--time', '1s'] if not QUICK else [
    '--search-max', '4s', '--trial-time', '200ms', '--sum-time', '800ms', '--time', '200ms', '--timeout', '200ms']
# Student's t, 97.5 %, for 1 degree of freedom and on. Ref: any table
T975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]
ZONE = ('$ORIGIN example.com.\n$TTL 3600\n@ IN SOA ns hostmaster 1 3600 600 86400 300\n@ IN NS ns\nns IN A 192.0.2.1\n'
        + ''.join(f'host{i} IN A 192.0.2.{i % 250 + 1}\n' for i in range(1, NAMES + 1)))
NSD = '''server:
  ip-address: 127.0.0.1@{port}
  server-count: {threads}
  reuseport: yes
  username: ""
  database: ""
  pidfile: "{d}/pid"
  zonesdir: "{d}"
  zonelistfile: "{d}/list"
  xfrdfile: ""
  xfrdir: "{d}"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: example.com
  zonefile: zone
'''
BIND = '''options {{ directory "{d}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file "{d}/pid"; session-keyfile "{d}/key"; querylog {log}; minimal-responses yes; }};
controls {{ }};
logging {{ channel q {{ file "{d}/log"; severity info; print-time yes; }}; category queries {{ q; }}; }};
zone "example.com" {{ type primary; file "zone"; }};
'''


def alone():
    if os.geteuid() != 0:
        sys.exit('dns.py: a network namespace of its own needs root')
    if not os.environ.get('DNS_ALONE'):
        os.environ['DNS_ALONE'] = '1'
        os.execvp('unshare', ['unshare', '--net', sys.executable, *sys.argv])
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)


def find(program):
    return shutil.which(program, path=os.environ['PATH'] + ':/usr/sbin:/sbin')


class Server:
    def __init__(self, kind, threads, log=False):
        self.kind, self.threads, self.log = kind, threads, log
        self.name = f'{kind}, {threads} thread{"s" * (threads > 1)}' + ', query log' * log

    @contextlib.contextmanager
    def running(self):
        with tempfile.TemporaryDirectory() as d:
            words = {'d': d, 'port': PORT, 'threads': self.threads, 'log': 'yes' if self.log else 'no'}
            (pathlib.Path(d) / 'zone').write_text(ZONE)
            conf = pathlib.Path(d) / 'conf'
            if self.kind == 'NSD':
                conf.write_text(NSD.format(**words))
                command = [find('nsd'), '-d', '-c', str(conf)]
            else:
                conf.write_text(BIND.format(**words))
                command = [find('named'), '-f', '-n', str(self.threads), '-c', str(conf)]
            p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            try:
                self.wait(p)
                yield
            finally:
                p.send_signal(signal.SIGTERM)
                p.wait(timeout=30)

    def wait(self, process):
        ask = [TARE, 'dns', '127.0.0.1', '--port', str(PORT), '--names', 'host1.example.com', '--rate', '10', '--time',
               '100ms', '--timeout', '200ms']
        for _ in range(50):
            if process.poll() is not None:
                raise RuntimeError(f'{self.name} ended')
            if subprocess.run(ask, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f'{self.name} does not answer')


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found[1]) if found else float('nan')


def dnsperf(where, port, queries, seconds, outstanding=100):
    return number(r'Queries per second:\s+([\d.]+)', output(
        'dnsperf', '-s', where, '-p', str(port), '-d', queries, '-l', str(seconds), '-c', '16', '-T', '1', '-q',
        str(outstanding)))


def resperf(where, port, queries, seconds, most):
    """The peak of what was answered."""
    return number(r'Maximum throughput:\s+([\d.]+)', output(
        'resperf', '-s', where, '-p', str(port), '-d', queries, '-r', str(seconds), '-m', str(int(most)), '-C', '16',
        '-t', '1', '-P', '/dev/null'))  # -t: else it waits 45 s for the last lost query


def tare(where, port, queries, *words):
    return json.loads(output(TARE, 'dns', where, '--port', str(port), '--query-file', queries, '--edns-bytes', '0',
                             '--json', '--quiet', *words))


def closed(where, port, queries, seconds, outstanding=100):
    c = tare(where, port, queries, '--outstanding', str(outstanding), '--time', f'{seconds}s')['main']
    return c['count']['answered'] * 1e9 / c['duration_ns']


def opened(where, port, queries, seconds, rate):
    c = tare(where, port, queries, '--rate', str(int(rate)), '--time', f'{seconds}s')['main']
    return c['count']['answered'] * 1e9 / c['duration_ns']


def search(port, queries, loss):
    s = tare('127.0.0.1', port, queries, '--loss-ratio', loss, *SEARCH)['search']
    return s['lower_qps'] or float('nan')


def round_of(queries, many, seconds):
    peak = {}

    def closed_loop():
        peak['qps'] = closed('127.0.0.1', PORT, queries, seconds)
        return peak['qps']
    return {
        'tare -q': closed_loop,
        'dnsperf': lambda: dnsperf('127.0.0.1', PORT, queries, seconds),
        'resperf': lambda: resperf('127.0.0.1', PORT, many, seconds, 2 * peak['qps']),
        'tare': lambda: search(PORT, queries, '0%'),
        'tare 0.5%': lambda: search(PORT, queries, '0.5%'),
    }


def interval(v):
    """"mean +- half of its 95 % interval", of two and more"""
    if len(v) < 2:
        return ''
    t = T975[len(v) - 2] if len(v) < 11 else 1.96
    return f'  mean {statistics.mean(v):.0f} +- {t * statistics.stdev(v) / len(v)**0.5:.0f}'


def show(title, rows):
    """rows: [{name: number}] of the rounds"""
    print(f'\n{title}')
    base = [r.get('dnsperf') for r in rows]
    for name in rows[0]:
        v = [r[name] for r in rows if r[name] == r[name]]
        if not v:
            print(f'  {name:<24} no number')
            continue
        ratios = [r[name] / b for r, b in zip(rows, base) if b and r[name] == r[name]]
        ratio = f'  x{statistics.median(ratios):.2f} of dnsperf ({min(ratios):.2f} to {max(ratios):.2f})' if ratios else ''
        print(f'  {name:<24} {statistics.median(v):9.0f}/s  ({min(v):.0f} to {max(v):.0f}){interval(v)}{ratio}',
              flush=True)


def servers(queries, many, rounds, seconds):
    which = [Server('NSD', 1), Server('NSD', 2), Server('BIND', 1), Server('BIND', 2), Server('BIND', 1, log=True)]
    rows = {s.name: [] for s in which}
    for i in range(rounds):
        for s in which:
            print(f'round {i + 1} of {rounds}: {s.name}', file=sys.stderr, flush=True)
            with s.running():
                rows[s.name].append({name: run() for name, run in round_of(queries, many, seconds).items()})
    for name, r in rows.items():
        show(name, r)


# The clients alone.
@contextlib.contextmanager
def answering():
    """A veth pair, the far end of which answers in XDP."""
    with tempfile.TemporaryDirectory() as d:
        code = f'{d}/answer.o'
        subprocess.run(['clang', '-O2', '-g', '-target', 'bpf', '-I/usr/include/' + os.uname().machine + '-linux-gnu',
                        '-c', HERE / 'dns_answer.bpf.c', '-o', code], check=True)
        holder = subprocess.Popen(['unshare', '--net', 'sh', '-c', 'echo; exec cat'], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        holder.stdout.readline()
        there = ['nsenter', '--net', '--target', str(holder.pid)]
        try:
            for command in (
                    ['ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', str(holder.pid)],
                    ['ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'near'], ['ip', 'link', 'set', 'near', 'up'],
                    [*there, 'ip', 'addr', 'add', '192.0.2.2/24', 'dev', 'far'],
                    [*there, 'ip', 'link', 'set', 'far', 'up'],
                    [*there, 'ip', 'link', 'set', 'dev', 'far', 'xdpgeneric', 'obj', code, 'sec', 'xdp']):
                subprocess.run(command, check=True)
            yield '192.0.2.2'
        finally:
            holder.stdin.close()
            holder.wait(timeout=10)


def with_cpu(run):
    """(queries a second, queries a second of CPU time) of a client that runs for the time it says"""
    def used():
        u = resource.getrusage(resource.RUSAGE_CHILDREN)
        return u.ru_utime + u.ru_stime
    before, begin = used(), time.monotonic()
    qps = run()
    return qps, qps * (time.monotonic() - begin) / (used() - before)


def clients(queries, rounds, seconds):
    rows, cpu = [], []
    with answering() as there:
        runs = {
            'dnsperf': lambda: dnsperf(there, 53, queries, seconds),
            'dnsperf -q 1000': lambda: dnsperf(there, 53, queries, seconds, 1000),
            'tare -q': lambda: closed(there, 53, queries, seconds),
            'tare -q 1000': lambda: closed(there, 53, queries, seconds, 1000),
            'tare, rate 5000000': lambda: opened(there, 53, queries, seconds, 5000000),
        }
        for _ in range(rounds):
            both = {name: with_cpu(run) for name, run in runs.items()}
            rows.append({name: x[0] for name, x in both.items()})
            cpu.append({name: x[1] for name, x in both.items()})
    show('clients alone, answered', rows)
    show('clients alone, answered in a second of CPU time', cpu)


def main(rounds=5, seconds=5, *which):
    with tempfile.TemporaryDirectory() as d:
        queries, many = f'{d}/queries', f'{d}/many'
        lines = ''.join(f'host{i}.example.com A\n' for i in range(1, NAMES + 1))
        pathlib.Path(queries).write_text(lines)
        pathlib.Path(many).write_text(lines * 2000)  # resperf reads its file once
        if 'servers' not in which:
            clients(queries, int(rounds), int(seconds))
        if 'clients' not in which:
            servers(queries, many, int(rounds), int(seconds))


arguments = [a for a in sys.argv[1:] if a != '--quick']
if not arguments:
    sys.exit(__doc__)
# Servers have sessions of their own, so that ^C is for this program: it ends them.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
alone()
TARE = arguments[0]
main(*(arguments[1:] or ([3, 1, 'servers'] if QUICK else [])))
