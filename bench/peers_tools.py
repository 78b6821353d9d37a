"""Each tool's way to run each case, and to say what came out of it.

A run is a function (pair, seconds) -> (numbers, meter). numbers has 'rate', of bytes, packets or
transactions per second at the receiving or asking end, and of datagrams 'sent', per second, where
the tool knows it. A server lives for one trial: none that idles is about while another tool runs.
"""
import itertools
import json
import os
import re
import shutil
import signal
import subprocess

import lab

BLOCK = 128 << 10  # of streams, all tools; iperf3's default
DATA = 20  # from a tool's port to that of its data where it has two; that of flow i is + i
# Programs that have to be named by the environment, or are looked for in PATH.
NETPERF = os.environ.get('NETPERF') or shutil.which('netperf')
NETSERVER = os.environ.get('NETSERVER') or shutil.which('netserver')
NEPER_DIR = os.environ.get('NEPER_DIR')
IPERF3 = {'iperf3': shutil.which('iperf3'), 'iperf3-new': os.environ.get('IPERF3_NEW'),
          'tare -c': os.environ.get('TARE')}  # all with iperf3's command line


# Each trial takes other ports: not all tools can listen where a connection is still in TIME_WAIT.
ports = itertools.cycle(range(15200, 19200, 40))


def neper(name):
    path = os.path.join(NEPER_DIR or '', name)
    return path if NEPER_DIR and os.access(path, os.X_OK) else None


def first_line(argv, pattern=r'.*'):
    try:
        out = subprocess.run(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             stdin=subprocess.DEVNULL, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 'of unknown version'
    m = re.search(pattern, out)
    return m[0].strip() if m else 'of unknown version'


def serves(program):
    """does it stay up as an iperf3 server? One that is a client only ends with an error"""
    child = lab.start([program, '-s', '-1', '-B', '127.0.0.1', '-p', str(next(ports))],
                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
    try:
        child.wait(0.5)
        return False
    except subprocess.TimeoutExpired:
        return True
    finally:
        lab.end(child)


def versions():
    """({tool: version} of what is there, {tool: why it is not})"""
    there, absent = {}, {}
    for name, path in IPERF3.items():
        if path and name != 'tare -c':
            there[name] = first_line([path, '--version'])
        elif path and os.access(path, os.X_OK) and serves(path):
            there[name] = first_line([path, '-s', '--version'])
        else:
            absent[name] = {'iperf3': 'not installed', 'iperf3-new': 'IPERF3_NEW is not set',
                            'tare -c': 'TARE is no iperf3 server'}[name]
    for name, option in ('nuttcp', '-V'), ('sockperf', '--version'):
        if shutil.which(name):
            there[name] = first_line([name, option], r'.*\d+\.\d+.*')
        else:
            absent[name] = 'not installed'
    if NETPERF and NETSERVER:
        there['netperf'] = first_line([NETPERF, '-V'])
    else:
        absent['netperf'] = 'NETPERF and NETSERVER are not set'
    if neper('tcp_stream'):
        there['neper'] = first_line([neper('tcp_stream'), '--nolog', '--version'], r'.*\d+\.\d+.*')
    else:
        absent['neper'] = 'NEPER_DIR is not set, or has no tcp_stream'
    return there, absent


def found(pattern, out, tool):
    m = re.search(pattern, out, re.M)
    if not m:
        raise lab.Failed(f'{tool} said no number: {out.strip()[-300:]}')
    return [float(x) for x in m.groups()]


class Served:
    """with Served(pair, cpus, port, argv): ..., the server's life"""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def __enter__(self):
        pair, *args = self.args
        self.process = pair.server(*args, **self.kwargs)
        return self

    def __exit__(self, *_):
        lab.end(self.process)


def cpus_of(pair, flows):
    """a flow takes one CPU at each end, as tare's does; more take all that are the end's"""
    return (pair.near_cpu, pair.far_cpu) if flows == 1 else (pair.near_cpus, pair.far_cpus)


def n_cpus(cpus):
    return len(cpus.split(','))


# tare, by tare-pair.
def tare_stream(flows, options):
    def run(pair, seconds):
        w, meter = pair.trial(f'stream:dir=tx,flows={flows}{options}', seconds)
        return {'rate': float(w['bytes_per_s'])}, meter
    return run


def tare_udp(size, options=''):
    def run(pair, seconds):
        w, meter = pair.trial(f'udp:dir=tx,packet={size}{options}', seconds)
        return {'rate': float(w['bytes_per_s']) / size,
                'sent': float(w['sent_bytes_per_s']) / size}, meter
    return run


def tare_rr(load, options):
    def run(pair, seconds):
        w, meter = pair.trial(f'{load}:{options}', seconds)
        return {'rate': float(w['transactions_per_s'])}, meter
    return run


# iperf3, and what has its command line.
def iperf3(pair, seconds, name, flows, options):
    program, (near, far), port = IPERF3[name], cpus_of(pair, flows), next(ports)
    with Served(pair, far, port, [program, '-s', '-1', '-p', str(port)]):
        out, meter = pair.client(near, [
            program, '-c', pair.addr, '-p', str(port), '-t', str(seconds), '-J', *options], seconds)
    try:
        # A warning may come first.
        return json.loads(out[out.index('{'):])['end'], meter
    except (ValueError, KeyError):
        raise lab.Failed(f'{name} gave no result: {out.strip()[-300:]}') from None


def iperf3_stream(name, flows, *options):
    def run(pair, seconds):
        end, meter = iperf3(pair, seconds, name, flows,
                            ['-l', str(BLOCK), '-P', str(flows), *options])
        return {'rate': end['sum_received']['bits_per_second'] / 8}, meter
    return run


def iperf3_udp(name, size, *options):
    """without a rate, unless the options have one: the last -b counts"""
    def run(pair, seconds):
        end, meter = iperf3(pair, seconds, name, 1, [
            '-u', '-b', '0', '-l', str(size), '--udp-counters-64bit', *options])
        # What it calls received is the highest number that came in: less those that did not.
        sent, got = end['sum_sent'], end['sum_received']
        return {'rate': (got['packets'] - end['sum']['lost_packets']) / got['seconds'],
                'sent': sent['packets'] / sent['seconds']}, meter
    return run


# nuttcp.
def nuttcp(pair, seconds, flows, options):
    (near, far), port = cpus_of(pair, flows), next(ports)
    with Served(pair, far, port, ['nuttcp', '-S', '--nofork', '-P', str(port)]):
        return pair.client(near, [
            'nuttcp', '-t', '-fparse', f'-T{seconds}', '-P', str(port), '-p', str(port + DATA),
            *options, pair.addr], seconds)


def nuttcp_stream(flows, *options):
    def run(pair, seconds):
        out, meter = nuttcp(pair, seconds, flows,
                            [f'-l{BLOCK}'] + [f'-N{flows}'] * (flows > 1) + list(options))
        return {'rate': found(r'rate_Mbps=([\d.]+)', out, 'nuttcp')[0] * 1e6 / 8}, meter
    return run


def nuttcp_udp(size, rate='u'):
    def run(pair, seconds):
        out, meter = nuttcp(pair, seconds, 1, ['-u', f'-R{rate}', f'-l{size}'])
        span, drop, pkts = found(r'real_seconds=([\d.]+).* drop=(-?\d+) pkt=(\d+)', out, 'nuttcp')
        return {'rate': (pkts - drop) / span, 'sent': pkts / span}, meter
    return run


# netperf.
def netperf(pair, seconds, cpus, test, options):
    (near, far), port = cpus, next(ports)
    with Served(pair, far, port, [NETSERVER, '-D', '-4', '-p', str(port)]):
        return pair.client(near, [
            NETPERF, '-H', pair.addr, '-p', str(port), '-P0', '-v0', '-l', str(seconds), '-t',
            test, '--', *options], seconds)


def netperf_stream(*options):
    def run(pair, seconds):
        out, meter = netperf(pair, seconds, cpus_of(pair, 1), 'TCP_STREAM',
                             ['-m', str(BLOCK), '-M', str(BLOCK), *options])
        return {'rate': found(r'^\s*([\d.]+)\s*$', out, 'netperf')[0] * 1e6 / 8}, meter
    return run


def netperf_udp(size):
    def run(pair, seconds):
        out, meter = netperf(pair, seconds, cpus_of(pair, 1), 'UDP_STREAM', [
            '-m', str(size), '-R', '1', '-k', 'LOCAL_SEND_CALLS,REMOTE_RECV_CALLS,ELAPSED_TIME'])
        sent, got, span = found(r'LOCAL_SEND_CALLS=(\d+)\s+REMOTE_RECV_CALLS=(\d+)\s+'
                                r'ELAPSED_TIME=([\d.]+)', out, 'netperf')
        return {'rate': got / span, 'sent': sent / span}, meter
    return run


def netperf_rr(test, req, rsp):
    def run(pair, seconds):
        out, meter = netperf(pair, seconds, (pair.shared_cpu, pair.shared_cpu), test,
                             ['-r', f'{req},{rsp}'])
        return {'rate': found(r'^\s*([\d.]+)\s*$', out, 'netperf')[0]}, meter
    return run


# sockperf.
def sockperf_rr(proto, size):
    def run(pair, seconds):
        port = next(ports)
        where = ['-i', pair.addr, '-p', str(port)] + ['--tcp'] * (proto == 'tcp')
        with Served(pair, pair.shared_cpu, port, ['sockperf', 'server'] + where,
                    udp=proto == 'udp'):
            out, meter = pair.client(pair.shared_cpu, [
                'sockperf', 'ping-pong', '-m', str(size), '-t', str(seconds)] + where, seconds)
        s, n = found(r'\[Valid Duration\] RunTime=([\d.]+) sec;.*ReceivedMessages=(\d+)', out,
                     'sockperf')
        return {'rate': n / s}, meter
    return run


def sockperf_udp(size):
    """only its server knows what came in, and says so when interrupted"""
    def run(pair, seconds):
        port = next(ports)
        where = ['-i', pair.addr, '-p', str(port)]
        with Served(pair, pair.far_cpu, port, ['sockperf', 'server'] + where, udp=True,
                    stdout=subprocess.PIPE) as server:
            out, meter = pair.client(pair.near_cpu, [
                'sockperf', 'throughput', '-m', str(size), '-t', str(seconds), '--mps=max']
                + where, seconds)
            heard = lab.end(server.process, signal.SIGINT)
        sent, span = found(r'Total of (\d+) messages sent in ([\d.]+) sec', out, 'sockperf')
        got, = found(r'Total (\d+) messages received', heard, 'sockperf server')
        return {'rate': got / span, 'sent': sent / span}, meter
    return run


# neper: the same options at both ends; the server ends with the test.
def neper_run(pair, seconds, program, cpus, options):
    (near, far), port = cpus, next(ports)
    argv = [neper(program), '--nolog', '-C', str(port), '-P', str(port + DATA), '-l',
            str(seconds), *options]
    with Served(pair, far, port, argv):
        return pair.client(near, argv + ['-c', '-H', pair.addr], seconds)


def neper_stream(program, flows, size):
    def run(pair, seconds):
        cpus = cpus_of(pair, flows)
        threads = [min(flows, n_cpus(c)) for c in cpus]
        out, meter = neper_run(pair, seconds, program, cpus, [
            '-F', str(flows), '-T', str(max(threads)), '-B', str(size)])
        rate = found(r'^remote_throughput=(\d+)', out, 'neper')[0] / 8
        return {'rate': rate if program == 'tcp_stream' else rate / size}, meter
    return run


def neper_rr(program, req, rsp):
    def run(pair, seconds):
        out, meter = neper_run(pair, seconds, program, (pair.shared_cpu, pair.shared_cpu),
                               ['-Q', str(req), '-R', str(rsp)])
        return {'rate': found(r'^throughput=([\d.]+)', out, 'neper')[0]}, meter
    return run


# Cases: {tool, or tool and option: run}. 'tare' is what all are held against.
def iperf3_rows(make, *args):
    return {name: make(name, *args) for name in IPERF3}


def stream_runs(flows, options):
    runs = {'tare': tare_stream(flows, options), **iperf3_rows(iperf3_stream, flows),
            'nuttcp': nuttcp_stream(flows), 'neper': neper_stream('tcp_stream', flows, BLOCK)}
    if flows == 1:
        # tare sets TCP_NODELAY on streams, the others only if told.
        runs |= {'netperf': netperf_stream(), 'iperf3 -N': iperf3_stream('iperf3', 1, '-N'),
                 'iperf3-new -N': iperf3_stream('iperf3-new', 1, '-N'),
                 'nuttcp -D': nuttcp_stream(1, '-D'), 'netperf -D': netperf_stream('-D')}
    return runs


def udp_runs(size, options):
    runs = {'tare': tare_udp(size), 'tare gso=off': tare_udp(size, ',gso=off,gro=off')}
    if options:
        runs['tare UDP_OPTIONS'] = tare_udp(size, options)
    return {**runs, **iperf3_rows(iperf3_udp, size),
            'iperf3-new --gsro': iperf3_udp('iperf3-new', size, '--gsro'),
            'nuttcp': nuttcp_udp(size), 'netperf': netperf_udp(size),
            'sockperf': sockperf_udp(size), 'neper': neper_stream('udp_stream', 1, size)}


def rr_runs(proto, req, rsp):
    runs = {'tare': tare_rr('rr', f'proto={proto},req={req},rsp={rsp}'),
            'netperf': netperf_rr(f'{proto.upper()}_RR', req, rsp)}
    if req == rsp:  # sockperf answers with as many bytes as it asks
        runs['sockperf'] = sockperf_rr(proto, req)
    runs['neper'] = neper_rr(f'{proto}_rr', req, rsp)
    return runs


def crr_runs(req, rsp):
    return {'tare': tare_rr('crr', f'req={req},rsp={rsp}'),
            'netperf': netperf_rr('TCP_CRR', req, rsp), 'neper': neper_rr('tcp_crr', req, rsp)}
