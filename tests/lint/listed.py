#!/usr/bin/env python3
"""Checks that every test is run: its name stands in the meson.build of its folder, or of one above.

Usage: listed.py ROOT
"""
import pathlib
import re
import sys

# How a test begins; what has none of it is a part of others.
TEST = re.compile(r'\bTap\(\)|/tap\.sh\b|\bcmocka_run_group_tests')


def build_file(path):
    return next(d / 'meson.build' for d in path.parents if (d / 'meson.build').exists())


tests = pathlib.Path(sys.argv[1]) / 'tests'
missing = [p for p in sorted(tests.rglob('*.*')) if p.suffix in ('.py', '.sh', '.c') and TEST.search(p.read_text())
           and not re.search(rf"['/]{p.stem}['.]", build_file(p).read_text())]
for path in missing:
    print(f'{path.relative_to(tests.parent)}: no meson.build has it, so nobody runs it')
sys.exit(bool(missing))
