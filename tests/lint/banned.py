#!/usr/bin/env python3
"""Fails on what the house style bans in C files: unsafe or locale-bound calls, goto, // comments, #if in .c
files, printing below report/, libraries outside the one file that wraps them, the clock on the wall where time is
measured, long lines.

Usage: banned.py ROOT
"""
import pathlib
import re
import sys

CALLS = ('strcpy strcat sprintf vsprintf strncpy atoi atol strtol strtoul system popen usleep sleep '
         'alloca gets').split()
SILENT = {'base', 'sys', 'stat', 'cni', 'path', 'load', 'wire', 'meter', 'bench', 'finding', 'guest',
          'serve', 'frame', 'method', 'dns', 'charge', 'guard'}
PRINTS_ANYWAY = {'src/base/mem.c'}  # says why it aborts when memory is out
PRINT = (r'\b(?:v?printf|puts|putchar|perror)\s*\('
         r'|\b(?:v?fprintf|fputs|fputc|putc|fwrite)\s*\([^;]*?\b(?:stdout|stderr)\b')
PLACES = {r'jansson\.h': 'src/cni/ src/charge/container_name.c src/wire/doc.c',
          r'netlink/': 'src/sys/rt src/sys/wg.c',
          r'lib(netfilter_conntrack|mnl)/': 'src/sys/conntrack.c',
          r'nftables/': 'src/sys/nft.c', r'zlib\.h': 'src/sys/kconfig.c src/guard/record.c',
          r'cap-ng\.h': 'src/sys/caps.c', r'seccomp\.h': 'src/sys/seccomp.c',
          r'openssl/': 'src/wire/ src/sys/wg.c',
          r'ldns/': 'src/dns/query.c',
          r'bpf/(?:(?:lib)?bpf|btf)\.h': 'src/sys/ebpf.c src/sys/tcx.c src/sys/xsk.c src/charge/softirq '
                                'tests/net/drop.c tests/net/ebpf.c tests/net/frames_live.c '
                                'tests/net/softirq.c',
          r'xdp/': 'src/sys/xsk.c',
          r'frame_\w+\.skel\.h': 'src/frame/', r'steer\.skel\.h': 'src/sys/xsk.c',
          r'bpf/bpf_\w+\.h': 'src/bpf/', r'route_\w+\.skel\.h': 'src/path/ebpf_',
          r'drop\.skel\.h': 'src/guard/drop',
          r'hop_\w+\.skel\.h': 'src/path/nf_bpf.c',
          r'softirq\.skel\.h': 'src/charge/softirq.c',
          r'archive(?:_entry)?\.h': 'src/sys/',
          r'n?curses\.h': 'src/report/top.c',
          r'microhttpd\.h': 'src/serve/http.c',
          r'libkmod\.h': 'src/sys/kmodule.c'}
# Somebody may set it: intervals, budgets and bills are by CLOCK_MONOTONIC.
WALL = r'\b(?:CLOCK_REALTIME|gettimeofday|clock_wall_ms|clock_utc)\b|\btime\s*\(\s*(?:NULL|&)|ktime_get_(?:tai|real)'
STEADY = ('src/bpf/', 'src/charge/', 'src/guard/', 'src/load/', 'src/cmd/charge', 'src/cmd/guard')
COLUMNS = 100
# One token: comment, string, or character constant; whatever is left is code.
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """text with comments and literals blanked, offsets kept; and the offsets of // comments"""
    slashes = [m.start() for m in TOKEN.finditer(text) if m[0].startswith('//')]
    return TOKEN.sub(lambda m: re.sub(r'[^\n]', ' ', m[0]), text), slashes


def violations(name, text):
    """(offset, what) of each"""
    code, slashes = code_only(text)

    def find(pattern, what, where=code):
        for m in re.finditer(pattern, where, re.M):
            yield m.start(), what.format(' '.join(m[0].split()))

    yield from ((at, '// comment, write /* */') for at in slashes)
    yield from find(r'\b(?:TODO|FIXME|XXX)\b', '{} left in the source', text)
    yield from find(r'(?<![\w.>])(?:%s)(?=\s*\()' % '|'.join(CALLS), 'banned call {}()')
    yield from find(r'\bgoto\b', '{}')
    if name.endswith('.c'):
        yield from find(r'^[ \t]*#[ \t]*if(?:n?def)?\b', '{} in a .c file')
    if name.split('/')[0] == 'src' and name.split('/')[1] in SILENT and name not in PRINTS_ANYWAY:
        yield from find(PRINT, 'prints: {}')
    if name.startswith(STEADY):
        yield from find(WALL, "the clock on the wall: {}")
    for header, place in PLACES.items():
        if not name.startswith(tuple(place.split())):
            yield from find(r'^[ \t]*#[ \t]*include[ \t]*[<"]' + header, '{} outside ' + place, text)
    for m in re.finditer(r'^.+$', text, re.M):
        if len(m[0].expandtabs(8)) > COLUMNS:
            yield m.start(), f'longer than {COLUMNS} columns'


def main(root):
    bad = 0
    for path in sorted(p for top in ('src', 'tests') for p in (root / top).rglob('*.[ch]')):
        name, text = path.relative_to(root).as_posix(), path.read_text(encoding='utf-8')
        for at, what in sorted(violations(name, text)):
            print(f'{name}:{text.count(chr(10), 0, at) + 1}: {what}')
            bad = 1
    return bad


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1])))
