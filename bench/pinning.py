#!/usr/bin/env python3
"""Where a network function runs, and what that does to what it forwards: the experiment of
draft-ietf-bmwg-containerized-infra (Contiv-VPP, Kubernetes' CPU manager) on one machine.

usage: pinning.py [TARE]

One function (a process on AF_XDP sockets) between two ports; beside it HOGS processes that never sleep. The
tester is the same in every mode: it sends on the first CPU, goes before all others there (nice -20), and its
receiving work is done in line with who sends to it. What differs is where the function and the load may run:

  unpinned    both anywhere, as without a CPU manager: the scheduler may put the function beside the load, or
              behind the tester
  shared      both on the last CPU, a pool that they share
  exclusive   the function on the last CPU, the load on all others
  switch      no function, the host switches from port to port; the load as in exclusive

Each of ROUNDS rounds builds each mode anew, in another order each time, and takes TRIALS maximum receive rates
(MRR: frames as fast as the tester sends, of 64 bytes). Shown are the mean over instantiations with its 95 %
interval, and the standard deviations within and between instantiations. What can be reproduced elsewhere are
relations, not rates:

  R1  unpinned < shared < exclusive < switch       R4  the gain is the same on each NUMA node
  R2  switch: unpinned < pinned                    R5  same node > another node
  R3  exclusive / shared > 1, intervals disjoint   R6  a function costs something

ROUNDS (6), TRIALS (3), SECONDS_PER_TRIAL (0.5), HOGS (2), NF_POLL ("event busy"): how the function waits.
Exit status: 0 measured, whatever came of it; 1 a run failed; 3 something is missing. Needs root and two CPUs.
"""
import glob
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys

TARE = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent / 'build/src/cmd/tare'
ROUNDS = int(os.environ.get('ROUNDS') or 6)
TRIALS = int(os.environ.get('TRIALS') or 3)
SECONDS = float(os.environ.get('SECONDS_PER_TRIAL') or 0.5)
HOGS = int(os.environ.get('HOGS') or 2)
POLLS = (os.environ.get('NF_POLL') or 'event busy').split()
CPUS = sorted(os.sched_getaffinity(0))
FIRST, LAST = str(CPUS[0]), str(CPUS[-1])
LIMIT_S = 120
LEAST_ROUNDS = 5
# Student's t, 97.5 %, of 1 to 30 degrees of freedom.
T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
        2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)
POOL = ['--pin-cpus', LAST]
MODES = {'unpinned': ['--pin', 'none'], 'shared': ['--pin', 'shared', *POOL], 'exclusive': ['--pin', 'exclusive', *POOL],
         'switch': ['--pin', 'exclusive', *POOL]}


def interval(x):
    """mean, low, high"""
    mean = statistics.fmean(x)
    half = T975[min(len(x), 31) - 2] * statistics.stdev(x) / math.sqrt(len(x)) if len(x) > 1 else math.inf
    return mean, mean - half, mean + half


def components(groups):
    """sd within and between; groups of one size. Ref: src/stat/components.h"""
    n = len(groups[0])
    if n < 2 or len(groups) < 2:
        return math.nan, math.nan
    within = statistics.fmean(statistics.variance(g) for g in groups)
    between = statistics.variance([statistics.fmean(g) for g in groups]) - within / n
    return math.sqrt(within), math.sqrt(max(0, between))


def measure(mode, poll):
    """what one instantiation received, a trial each, and where things were"""
    path = 'p2p' if mode == 'switch' else f'pcp:nf=afxdp,nf-poll={poll}'
    argv = [str(TARE), 'frames', '--path', path, '--size', '64', '--rate', 'max', '--time', f'{SECONDS * 1000:.0f}ms',
            '--drain', '100ms', '--tx-cpu', FIRST, '--rx-cpu', FIRST, '--place', 'inline', '--hog', str(HOGS),
            '--repeat', str(TRIALS), '--json', *MODES[mode]]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        print(done.stderr.strip(), file=sys.stderr)
        sys.exit(3 if done.returncode == 3 else 1)
    doc = json.loads(done.stdout)
    return [x['received_fps'] for x in doc['instantiations'][0]], doc['resources']


def ratio(a, b):
    """of two modes, from the rounds' ratios: geometric mean and interval"""
    mean, low, high = interval([math.log(x / y) for x, y in zip(a, b)])
    return f'{math.exp(mean):.2f} ({math.exp(low):.2f} to {math.exp(high):.2f})'


def above(a, b):
    """is a more than b, by intervals that are disjoint, by the means only, or not?"""
    x, y = interval(a), interval(b)
    return 'yes' if x[1] > y[2] else 'by means only' if x[0] > y[0] else 'no'


def order(means):
    """R1: each step by itself, the weakest of which decides"""
    steps = ('unpinned', 'shared', 'exclusive', 'switch')
    found = {f'{a} < {b}': above(means[b], means[a]) for a, b in zip(steps, steps[1:])}
    worst = max(found.values(), key=('yes', 'by means only', 'no').index)
    return f'{worst}   ({", ".join(f"{k}: {v}" for k, v in found.items())})'


def verdicts(means):
    """name, what came of it"""
    nodes = len(glob.glob('/sys/devices/system/node/node[0-9]*'))
    numa = 'not testable: this machine has one NUMA node' if nodes < 2 else 'not tested: no cell of another node is made'
    enough = f'   (of {ROUNDS} instantiations; fewer than {LEAST_ROUNDS} decide nothing)' if ROUNDS < LEAST_ROUNDS else ''
    return (('R1', order(means)),
            ('R2', 'not testable: the kernel switches where frames come in; there is no process to be pinned'),
            ('R3', above(means['exclusive'], means['shared']) + enough),
            ('R4', numa), ('R5', numa),
            ('R6', above(means['switch'], means['exclusive'])))


def show(poll, got, where):
    print(f'\nnf-poll={poll}')
    print(f'{"mode":12}{"kpps":>9}{"95 % from":>11}{"to":>9}{"sd within":>11}{"between":>9}   function on, load on')
    means = {}
    for mode, groups in got.items():
        means[mode] = [statistics.fmean(g) for g in groups]
        mean, low, high = interval(means[mode])
        within, between = components(groups)
        print(f'{mode:12}{mean / 1e3:9.1f}{low / 1e3:11.1f}{high / 1e3:9.1f}{within / 1e3:11.1f}{between / 1e3:9.1f}   '
              f'{where[mode]["functions"] or "-"}, {where[mode]["hogs"] or "-"}')
    print(f'exclusive / shared    {ratio(means["exclusive"], means["shared"])}   (in the draft: 1.34 and 1.35)')
    print(f'unpinned / exclusive  {ratio(means["unpinned"], means["exclusive"])}   (in the draft: 0.32)')
    print(f'exclusive / switch    {ratio(means["exclusive"], means["switch"])}   (in the draft: 0.48)')
    for name, text in verdicts(means):
        print(f'{name}  {text}')


def main():
    if len(CPUS) < 2 or not os.path.exists(TARE):
        print(f'pinning.py: one CPU, or no {TARE}', file=sys.stderr)
        return 3
    cells = [(mode, poll) for mode in MODES for poll in (POLLS if mode != 'switch' else [''])]
    got, where = {cell: [] for cell in cells}, {}
    for i in range(ROUNDS):
        for mode, poll in cells[i % len(cells):] + cells[:i % len(cells)]:
            fps, resources = measure(mode, poll)
            got[mode, poll].append(fps)
            where[mode] = resources
    print(f'{ROUNDS} instantiations of each mode, {TRIALS} trials of {SECONDS} s each; {HOGS} processes beside it; '
          f'placed by {where["shared"]["by"]}')
    for note in sorted({x['note'] for x in where.values() if x['note']}):
        print(f'note: {note}')
    for poll in POLLS:
        show(poll, {mode: got[mode, poll if mode != 'switch' else ''] for mode in MODES}, where)
    return 0


sys.exit(main())
