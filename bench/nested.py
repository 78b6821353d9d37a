#!/usr/bin/env python3
"""The models of NIC under KVM where the machine has none that works: nested in an emulated guest.

Boots a guest (tare guest) whose emulated CPU can run guests by hardware, and in it has tare compare
the models with KVM, so that leaving a guest costs what it costs there: an emulated NIC is left for
each register, virtio for each batch, vhost for less. Rates are far below a real machine's; that of
each model over the slowest's is what can be set beside SWITCH's figures.

Usage: nested.py [OPTION OF tare compare ...]
TARE         the program (default: that of build/ of this tree)
GUEST        options of tare guest (--vcpus 2 --guest-memory 2G)
JSON         a file for the whole result
Takes 5 minutes on an idle machine and 3 GiB. Exit status: 0 measured, rtl8139 < e1000 < virtio both
ways; 1 not; 3 something is missing.
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
# Each boots for 20 s; trials are long, as all threads share the CPUs that are emulated.
COMPARE = ['--path', ','.join(MODELS), '--accel', 'kvm', '--guest-memory', '256M', '--load', 'stream',
           '--time', '1s', '--warmup', '500ms', '--repeat-min', '5', '--repeat-max', '5', '--time-max', '10m']


def measure(options):
    tare = os.environ.get('TARE') or str(HERE.parent / 'build/src/cmd/tare')
    guest = (os.environ.get('GUEST') or '--vcpus 2 --guest-memory 2G').split()
    argv = [tare, 'guest', *guest, '--', 'tare', 'compare', *COMPARE, '--json', *options]
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    except OSError as e:
        sys.exit(f'nested.py: {tare}: {e.strerror}')
    try:
        return json.loads(done.stdout)
    except ValueError:
        sys.stderr.write(done.stdout)
        print(f'nested.py: tare guest ended with {done.returncode} and no result', file=sys.stderr)
        sys.exit(3)


def rates(result):
    """Mbit/s by model and load: the median, as the machine is seldom idle for so long"""
    out = {}
    for cell in result['cells']:
        for m in cell['metrics']:
            if m['metric'] == 'goodput_bps' and m['value']['n']:
                out[cell['path'], cell['load']] = m['value']['median'] / 1e6
    return out


def row(model, rate):
    base = next(iter(MODELS))
    cells = []
    for load in 'stream-tx', 'stream-rx':
        mbps, least = rate.get((model, load)), rate.get((base, load))
        cells.append(f'{mbps:8.1f}' if mbps else f'{"-":>8}')
        cells.append(f'{mbps / least:6.2f}' if mbps and least else f'{"-":>6}')
    switch = MODELS[model]
    return f'{model:16} {cells[0]} {cells[1]}    {cells[2]} {cells[3]}    {switch if switch else "-":>6}'


def main():
    result = measure(sys.argv[1:])
    if os.environ.get('JSON'):
        pathlib.Path(os.environ['JSON']).write_text(json.dumps(result, indent=1), encoding='utf-8')
    rate = rates(result)
    print(f'{"":16} {"into the guest":>15}    {"out of it":>15}    {"SWITCH":>6}')
    print(f'{"model":16} {"Mbit/s":>8} {"ratio":>6}    {"Mbit/s":>8} {"ratio":>6}    {"ratio":>6}')
    for model in MODELS:
        print(row(model, rate))
    for path in result['paths']:
        for text in [path['reason'], *path['notes']]:
            if text:
                print(f'{path["name"]}: {text}')
    for load in 'stream-tx', 'stream-rx':
        got = [rate.get((model, load), 0) for model in ORDER]
        if not 0 < got[0] < got[1] < got[2]:
            print(f'{load}: not {" < ".join(ORDER)}')
            sys.exit(1)


main()
