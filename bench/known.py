#!/usr/bin/env python3
"""tare rfc2544 and tare frames against devices whose answers are known: shapers, and programs that drop one in k.

usage: known.py TARE SUT.BPF.O [--rates 50,100,200] [--quick]

Slow, and no test: a quarter of an hour, root, on a machine that does nothing else. Prints a line for each answer;
exits with 1 when one is wrong.

A shaper of R bit/s counts L = size - 4 bytes for a frame (no FCS): C = R / 8L frames/s. It holds Q frames in its
queue, and its bucket of b bytes lets b / L more pass at once: B = Q + b / L. A trial of T s at r frames/s loses
nothing while (r - C) T <= B, so the highest rate without loss is C + B / T, and the longest burst at M frames/s is
B / (1 - C / M). RFC 9004's buffer comes out too small by the part that throughput is too high: burst / (M T), which
is known, too, and taken out here.
"""
import argparse
import json
import math
import subprocess
import sys

import sut

SIZE = 512
FRAME = SIZE - 4          # bytes as a qdisc counts them
QUEUE = 400               # frames
BUCKET_S = 0.004          # a timer may be so late without that tokens are lost
WIDTH = 0.005             # of the highest load
MLR_WIDTH = 0.01          # of the upper bound
BUFFER_WITHIN = 0.05
FRAMES = 700_000

bad = 0


def line(what, rate, expected, measured, within, note=''):
    """@within: the measured may be so much more or less."""
    global bad
    good = abs(measured - expected) <= within
    bad += not good
    print(f'{what:<24}{rate:>8}{expected:>14.1f}{measured:>14.1f}{within:>10.1f}  {"ok" if good else "WRONG"}'
          f'{"  " + note if note else ""}', flush=True)


def tare(binary, *words):
    done = subprocess.run([binary, *words, '--ports', 'a,b', '--json'], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 4) or not done.stdout:
        raise RuntimeError(f'{" ".join(words)}: {done.stderr.strip()}')
    return json.loads(done.stdout)


def rows(doc, test):
    return [row for unit in doc['results'] if unit['test'] == test for row in unit['rows']]


def campaign(binary, args, max_fps, search, tests):
    final = 0.5 if args.quick else 4
    words = ['rfc2544', '--quiet', '--profile', 'quick', '--sizes', str(SIZE), '--tests', tests,
             '--max-rate', str(int(max_fps)), '--search-time', '200ms', '--final-time', f'{final}s', '--drain', '300ms',
             '--settle', '50ms', '--burst-repeat', '3', '--width', f'{WIDTH * 100}%', '--search', search]
    if search == 'mlr':
        words += ['--goals',
                  f'loss=0%,exceed=50%,width={MLR_WIDTH * 100}%,initial={final}s,final={final}s,sum={3 * final}s']
    return tare(binary, *words), final


def shaped(binary, args, device, kind, rate):
    fps = rate / 8 / FRAME
    bucket = int(rate / 8 * BUCKET_S)
    if kind == 'tbf':
        device.tbf(int(rate), bucket, QUEUE * FRAME)
    else:
        device.htb(int(rate), bucket, QUEUE)
    name = f'{rate / 1e6:.0f}M'
    buffer = QUEUE + bucket / FRAME
    max_fps = 2 * fps
    for search in 'binary', 'mlr':
        doc, final = campaign(binary, args, max_fps, search, 'throughput')
        row = rows(doc, 'throughput')[0]
        edge = fps + buffer / final
        width = WIDTH * max_fps if search == 'binary' else MLR_WIDTH * edge
        note = '' if row['status'] == 'ok' else f'{row["status"]}: {row["verdict"]}'
        # The answer is the lower end of a bracket that is at most that wide; a frame more or less in each trial.
        line(f'{kind} throughput {search}', name, edge - width / 2, row['fps'] or math.nan, width / 2 + 2 / final, note)
    doc, final = campaign(binary, args, max_fps, 'binary', 'throughput,back-to-back')
    sums = doc['summaries'][0]['back_to_back']
    if not sums['n']:
        line(f'{kind} buffer', name, buffer, math.nan, BUFFER_WITHIN * buffer, rows(doc, 'back-to-back')[0]['verdict'])
        return
    seen = sums['buffer_frames'] / (1 - sums['mean_frames'] / max_fps / final)
    line(f'{kind} buffer', name, buffer, seen, BUFFER_WITHIN * buffer, f'as reported {sums["buffer_frames"]:.1f}')


def trial(binary, device, *words):
    """One trial; what was sent and neither received nor dropped by a counter that says so."""
    before = device.drops()
    flow = tare(binary, 'frames', *words)['flows'][0]
    dropped = sut.rise(before, device.drops())
    note = ', '.join(f'{n} {place}' for place, n in {**dropped, 'unsent': flow['unsent']}.items() if n)
    return flow, flow['sent'] - flow['received'] - sum(dropped.values()), note


def conserved(binary, device, rate):
    """Twice what passes: all frames that are missing are dropped by somebody who says so."""
    device.tbf(int(rate), int(rate / 8 * BUCKET_S), QUEUE * FRAME)
    _, missing, note = trial(binary, device, '--size', str(SIZE), '--rate', str(int(rate / 4 / FRAME)), '--time', '2s',
                             '--drain', '500ms')
    line('tbf unaccounted', f'{rate / 1e6:.0f}M', 0, missing, 0, note)


def one_in(binary, device, program, k):
    device.treat(program)
    _, missing, note = trial(binary, device, '--size', '64', '--rate', '50k', '--count', str(FRAMES))
    line(f'drops 1 in {k}', f'{FRAMES // 1000}k', FRAMES / k, missing, 0, note)
    device.treat('pass')


def main():
    parser = argparse.ArgumentParser(description='devices whose answers are known')
    parser.add_argument('tare')
    parser.add_argument('code', help='bench/sut.bpf.o of the build')
    parser.add_argument('--quick', action='store_true', help='trials of half a second: wider than they should be')
    parser.add_argument('--rates', default='50,100,200', help='of shapers, Mbit/s')
    args = parser.parse_args()
    rates = [float(x) * 1e6 for x in args.rates.split(',')]
    sut.inside()
    device = sut.Sut(args.code)
    print(f'{"answer":<24}{"rate":>8}{"expected":>14}{"measured":>14}{"+-":>10}')
    one_in(args.tare, device, 'drop7', 7)
    one_in(args.tare, device, 'drop10', 10)
    for rate in rates:
        conserved(args.tare, device, rate)
    for kind in 'tbf', 'htb':
        device.no_shaper()
        for rate in rates:
            shaped(args.tare, args, device, kind, rate)
    device.close()
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
