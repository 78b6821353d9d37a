#!/usr/bin/env python3
"""Ten million frames through each kind of path: each is received, or lost and said to be.

usage: conservation.py TARE [--count N] [--rate N] [PATH...]

Slow, and no test: a quarter of an hour for a path at a rate that a busy machine holds. Prints a line for each path;
exits with 1 when the numbers of any do not add up.
"""

import argparse
import json
import subprocess
import sys

CHUNK = 1_000_000  # frames of a trial


def kinds(tare):
    """Names of paths that work here and take no argument."""
    text = subprocess.run([tare, 'list', 'paths'], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in text.splitlines()[1:])
    return [row[0] for row in rows if len(row) > 2 and row[1] == 'yes' and ':' not in row[0]]


def trial(tare, path, count, rate):
    words = [tare, 'frames', '--path', path, '--dir', 'both', '--count', str(count), '--rate', rate, '--json']
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        return None, done.stderr.strip()
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout), ''


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
    total = dict.fromkeys(('intended', 'sent', 'received', 'lost', 'duplicated', 'reordered', 'late'), 0)
    bad = []
    while total['intended'] < count:
        doc, reason = trial(tare, path, min(CHUNK, count - total['intended']) // 2 or 1, rate)
        if doc is None:
            print(f'{path}: skipped: {reason}', flush=True)
            return []
        for flow in doc['flows']:
            bad += check(flow)
            for key in total:
                total[key] += flow[key]
    print(f'{path}: ' + ', '.join(f'{n} {key}' for key, n in total.items()) + ''.join(f'; {b}' for b in bad),
          flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('tare')
    parser.add_argument('path', nargs='*')
    parser.add_argument('--count', type=int, default=10_000_000)
    parser.add_argument('--rate', default='100k')
    args = parser.parse_intermixed_args()
    bad = [b for path in args.path or kinds(args.tare) for b in run(args.tare, path, args.count, args.rate)]
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
