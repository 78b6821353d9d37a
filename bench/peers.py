#!/usr/bin/env python3
"""tare against other tools; see peers.sh, which starts it.

Each round runs every tool of a case once, in rotating order. All speak IPv4 over the one veth pair
of tare's path native, pinned to the same CPUs: bulk on the CPUs of each end, one CPU for a single
flow; transactions, whose ends take turns, on one CPU.

All use the congestion control CONGESTION. It matters more than the tool: bbr paces with timers and
gave half of cubic's goodput here, while tare's default is cubic and the others' is the host's.
tare sets TCP_NODELAY on streams, the others only if told (-N, -D): they are run both ways, as
Nagle's algorithm may hold back the last, partial segment of a block.

Rates are what each tool says of what came in. Next to it is what one meter for all saw: bytes
(with headers) that near's device sent, or the packets of transactions; of datagrams, what far's
stack handed to programs (Udp InDatagrams, in which a GRO aggregate is one). CPU time is
/proc/stat's for all of them, see lab.py. A trial during which processes outside this comparison
used more than FOREIGN_CPUS is done again, up to lab.RETRIES times; what stays disturbed is in the
CSV but not in the table.

Ratios are tare / peer of the same round; shown is their median, with the least and the greatest.
"""
import collections
import csv
import math
import os
import statistics
import subprocess
import sys

import lab
import peers_tools as tools

EDGE_S = 0.5
CONGESTION = os.environ.get('CONGESTION') or 'cubic'
UDP_OPTIONS = os.environ.get('UDP_OPTIONS', '')
STREAM_OPTIONS = f',congestion={CONGESTION}' + os.environ.get('STREAM_OPTIONS', '')

# Unit of the rate and its scale; CPU time per what, and its scale; what the meter sees, and by
# which number CPU time is divided: the meter's, unless it cannot see what the tool counts.
Kind = collections.namedtuple('Kind', 'unit scale cost cost_scale seen per')
BULK = Kind('Gbit/s', 8e-9, 'ns/B', 1, 'seen_Bps', 'seen_Bps')
PACKETS = Kind('M/s', 1e-6, 'ns/pkt', 1, 'udp_in_pps', 'rate')
GOODPUT = PACKETS._replace(unit='Gbit/s', scale=1472 * 8e-9)  # of datagrams of 1472 bytes
ASKS = Kind('k/s', 1e-3, 'us', 1e-3, 'seen_pps', 'seen_pps')
CONNECTIONS = ASKS._replace(per='rate')

# What is to be reached: the least of tare/peer in rate, the most of it in CPU cost, among whom.
Goal = collections.namedtuple('Goal', 'rate cost among', defaults=(None, None))
Case = collections.namedtuple('Case', 'title kind load runs limit goal', defaults=(None,))


# The physical limits, of tare-limits' numbers. (numbers, pair) -> (rate, CPU ns of one, words)
def limit_stream(flows):
    def limit(x, pair):
        ends = min(flows, tools.n_cpus(pair.near_cpus), tools.n_cpus(pair.far_cpus))
        # With one CPU for both ends, that one makes both copies.
        share = 1 if pair.near_cpu != pair.far_cpu else 2
        return (x['memcpy_Bpns'] * ends / share * 1e9, 2 / x['memcpy_Bpns'],
                f'a byte is copied in and out, by {ends} CPU of each end at '
                f'{x["memcpy_Bpns"]:.1f} B/ns (beyond L2; {x["memcpy_l2_Bpns"]:.1f} within)')
    return limit


def limit_udp(size):
    def limit(x, pair):
        one, two = x[f'udp{size}_send_ns'], x[f'udp{size}_recv_ns']
        gso, gro = x[f'udp{size}_gso_ns'], x[f'udp{size}_gro_ns']
        both = (lambda a, b: max(a, b)) if pair.near_cpu != pair.far_cpu else (lambda a, b: a + b)
        return (1e9 / both(gso, gro), gso + gro,
                f'{gso:.1f} ns to send and {gro:.1f} to receive a datagram by GSO and GRO; '
                f'{one:.0f} and {two:.0f} in batches of 64, or {1e3 / both(one, two):.2f} M/s')
    return limit


def limit_rr(proto):
    def limit(x, pair):
        ns = x[f'rtt_{proto}_ns']
        return (1e9 / ns, ns,
                f'4 system calls and 2 wake-ups for 1 byte over loopback, {ns / 1e3:.2f} us; '
                f'{x["rtt_unix_ns"] / 1e3:.2f} over a socketpair, '
                f'{4 * x["syscall_ns"] / 1e3:.2f} for 4 empty calls')
    return limit


def limit_crr(x, pair):
    wake = max(0, (x['rtt_tcp_ns'] - x['rtt_tcp_nowake_ns']) / 2)
    ns = x['connection_ns'] + 2 * wake
    return (1e9 / ns, ns,
            f'connection, 1 byte each way and close by one thread over loopback, '
            f'{x["connection_ns"] / 1e3:.1f} us, and 2 wake-ups of {wake / 1e3:.2f}')


def cases():
    ret = {}
    for flows in 1, 2, 8:
        ret['stream' if flows == 1 else f'stream-{flows}'] = Case(
            f'TCP, {flows} flow{"s" * (flows > 1)}: blocks of 128 KiB, of tare its own default',
            BULK, 'stream', tools.stream_runs(flows, STREAM_OPTIONS), limit_stream(flows),
            Goal(1.05, 0.95))
    ret['udp-64'] = Case(
        'UDP, 64-byte datagrams received, no rate limit', PACKETS, 'udp',
        tools.udp_runs(64, UDP_OPTIONS), limit_udp(64), Goal(2.0, None, 'iperf3'))
    ret['udp-1472'] = Case(
        'UDP, payload of 1472-byte datagrams received, no rate limit', GOODPUT, 'udp',
        tools.udp_runs(1472, UDP_OPTIONS), limit_udp(1472))
    for proto in 'tcp', 'udp':
        ret[f'rr-{proto}'] = Case(
            f'{proto.upper()} ping-pong, 100 B / 200 B', ASKS, 'rr',
            tools.rr_runs(proto, 100, 200), limit_rr(proto), Goal(1.05))
    for proto in 'tcp', 'udp':
        ret[f'even-{proto}'] = Case(
            f'{proto.upper()} ping-pong, 100 B / 100 B', ASKS, 'rr',
            tools.rr_runs(proto, 100, 100), limit_rr(proto), Goal(1.05))
    ret['crr'] = Case('TCP connect, 100 B / 200 B, close', CONNECTIONS, 'crr',
                      tools.crr_runs(100, 200), limit_crr, Goal(1.05))
    return ret


# Trials.
def names_of(case, there, pair):
    """rows of a case that can be run here"""
    def can(name):
        words = name.split()
        if words[0] != 'tare':
            return words[0] in there
        return name in there if name == 'tare -c' else case.load in pair.loads
    return [n for n in case.runs if can(n)]


def measure(pair, name, case, tool, seconds):
    for attempt in range(lab.RETRIES + 1):
        lab.wait_for_quiet()
        numbers, meter = case.runs[tool](pair, seconds)
        if meter['foreign'] <= lab.FOREIGN_CPUS:
            break
    sent = numbers.get('sent', math.nan)
    if case.load == 'udp' and 'sent' not in numbers:
        sent = meter['seen_pps']
    lost = max(0, 1 - numbers['rate'] / sent) if case.load == 'udp' else math.nan
    done = {**meter, **numbers}[case.kind.per]
    return {'case': name, 'tool': tool, 'rate': numbers['rate'], 'sent': sent, 'lost': lost,
            **meter, 'repeated': attempt, 'cost_ns': meter['cpus'] * 1e9 / done}


def measure_all(pair, which, there, rounds, seconds):
    """(trials, failures in words)"""
    rows, failed = [], []
    for n in range(rounds):
        for name, case in which.items():
            names = names_of(case, there, pair)
            for i in range(len(names)):
                tool = names[(i + n) % len(names)]
                if sys.stderr.isatty():
                    print(f'\rround {n + 1}/{rounds} {name} {tool}\033[K', end='', file=sys.stderr)
                try:
                    rows.append({'round': n, **measure(pair, name, case, tool, seconds)})
                except lab.Failed as why:
                    if pair.process.poll() is not None:
                        raise
                    failed.append(f'round {n + 1} {name} {tool}: {why}')
    if sys.stderr.isatty():
        print('\r\033[K', end='', file=sys.stderr)
    return rows, failed


def measure_limits(pair, program):
    """{name: value}; also called after the trials, to keep the better of two"""
    out = subprocess.run([program, pair.near_cpu, pair.far_cpu, pair.shared_cpu], text=True,
                         stdout=subprocess.PIPE)
    if out.returncode != 0:
        raise lab.Failed('tare-limits failed')
    return {k: float(v) for k, v in (w.split('=') for w in out.stdout.split())}


def better(a, b):
    return {k: (max if k.endswith('Bpns') else min)(a[k], b[k]) for k in a}


# Tables.
def by_round(rows, tool, key):
    return {r['round']: r[key] for r in rows if r['tool'] == tool}


def middle(rows, tool, key):
    return statistics.median(by_round(rows, tool, key).values() or [math.nan])


def ratios(rows, tool, key, own='tare'):
    own, other = by_round(rows, own, key), by_round(rows, tool, key)
    return [own[n] / other[n] for n in own.keys() & other.keys()]


def ratio(rows, tool, key):
    x = ratios(rows, tool, key)
    return f'{statistics.median(x):.3f} ({min(x):.3f}..{max(x):.3f})' if x else 'no pair'


def best_peer(rows, names, among=None):
    peers = [t for t in names if t.split()[0] != 'tare' and by_round(rows, t, 'rate')
             and (among is None or t.startswith(among))]
    return max(peers, default=None, key=lambda t: middle(rows, t, 'rate'))


def show_tool(rows, kind, tool, note):
    if not by_round(rows, tool, 'rate'):
        print(f'  {tool:18}{"no undisturbed trial":>21}')
        return
    line = (f'  {tool:18}{middle(rows, tool, "rate") * kind.scale:10.3f} '
            f'{middle(rows, tool, kind.seen) * kind.scale:10.3f} ')
    if kind.cost == PACKETS.cost:
        line += f'{middle(rows, tool, "sent") * kind.scale:8.3f} '
        line += f'{middle(rows, tool, "lost") * 100:6.2f}% '
    line += (f'{middle(rows, tool, "cpus"):5.2f} '
             f'{middle(rows, tool, "cost_ns") * kind.cost_scale:9.3f}')
    if tool != 'tare' and by_round(rows, 'tare', 'rate'):
        line += f'  {ratio(rows, tool, "rate"):22}  {ratio(rows, tool, "cost_ns"):22}'
    print((line + note).rstrip())


def show_goal(rows, case, names, own='tare'):
    peer = best_peer(rows, names, case.goal.among)
    if not peer or not ratios(rows, peer, 'rate', own):
        print(f'  goal: cannot be told, without {own} and a peer')
        return
    rate = statistics.median(ratios(rows, peer, 'rate', own))
    cost = statistics.median(ratios(rows, peer, 'cost_ns', own))
    met = rate >= case.goal.rate and (not case.goal.cost or cost <= case.goal.cost)
    words = f'{own} has {rate:.3f} of the rate of {peer} (goal {case.goal.rate})'
    if case.goal.cost:
        words += f', CPU cost {cost:.3f} (goal {case.goal.cost})'
    if case.load == 'udp':
        lost, other = middle(rows, own, 'lost'), middle(rows, peer, 'lost')
        met = met and lost <= other
        words += f', lost {lost * 100:.2f}% against {other * 100:.2f}% (goal: no more)'
    print(f'  goal: {words}: {"met" if met else "not met"}')


def show_limit(rows, case, limits, pair):
    rate, cost_ns, words = case.limit(limits, pair)
    kind = case.kind
    print(f'  limit: {rate * kind.scale:.3f} {kind.unit}, '
          f'{cost_ns * kind.cost_scale:.3f} {kind.cost} of CPU: {words}')
    if by_round(rows, 'tare', 'rate'):
        print(f'  tare: {middle(rows, "tare", "rate") / rate * 100:.0f}% of that rate at '
              f'{middle(rows, "tare", "cost_ns") / cost_ns:.2f} times that CPU time')


def show_case(rows, case, names, limits, pair):
    kind, best = case.kind, best_peer(rows, names)
    datagrams = f'{"sent":>8} {"lost":>7} ' if kind.cost == PACKETS.cost else ''
    print(f'{case.title}\n  {"":18}{kind.unit:>10} {"seen":>10} {datagrams}{"CPUs":>5} '
          f'{kind.cost:>9}  {"rate, tare/peer":22}  {"CPU cost, tare/peer":22}')
    for t in names:
        show_tool(rows, kind, t, '  best peer' if t == best else '')
    if 'tare' not in names:
        print(f'  tare has no load {case.load}')
    if not best:
        print('  no peer')
    if case.goal:
        for own in ('tare', *(t for t in names if t == 'tare UDP_OPTIONS')):
            show_goal(rows, case, names, own)
    show_limit(rows, case, limits, pair)
    print()


def show(rows, which, there, limits, pair, seconds):
    calm = [r for r in rows if r['foreign'] <= lab.FOREIGN_CPUS]
    for name, case in which.items():
        show_case([r for r in calm if r['case'] == name], case, names_of(case, there, pair),
                  limits, pair)
    print(f'{len(rows)} trials of {seconds} s, congestion control {CONGESTION}; '
          f'{sum(r["repeated"] for r in rows)} repetitions because others used the machine; '
          f'{len(rows) - len(calm)} left out for the same reason')
    print('seen: bytes (with headers) or packets near sent, one per round trip; of UDP what far '
          'took in,\na GRO aggregate being one. CPUs, and CPU per byte, datagram or transaction: '
          'whole machine.')
    print('sockperf answers with as many bytes as it asks; hence the 100 B / 100 B cases.')
    print('tare-limits: ' + ' '.join(f'{k}={v:g}' for k, v in limits.items()))


def write_csv(path, rows):
    with open(path, 'w', newline='') as f:
        out = csv.DictWriter(f, rows[0].keys())
        out.writeheader()
        out.writerows(rows)


def main():
    rounds = int(os.environ.get('ROUNDS', 5))
    seconds = int(os.environ.get('SECONDS_PER_TRIAL', 2))
    wanted = os.environ.get('CASES', '').split()
    which = {c: v for c, v in cases().items() if not wanted or c in wanted}
    if rounds < 1 or seconds < 1 or len(which) < len(wanted) or not which:
        print('peers.py: ROUNDS and SECONDS_PER_TRIAL from 1, CASES out of '
              + ' '.join(cases()), file=sys.stderr)
        return 2
    there, absent = tools.versions()
    for name, version in there.items():
        print(f'{name}: {version}')
    for name, why in absent.items():
        print(f'{name} is absent: {why}')
    print(flush=True)
    try:
        pair = lab.Pair(os.environ['TARE_PAIR'], CONGESTION, min(EDGE_S, seconds / 4))
        limits = measure_limits(pair, os.environ['TARE_LIMITS'])
        rows, failed = measure_all(pair, which, there, rounds, seconds)
        limits = better(limits, measure_limits(pair, os.environ['TARE_LIMITS']))
    except (lab.Failed, OSError, subprocess.SubprocessError) as why:
        print(f'peers.py: {why}', file=sys.stderr)
        return 1
    finally:
        lab.end_all()
    show(rows, which, there, limits, pair, seconds)
    for words in failed:
        print(f'failed: {words}')
    if len(sys.argv) > 1 and rows:
        write_csv(sys.argv[1], rows)
    return 1 if failed else 0


if __name__ == '__main__':
    lab.exit_on_signals()
    sys.exit(main())
