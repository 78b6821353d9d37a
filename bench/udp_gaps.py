#!/usr/bin/env python3
"""How evenly tare and other tools send UDP at a rate; see udp_gaps.sh, which starts it.

An observer that is none of the tools keeps every packet's arrival on far's device: an AF_PACKET
ring into which the kernel writes the packet's head and its receive timestamp (SO_TIMESTAMPNS,
taken as the device hands the packet over). The ring holds a whole trial, and the observer sleeps
until it is over: it takes no CPU time from what it observes, and waits for none.

A gap is the time between two datagrams of the load. A GSO aggregate is one packet on veth; its
datagrams are all there at once, so each but the first has a gap of 0, as behind a NIC that takes
them apart they would follow each other at line rate. Gaps are of the part of a trial from EDGE_S
after the first datagram to EDGE_S before the last; those of all rounds make one distribution.
"""
import mmap
import os
import socket
import struct
import subprocess
import sys

import lab
import peers_tools as tools

SIZE = 1200  # bytes of payload
RATE_BPS = 100_000_000  # of payload
NOMINAL_US = SIZE * 8e6 / RATE_BPS
HEADERS = 14 + 20 + 8
BACK_TO_BACK = 0.2  # of the nominal gap, or less
EDGE_S = 0.25
PERCENTILES = 1, 10, 50, 90, 99
# Upper ends of the histogram's rows, in parts of the nominal gap.
BINS = 0.05, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 1.02, 1.05, 1.1, 1.2, 1.5, 2, 5, 10, 20
BAR = 16

# Ref: linux/if_packet.h: struct tpacket_req, tpacket2_hdr; linux/socket.h SOL_PACKET.
SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, TPACKET_V2 = 263, 5, 6, 10, 1
SO_TIMESTAMPNS = 35
ETH_P_IP = 0x0800
TP_STATUS_USER = 1
TPACKET2_HDR = struct.Struct('=IIIHHII')
FRAME_BYTES = 128  # 66 until the packet, of which the first 62 are kept
BLOCK_BYTES = 1 << 16


def observe(dev, n_frames):
    """runs in far's namespace: 'ready', sleeps until stdin ends, then a line per packet, 'NS BYTES'
    (of the frame), and the number lost for want of room"""
    n_blocks = -(-n_frames * FRAME_BYTES // BLOCK_BYTES)
    n_frames = n_blocks * BLOCK_BYTES // FRAME_BYTES
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        s.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        s.setsockopt(SOL_PACKET, PACKET_RX_RING,
                     struct.pack('=IIII', BLOCK_BYTES, n_blocks, FRAME_BYTES, n_frames))
        ring = mmap.mmap(s.fileno(), n_blocks * BLOCK_BYTES)
        s.bind((dev, ETH_P_IP))
        print('ready', flush=True)
        sys.stdin.read()
        for at in range(0, n_frames * FRAME_BYTES, FRAME_BYTES):
            status, length, snap, mac, net, sec, nsec = TPACKET2_HDR.unpack_from(ring, at)
            if not status & TP_STATUS_USER:
                break
            # Of other packets, as those of control connections, nothing is wanted.
            if length >= SIZE + HEADERS and ring[at + net + 9] == socket.IPPROTO_UDP:
                print(sec * 1_000_000_000 + nsec, length)
        drops = struct.unpack('=II', s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        print('drops', drops)
        ring.close()


def arrivals(text):
    """times in ns, one for each datagram; what the ring had no room for is a failure"""
    *lines, last = text.splitlines()
    if last != 'drops 0':
        raise lab.Failed(f'the observer lost packets: {last}')
    times = []
    for line in lines:
        ns, length = map(int, line.split())
        times += [ns] * max(1, round((length - HEADERS) / SIZE))
    return times


def gaps_us(times):
    if not times:
        raise lab.Failed('the observer saw no datagram')
    begin, end = times[0] + EDGE_S * 1e9, times[-1] - EDGE_S * 1e9
    x = [t for t in times if begin <= t <= end]
    return [(b - a) / 1e3 for a, b in zip(x, x[1:])]


def observed(pair, run, seconds):
    n_frames = int(RATE_BPS / 8 / SIZE * (seconds + 2) * 1.5)
    observer = lab.start(
        ['nsenter', f'--net=/proc/{pair.far[0]}/ns/net', sys.executable, '-B', __file__,
         '--observe', pair.far[1], str(n_frames)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if observer.stdout.readline().strip() != 'ready':
            raise lab.Failed('the observer did not start')
        numbers, meter = run(pair, seconds)
        out = observer.communicate(timeout=30)[0]
    finally:
        lab.end(observer)
    return gaps_us(arrivals(out)), numbers, meter


def runs(with_fq):
    """{tool and options: run}"""
    b = '-b', str(RATE_BPS)
    rate = f',rate={RATE_BPS}bps'
    ret = {'tare': tools.tare_udp(SIZE, rate)}
    if with_fq:
        ret |= {'tare pace=fq': tools.tare_udp(SIZE, rate + ',pace=fq'),
                'tare pace=own': tools.tare_udp(SIZE, rate + ',pace=own')}
    ret |= {name: tools.iperf3_udp(name, SIZE, *b) for name in tools.IPERF3}
    ret |= {'iperf3-new --gsro': tools.iperf3_udp('iperf3-new', SIZE, *b, '--gsro'),
            'nuttcp': tools.nuttcp_udp(SIZE, f'{RATE_BPS // 1000}k')}
    if with_fq:
        fq = '--fq-rate', str(RATE_BPS)
        ret |= {name + ' --fq-rate': tools.iperf3_udp(name, SIZE, *b, *fq)
                for name in ('iperf3', 'iperf3-new')}
    return ret


# Tables.
def percentile(sorted_x, p):
    return sorted_x[min(len(sorted_x) - 1, int(len(sorted_x) * p / 100))]


def show_numbers(seen):
    print(f'  {"us":20}' + ''.join(f'{f"p{p}":>9}' for p in PERCENTILES)
          + f'{"max":>10}{"mean":>9}{"back-to-back":>14}{"lost":>9}{"CPUs":>7}')
    for tool, trials in seen.items():
        x = sorted(g for t in trials for g in t['gaps'])
        share = sum(g < BACK_TO_BACK * NOMINAL_US for g in x) / len(x)
        n = len(trials)
        print(f'  {tool:20}' + ''.join(f'{percentile(x, p):9.1f}' for p in PERCENTILES)
              + f'{x[-1]:10.1f}{sum(x) / len(x):9.2f}{share * 100:13.2f}%'
              f'{sum(t["lost"] for t in trials) / n * 100:8.2f}%'
              f'{sum(t["cpus"] for t in trials) / n:7.2f}')
    print()


def bar(share):
    """eighths of a character, and something wherever there is something"""
    eighths = round(share * BAR * 8) or (share > 0)
    return ('█' * (eighths // 8) + ' ▏▎▍▌▋▊▉'[eighths % 8].strip()).ljust(BAR)


def histogram(gaps):
    shares = [0] * (len(BINS) + 1)
    for g in gaps:
        shares[next((i for i, top in enumerate(BINS) if g < top * NOMINAL_US), len(BINS))] += 1
    return [n / len(gaps) for n in shares]


def show_histogram(seen):
    tops = [f'{top * NOMINAL_US:.1f}' for top in BINS]
    rows = ['< ' + tops[0]] + [f'{a} - {b}' for a, b in zip(tops, tops[1:])] + [f'>= {tops[-1]}']
    columns = [histogram([g for t in trials for g in t['gaps']]) for trials in seen.values()]
    print(f'  {"us":>17}  ' + '  '.join(f'{tool:{BAR + 8}}' for tool in seen).rstrip())
    for i, row in enumerate(rows):
        cells = [f'{c[i] * 100:6.2f}% {bar(c[i])}' for c in columns]
        print(f'  {row:>17}  ' + '  '.join(cells).rstrip())
    print()


def trial(pair, run, seconds):
    for attempt in range(lab.RETRIES + 1):
        lab.wait_for_quiet()
        gaps, numbers, meter = observed(pair, run, seconds)
        if meter['foreign'] <= lab.FOREIGN_CPUS:
            break
    return {'gaps': gaps, 'lost': max(0, 1 - numbers['rate'] / numbers['sent']),
            'cpus': meter['cpus'], 'calm': meter['foreign'] <= lab.FOREIGN_CPUS}


def measure(pair, which, rounds, seconds):
    seen, failed = {tool: [] for tool in which}, []
    names = list(which)
    for n in range(rounds):
        for i in range(len(names)):
            tool = names[(i + n) % len(names)]
            try:
                seen[tool].append(trial(pair, which[tool], seconds))
            except lab.Failed as why:
                if pair.process.poll() is not None:
                    raise
                failed.append(f'round {n + 1} {tool}: {why}')
    return seen, failed


def show(seen, rounds, seconds, qdisc):
    n_disturbed = sum(not t['calm'] for trials in seen.values() for t in trials)
    calm = {tool: [t for t in trials if t['calm']] for tool, trials in seen.items()}
    calm = {tool: trials for tool, trials in calm.items() if trials}
    print(f'Gaps between datagrams of {SIZE} bytes at {RATE_BPS // 1000000} Mbit/s, '
          f'nominal {NOMINAL_US:.0f} us, as they come in at far; qdisc {qdisc}\n')
    if calm:
        show_numbers(calm)
        show_histogram(calm)
    print(f'{rounds} rounds of {seconds} s a tool; {n_disturbed} trials left out because others '
          f'used the machine')
    print(f'back-to-back: gaps of less than {BACK_TO_BACK * 100:.0f}% of the nominal one. '
          f'CPUs: whole machine.')


def write_csv(path, seen):
    with open(path, 'w', newline='') as f:
        f.write('tool,round,gap_us\n')
        for tool, trials in seen.items():
            for n, t in enumerate(trials):
                f.writelines(f'{tool},{n},{g:.3f}\n' for g in t['gaps'])


def main():
    rounds = int(os.environ.get('ROUNDS', 3))
    seconds = int(os.environ.get('SECONDS_PER_TRIAL', 5))
    qdisc = os.environ.get('QDISC', 'none')
    if rounds < 1 or seconds < 1 or qdisc not in ('none', 'fq'):
        print('udp_gaps.py: ROUNDS and SECONDS_PER_TRIAL from 1, QDISC none or fq',
              file=sys.stderr)
        return 2
    there, _ = tools.versions()
    which = {t: run for t, run in runs(qdisc == 'fq').items()
             if t in there or (t != 'tare -c' and t.split()[0] in {'tare', *there})}
    for name, version in there.items():
        if name in which:
            print(f'{name}: {version}')
    print(flush=True)
    try:
        pair = lab.Pair(os.environ['TARE_PAIR'], edge_s=min(0.5, seconds / 4))
        if 'udp' not in pair.loads:
            raise lab.Failed('this tare-pair has no load udp')
        if qdisc == 'fq':
            pair.set_qdisc(pair.near, qdisc)
        seen, failed = measure(pair, which, rounds, seconds)
    except (lab.Failed, OSError, subprocess.SubprocessError) as why:
        print(f'udp_gaps.py: {why}', file=sys.stderr)
        return 1
    finally:
        lab.end_all()
    show(seen, rounds, seconds, qdisc)
    for words in failed:
        print(f'failed: {words}')
    if len(sys.argv) > 1:
        write_csv(sys.argv[1], seen)
    return 1 if failed else 0


if __name__ == '__main__':
    if sys.argv[1:2] == ['--observe']:
        observe(sys.argv[2], int(sys.argv[3]))
        sys.exit()
    lab.exit_on_signals()
    sys.exit(main())
