#!/usr/bin/env python3
"""Checks that help and man pages name the same options, and that scdoc accepts the pages.

Usage: man.py ROOT TARE
"""
import re
import shutil
import subprocess
import sys

COMMAND = re.compile(r'^  ([a-z][\w-]*)  +\S', re.M)
HELP_ROW = re.compile(r'^(?:  -\w, |      )--([\w-]+)', re.M)
MAN_ROW = re.compile(r'^(?:\*-\w\*, )?\*--([\w-]+)\*', re.M)
NOT_IN_HELP = {'help'}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout


def page_complaint(page):
    if not page.strip():
        return 'the page is empty'
    if not shutil.which('scdoc'):
        return None
    p = subprocess.run(['scdoc'], input=page, capture_output=True, text=True, timeout=20, check=False)
    return None if p.returncode == 0 else p.stderr.strip() or f'exit status {p.returncode}'


def main(tare):
    complaints, pages = [], {'man': output(tare, 'doc', 'man'), 'result': output(tare, 'doc', 'result')}
    commands = COMMAND.findall(output(tare, '--help'))
    if not commands:
        complaints.append('tare --help: names no command')
    for c in commands:
        pages[f'man {c}'] = output(tare, 'doc', 'man', c)
        shown = set(HELP_ROW.findall(output(tare, c, '--help'))) - NOT_IN_HELP
        paged = set(MAN_ROW.findall(pages[f'man {c}'])) - NOT_IN_HELP
        complaints += [f'tare doc man {c}: --{o} is missing' for o in sorted(shown - paged)]
        complaints += [f'tare {c} --help: --{o} is missing' for o in sorted(paged - shown)]
    pages['man iperf3'] = output(tare, 'doc', 'man', 'iperf3')
    for name, page in pages.items():
        if complaint := page_complaint(page):
            complaints.append(f'tare doc {name}: {complaint}')
    print('\n'.join(complaints))
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[2]))
