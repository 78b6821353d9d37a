#!/usr/bin/env python3
"""The socket senders and receivers of the frame tester over one veth pair, against DPDK's testpmd on the
same kinds of socket (txonly). 64-byte frames, sender on CPU 0, receiver on CPU 1; where the receiving
device's NAPI has a thread, that is on CPU 1, too. All are run in turns, ROUNDS times; the table has each
one's median, and what ours do over testpmd's on the same kind of socket.

Usage: frames_sock.py
FRAME_IO     the program (default: that of build/ of this tree)
ROUNDS, SECONDS_PER_TRIAL  (5, 0.5)
FIFO         1: with real-time priority, which a machine that has more to do wants, and pays for (0)
Exit status: 0 measured, 1 a trial failed, 3 something is missing. Needs root.
"""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

FRAME_IO = os.environ.get('FRAME_IO') or pathlib.Path(__file__).resolve().parent.parent / 'build/bench/tare-frame-io'
ROUNDS = int(os.environ.get('ROUNDS') or 5)
SECONDS = os.environ.get('SECONDS_PER_TRIAL') or '0.5'
PREFIX = ['chrt', '-f', '1'] if os.environ.get('FIFO') == '1' else []
TRIAL_LIMIT_S = 30
# Ours: the testpmd driver that sends by the same kind of socket; UDP is held against the faster one.
TESTPMD = {'afxdp': 'net_af_xdp0,iface=tx0', 'packet': 'net_af_packet0,iface=tx0,qdisc_bypass=1',
           'udp': 'net_af_packet0,iface=tx0,qdisc_bypass=1'}
RECEIVERS = ('afxdp', 'packet', 'udp', 'drop')
PLACES = ('inline', 'threaded')


def trial(tx, rx, place):
    """NAME=VALUE words as a dict"""
    argv = [*PREFIX, str(FRAME_IO), tx, rx, place, SECONDS]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=TRIAL_LIMIT_S, check=False)
    if done.returncode:
        sys.exit(1)
    return dict(word.split('=', 1) for word in done.stdout.split() if '=' in word)


def main():
    if not shutil.which('dpdk-testpmd') or not os.path.exists(FRAME_IO):
        print(f'frames_sock.py: no dpdk-testpmd or no {FRAME_IO}', file=sys.stderr)
        return 3
    senders = [*TESTPMD, *dict.fromkeys(TESTPMD.values())]
    cells = [(tx, rx, place) for rx in RECEIVERS for place in PLACES for tx in senders]
    pps = {cell: [] for cell in cells}
    lost = dict.fromkeys(cells, 0)
    for _ in range(ROUNDS):
        for cell in cells:
            got = trial(*cell)
            pps[cell].append(float(got['device_pps']))
            lost[cell] += int(got['overflowed'])
    print(f'{"sender":10}{"receiver":10}{"napi":10}{"kpps":>8}{"testpmd":>10}{"ratio":>7}{"overflowed":>12}')
    for tx, rx, place in cells:
        if tx not in TESTPMD:
            continue
        ours = statistics.median(pps[tx, rx, place])
        theirs = statistics.median(pps[TESTPMD[tx], rx, place])
        print(f'{tx:10}{rx:10}{place:10}{ours / 1e3:8.0f}{theirs / 1e3:10.0f}{ours / max(theirs, 1):7.2f}'
              f'{lost[tx, rx, place]:12}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
