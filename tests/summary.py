#!/usr/bin/env python3
"""Sums up meson test logs: one table line per suite, why tests were skipped, what failed and how.

Usage: summary.py BUILD/meson-logs/testlog.json...

A test that speaks TAP counts once per number of its 'ok'/'not ok' lines, any other test once; that a program failed
in which one of these did, or its group ('not ok 0'), is no failure more. '# skipped WHAT: WHY' counts as skipped, and
then 'ok N - WHAT' right after it not as passed; a log that cannot be read counts as failed. With logs of several
builds each suite carries its build's name. The last line is 'N passed, N failed, N skipped'; the exit status is 1 if
anything failed or nothing passed.
"""
import collections
import json
import pathlib
import re
import sys

PLAN = re.compile(r'^1\.\.(\d+)[ \t]*(?:#[ \t]*skip\S*[ \t]*(.*))?$', re.M | re.I)
POINT = re.compile(r'^(not )?ok\b(?:[ \t]+(\d+))?.*?(?:#[ \t]*skip\S*[ \t]*(.*))?$', re.M | re.I)
PART = re.compile(r'^# skipped (.*?): (.*)\n(?:ok \d+ - (.*))?', re.M)
# A failed point between the comments on it: cmocka's assertion comes after it, what a test says itself before.
FAILED = re.compile(r'(?:^#.*\n)*^not ok\b(?!.*#[ \t]*skip).*\n?(?:^#(?!.*\bnot ok\b).*\n?)*', re.M | re.I)
TAIL_LINES = 15

Outcome = collections.namedtuple('Outcome', 'passed failed skip_reasons')


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ''


def skip_reason(point, out):
    """cmocka says 'not ok 3 # SKIP test_name'; the reason is what the test printed just before"""
    before = last_line(out[:point.start()])
    if point[1] and before.startswith('# ') and ': error: ' not in before:
        return before[2:]
    return point[3].strip() or 'no reason given'


def points_of(out):
    """One a number, the failed one of several: a child that exits with its parent's buffer says it all again."""
    points = {}
    for at, m in enumerate(POINT.finditer(out)):
        key = m[2] or f'at {at}'
        if key not in points or (m[1] and not points[key][1]):
            points[key] = m
    group = points.pop('0', None)
    if group and group[1] and not any(m[1] for m in points.values()):
        points['0'] = group
    return list(points.values())


def tap_outcome(result, out):
    points = points_of(out)
    plans = list({m[0]: m for m in PLAN.finditer(out)}.values())
    reasons = [skip_reason(m, out) for m in points if m[3] is not None]
    failed = sum(1 for m in points if m[1] and m[3] is None)
    passed = len(points) - len(reasons) - failed
    reasons += [m[2].strip() or 'no reason given' for m in plans if m[2] is not None]
    parts = PART.findall(out)
    passed -= sum(1 for what, _, name in parts if what == name)
    broken = result not in ('OK', 'SKIP') or len(points) != sum(int(m[1]) for m in plans)
    if broken and not failed:  # died, timed out, or did not keep its plan
        failed = 1
    return Outcome(passed, failed, reasons + [why for _, why, _ in parts])


def outcome(test):
    result, out = test['result'], test.get('stdout') or ''
    if PLAN.search(out):
        return tap_outcome(result, out)
    if result == 'SKIP':
        reason = last_line(out) or last_line(test.get('stderr') or '') or 'no reason given'
        return Outcome(0, 0, [reason])
    return Outcome(1, 0, []) if result == 'OK' else Outcome(0, 1, [])


def suite_and_name(test):
    """from the suite field or, where meson 1.0 writes none, from the name 'tare:unit+slow / foo'"""
    suites, _, name = test['name'].rpartition(' / ')
    suite = (test.get('suite') or suites.split('+'))[0]
    return suite.split(':')[-1] or 'none', name


def read_log(path):
    try:
        with open(path, encoding='utf-8') as f:
            return [json.loads(line) for line in f if line.strip()]
    except (OSError, ValueError) as e:
        return [{'name': path, 'suite': ['log'], 'result': 'no log', 'stdout': str(e)}]


def read_logs(paths):
    """(suite, name, test) of each"""
    builds = {path: pathlib.Path(path).absolute().parent.parent.name for path in paths}
    several = len(set(builds.values())) > 1
    for path, build in builds.items():
        for test in read_log(path):
            suite, name = suite_and_name(test)
            yield f'{build}/{suite}' if several else suite, name, test


def print_table(suites):
    print(f"{'suite':<24} {'passed':>7} {'failed':>7} {'skipped':>7}")
    for name, (passed, failed, skipped) in sorted(suites.items()):
        print(f'{name:<24} {passed:>7} {failed:>7} {skipped:>7}')


def shortened(text):
    """Both ends of it: an error of the program's own stands before what a sanitizer has to say, its sum at the end."""
    lines = text.strip('\n').splitlines()
    if len(lines) <= 2 * TAIL_LINES:
        return lines
    return [*lines[:TAIL_LINES], f'... {len(lines) - 2 * TAIL_LINES} lines ...', *lines[-TAIL_LINES:]]


def print_failure(name, test):
    print(f"\nfailed: {name} ({test['result']}, exit status {test.get('returncode')})")
    out, err = test.get('stdout') or '', test.get('stderr') or ''
    points = FAILED.findall(out)
    parts = [shortened(x) for x in points] or [out.rstrip().splitlines()[-TAIL_LINES:]]
    for line in sum(parts, []) + shortened(err):
        print('    ' + line)


def main(paths):
    if not paths:
        sys.exit('usage: summary.py TESTLOG.json...')
    results = [(suite, name, test, outcome(test)) for suite, name, test in read_logs(paths)]

    suites = collections.defaultdict(lambda: [0, 0, 0])
    reasons = collections.Counter()
    for suite, _, _, o in results:
        for i, n in enumerate((o.passed, o.failed, len(o.skip_reasons))):
            suites[suite][i] += n
        reasons.update(o.skip_reasons)

    print_table(suites)
    if reasons:
        print('\nskipped because:')
    for reason, n in reasons.most_common():
        print(f'{n:>7}  {reason}')
    for suite, name, test, o in results:
        if o.failed:
            print_failure(f'{suite}: {name}', test)

    passed, failed, skipped = (sum(s[i] for s in suites.values()) for i in range(3))
    print(f'\n{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
