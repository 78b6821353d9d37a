#!/usr/bin/env python3
"""The models of NIC under KVM where the machine has none that works: nested in an emulated guest.

Boots a guest (tare guest) whose emulated CPU can run guests by hardware, and in it has tare compare
each model with the bare wire, so that leaving a guest costs what it costs there: an emulated NIC is
left for each register, virtio for each batch, vhost for less. One model at a time, as idle guests
take much of two emulated CPUs. Rates are far below a real machine's; what each model does over the
slowest can be set beside SWITCH's figures.

Usage: nested.py [OPTION OF tare compare ...]
TARE         the program (default: that of build/ of this tree)
GUEST        options of tare guest (--vcpus 2 --guest-memory 2G)
JSON         a file for the results, a list
Takes 5 minutes on an idle machine, and a busy one has no time for what is emulated twice: rates
fall a hundredfold. Exit status: 0 measured, rtl8139 < e1000 < virtio both ways; 1 not; 3 something
is missing.
"""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# SWITCH's ratios, of 80 to 140 Mbit/s, 250 Mbit/s and 7.8 Gbit/s; it has no virtio without vhost.
MODELS = {'vm-rtl8139': 1, 'vm-e1000': 1.9, 'vm-virtio': None, 'vm-virtio-vhost': 59}
ORDER = ('vm-rtl8139', 'vm-e1000', 'vm-virtio')
LOADS = ('stream-tx', 'stream-rx')
# Each boots for 20 s. Round trips take tens of milliseconds, and TCP many of them to its full rate.
COMPARE = ['--accel', 'kvm', '--guest-memory', '256M', '--load', 'stream', '--time', '2s', '--warmup', '2s',
           '--repeat-min', '3', '--repeat-max', '3', '--time-max', '5m', '--json']
# $0: tare
EACH = f'for m in {" ".join(MODELS)}; do "$0" compare --path $m "$@"; done'


def documents(text):
    """JSON documents, one behind the other; what is no document ends them"""
    found = []
    text = text.lstrip()
    while text:
        try:
            doc, end = json.JSONDecoder().raw_decode(text)
        except ValueError:
            sys.stderr.write(text)
            break
        found.append(doc)
        text = text[end:].lstrip()
    return found


def measure(options):
    tare = os.path.abspath(os.environ.get('TARE') or HERE.parent / 'build/src/cmd/tare')
    guest = (os.environ.get('GUEST') or '--vcpus 2 --guest-memory 2G').split()
    argv = [tare, 'guest', *guest, '--', 'sh', '-c', EACH, tare, *COMPARE, *options]
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    except OSError as e:
        print(f'nested.py: {tare}: {e.strerror}', file=sys.stderr)
        sys.exit(3)
    found = documents(done.stdout)
    if not found:
        print(f'nested.py: tare guest ended with {done.returncode} and no result', file=sys.stderr)
        sys.exit(3)
    return found


def numbers(results):
    """Mbit/s and ns of CPU time a byte, by model and load: medians"""
    out = {}
    for result in results:
        for cell in result['cells']:
            of = {m['metric']: m['value'] for m in cell['metrics'] if m['value']['n']}
            if cell['path'] in MODELS and 'goodput_bps' in of:
                out[cell['path'], cell['load']] = (of['goodput_bps']['median'] / 1e6,
                                                   of['cpu_ns_per_byte']['median'])
    return out


def row(model, got):
    cells = []
    for load in LOADS:
        mine, least = got.get((model, load)), got.get((ORDER[0], load))
        cells.append(f'{mine[0]:8.1f}' if mine else f'{"-":>8}')
        cells.append(f'{mine[0] / least[0]:6.1f}' if mine and least and least[0] else f'{"-":>6}')
        cells.append(f'{mine[1]:8.0f}' if mine else f'{"-":>8}')
    return f'{model:16} {"".join(cells[:3])}  {"".join(cells[3:])}  {MODELS[model] or "-":>6}'


def main():
    results = measure(sys.argv[1:])
    if os.environ.get('JSON'):
        pathlib.Path(os.environ['JSON']).write_text(json.dumps(results, indent=1), encoding='utf-8')
    got = numbers(results)
    head = f'{"Mbit/s":>8}{"ratio":>6}{"ns/byte":>8}'
    print(f'{"":16} {"into the guest":>22}  {"out of the guest":>22}  {"SWITCH":>6}')
    print(f'{"model":16} {head}  {head}  {"ratio":>6}')
    for model in MODELS:
        print(row(model, got))
    for path in (p for result in results for p in result['paths']):
        for text in [path['reason'], *path['notes']]:
            if text:
                print(f'{path["name"]}: {text}')
    for load in LOADS:
        rates = [got.get((model, load), (0, 0))[0] for model in ORDER]
        if not 0 < rates[0] < rates[1] < rates[2]:
            print(f'{load}: not {" < ".join(ORDER)}')
            sys.exit(1)


main()
