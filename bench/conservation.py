#!/usr/bin/env python3
"""Ten million frames through each kind of path: each is received, or lost, and a counter of the kernel says where.

usage: conservation.py TARE [--count N] [--rate N] [PATH...]

Slow, and no test: three minutes for a path at a rate that an idle machine holds. Root. The counters are read when the
trial is over and the path still stands: tare then waits, as its output is a pipe without room. A row for each path:
frames sent (both ways together), received, dropped by who says so, and unaccounted: sent, and in neither. Counters
count other packets, too (the path's verification, ARP): they may say a few too many, which is shown as a negative
number. Exits with 1 when a frame is unaccounted, or numbers do not add up.

Not among the counters are the tester's own devices, each the only one of its namespace: what one drops on its way in
has been seen by the receiver before, and on its way out it was refused, and sent again.
"""

import argparse
import collections
import fcntl
import json
import os
import pathlib
import re
import subprocess
import sys
import time

CHUNK = 1_000_000  # frames of a trial, both ways together
PIPE_BYTES = 4096
KEYS = 'intended', 'sent', 'unsent', 'received', 'lost', 'duplicated', 'late', 'overflowed'


def kinds(tare):
    """Names of paths that work here and take no argument."""
    text = subprocess.run([tare, 'list', 'paths'], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in text.splitlines()[1:])
    return [row[0] for row in rows if len(row) > 2 and row[1] == 'yes' and ':' not in row[0]]


def inside(path, *words):
    return subprocess.run(['nsenter', f'--net={path}', *words], capture_output=True, text=True, check=True).stdout


def drops_in(path, pid):
    """In one namespace. {place: frames}"""
    ret = collections.Counter()
    devices = [x for x in json.loads(inside(path, 'ip', '-s', '-j', 'link')) if x['link_type'] == 'ether']
    for x in devices if len(devices) > 1 else []:
        for way in 'rx', 'tx':
            ret[f'{x["ifname"]} {way}'] += x['stats64'][way]['dropped']
    for x in json.loads(inside(path, 'tc', '-s', '-j', 'qdisc') or '[]'):
        if 'parent' not in x:
            ret[f'{x["dev"]} {x["kind"]}'] += x.get('drops', 0)
    for line in inside(path, 'nstat', '-asz').splitlines()[1:]:
        name, value, _ = line.split()
        if name in ('IpInDiscards', 'IpOutDiscards', 'IpOutNoRoutes', 'IpInHdrErrors', 'IpInAddrErrors'):
            ret[name] += int(value)
    # Packet sockets of others: of a switch in user space.
    for line in inside(path, 'ss', '--packet', '--all', '--memory', '--processes', '--no-header').splitlines():
        found = re.search(r'users:\(\("([^"]*)",pid=(\d+).*skmem:\(.*,d(\d+)\)', line)
        if found and int(found[2]) != pid:
            ret[f'socket of {found[1]}'] += int(found[3])
    return ret


def drops_of(pid):
    """In all namespaces that a process has open, but for this one, which is no part of a path."""
    ret, seen = collections.Counter(), {os.stat('/proc/self/ns/net').st_ino}
    for path in [*pathlib.Path(f'/proc/{pid}/fd').glob('*'), *pathlib.Path(f'/proc/{pid}/task').glob('*/ns/net')]:
        if os.readlink(path).startswith('net:[') and path.stat().st_ino not in seen:
            seen.add(path.stat().st_ino)
            ret += drops_in(path, pid)
    return ret


def backlog_drops():
    return sum(int(row.split()[1], 16) for row in pathlib.Path('/proc/net/softnet_stat').read_text().splitlines())


def full_pipe():
    """Its ends. Who writes has to wait until somebody reads."""
    ends = os.pipe()
    size = fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.write(ends[1], b' ' * size)
    return ends


def writes(p):
    """Is it about to say what it found? Of system calls, 1 is write, of descriptor 1."""
    return pathlib.Path(f'/proc/{p.pid}/syscall').read_text().startswith('1 0x1 ')


def trial(tare, path, count, rate):
    """The flows and the drops; or None and why not."""
    words = [tare, 'frames', '--path', path, '--dir', 'both', '--count', str(count), '--rate', rate, '--json']
    before, drops = backlog_drops(), collections.Counter()
    out_fd, in_fd = full_pipe()
    with open(out_fd) as out, subprocess.Popen(words, stdout=in_fd, stderr=subprocess.PIPE, text=True) as p:
        os.close(in_fd)
        while p.poll() is None and not writes(p):
            time.sleep(0.02)
        if p.returncode is None:
            drops = drops_of(p.pid)
            drops['backlog'] += backlog_drops() - before
        text = out.read()
        reason = p.stderr.read().strip()
    if p.returncode == 3:
        return None, reason
    if p.returncode:
        raise RuntimeError(reason)
    return json.loads(text)['flows'], +drops


def check(flow):
    """What does not add up."""
    bad = []
    if flow['intended'] != flow['received'] + flow['lost']:
        bad.append('intended != received + lost')
    if flow['intended'] != flow['sent'] + flow['unsent']:
        bad.append('intended != sent + unsent')
    if not flow['received'] <= flow['sent'] <= flow['intended']:
        bad.append('more than was sent')
    if flow['corrupt']:
        bad.append(f'{flow["corrupt"]} corrupt')
    return bad


def run(tare, path, count, rate):
    """Prints a row. Return: is anything wrong?"""
    total, dropped, bad = collections.Counter(), collections.Counter(), []
    while total['intended'] < count:
        flows, drops = trial(tare, path, min(CHUNK, count - total['intended']) // 2 or 1, rate)
        if flows is None:
            print(f'{path:<14} not here: {drops}', flush=True)
            return False
        dropped += drops
        for flow in flows:
            bad += check(flow)
            total.update({key: flow[key] for key in KEYS})
    if total['overflowed']:
        dropped['tester\'s own receiver'] += total['overflowed']
    missing = total['sent'] - total['received'] - sum(dropped.values())
    places = ', '.join(f'{n} {place}' for place, n in dropped.most_common()) or '-'
    rest = ', '.join(f'{total[key]} {key}' for key in ('unsent', 'duplicated', 'late') if total[key])
    print(f'{path:<14}{total["sent"]:>11}{total["received"]:>11}{missing:>12}  {places}{"; " if rest else ""}{rest}'
          + ''.join(f'; {x}' for x in bad), flush=True)
    return missing > 0 or bool(bad)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('tare')
    parser.add_argument('path', nargs='*')
    parser.add_argument('--count', type=int, default=10_000_000)
    parser.add_argument('--rate', default='100k')
    args = parser.parse_intermixed_args()
    print(f'{"path":<14}{"sent":>11}{"received":>11}{"unaccounted":>12}  dropped by')
    return int(any([run(args.tare, path, args.count, args.rate) for path in args.path or kinds(args.tare)]))


if __name__ == '__main__':
    sys.exit(main())
