#!/usr/bin/python3
"""tare and Debian's iperf3 in every mode, each as client of the other.

TAP. Usage: iperf_matrix.py TARE
In a network namespace of its own, on loopback:

    iperf3 -c  ---->  tare -s         tare -c  ---->  iperf3 -s

Both documents of --json have the keys of iperf3 talking to iperf3, in its order.
Counts that one side took must be what the other side shows of it. Where tare can see to it, every
byte sent has been received: iperf3 alone loses those under way when a test ends.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from iperf_keys import compare, shape
from tap import Tap, skip_all

AT_ONCE = 6  # each mostly waits; more would take each other's CPU time
RUN_S = 30

# Options that have nothing to do with how a test ends take as long as 20 MB do, which is no second.
# name, options of the client, options of the server, and what is special:
# "omit": 3.12 does not say how many packets it omitted
# "auth": with the padding that both know
# "exact": as many bytes received as sent, upwards or downwards as the mode goes
MODES = [
    ('tcp', '-t 1', '', 'exact'),
    ('reverse', '-t 1 -R', '', ''),
    ('bidir', '-t 1 --bidir', '', ''),
    ('parallel', '-t 1 -P 4', '', 'exact'),
    ('parallel reverse', '-t 1 -P 3 -R', '', ''),
    ('bytes', '-n 20M', '', 'exact'),
    ('bytes reverse', '-n 20M -R', '', 'exact'),
    ('blocks', '-k 77 -l 64K', '', 'exact'),
    ('omit', '-t 1 -O 1', '', 'omit'),
    ('omit udp', '-u -b 20M -t 1 -O 1', '', 'omit'),
    ('window', '-n 20M -w 256K', '', 'exact'),
    ('mss', '-n 20M -M 1000', '', 'exact'),
    ('nodelay', '-n 20M -N', '', 'exact'),
    ('congestion', '-n 20M -C reno', '', 'exact'),
    ('tos', '-n 20M -S 0x10', '', 'exact'),
    ('dscp', '-n 20M --dscp af11', '', 'exact'),
    ('rate', '-t 1 -b 50M', '', 'exact'),
    ('rate reverse', '-t 1 -b 50M -R', '', ''),
    ('fq rate', '-t 1 --fq-rate 50M', '', 'exact'),
    ('length', '-t 1 -l 4K', '', 'exact'),
    ('odd length', '-t 1 -l 1001', '', 'exact'),
    ('zerocopy', '-t 1 -Z', '', 'exact'),
    ('payload', '-n 20M --repeating-payload', '', 'exact'),
    ('interval', '-t 1 -i 0.25', '', 'exact'),
    ('ipv6', '-n 20M -6', '', 'exact'),
    ('affinity', '-n 20M -A 0,0', '', 'exact'),
    ('server output', '-t 1 --get-server-output', '', 'exact'),
    ('title', '-n 20M -T weigh --extra-data more', '', 'exact'),
    ('udp', '-u -t 1', '', 'exact'),
    ('udp rate', '-u -b 50M -l 1200 -t 1', '', 'exact'),
    ('udp reverse', '-u -b 20M -l 1200 -R -t 1', '', 'exact'),
    ('udp bidir', '-u -b 20M -l 1200 --bidir -t 1', '', 'exact'),
    ('udp parallel', '-u -b 5M -l 1000 -P 4 -t 1', '', 'exact'),
    ('udp 64-bit', '-u -b 20M -l 1000 --udp-counters-64bit -t 1', '', 'exact'),
    ('udp 64-bit reverse', '-u -b 20M -l 1000 --udp-counters-64bit -R -t 1', '', 'exact'),
    ('udp bytes', '-u -b 100M -l 1000 -n 1M', '', 'exact'),
    ('udp blocks', '-u -b 100M -l 1000 -k 300', '', 'exact'),
    ('udp smallest', '-u -b 1M -l 16 -t 1', '', 'exact'),
    ('udp ipv6', '-u -b 20M -l 1200 -6 -t 1', '', 'exact'),
    ('udp server output', '-u -b 10M -l 1200 -t 1 --get-server-output', '', 'exact'),
    ('auth', '-t 1 --username ann --rsa-public-key-path {pub}',
     '--rsa-private-key-path {key} --authorized-users-path {users}', 'auth'),
]
if len(sys.argv) != 2:
    sys.exit(__doc__)
TARE = os.path.realpath(sys.argv[1])
PROGRAMS = {'tare': [TARE], 'iperf3': ['iperf3']}


def own_namespace():
    if os.environ.get('TARE_MATRIX_INSIDE'):
        subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
        return
    os.environ['TARE_MATRIX_INSIDE'] = '1'
    user = [] if os.geteuid() == 0 else ['-r']
    os.execvp('unshare', ['unshare', *user, '-n', sys.executable, *sys.argv])


def make_keys(folder):
    key, pub, users = folder / 'key.pem', folder / 'pub.pem', folder / 'users.csv'
    openssl = ['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', key]
    subprocess.run(openssl, check=True, capture_output=True)
    subprocess.run(['openssl', 'pkey', '-in', key, '-pubout', '-out', pub], check=True, capture_output=True)
    users.write_text('ann,' + hashlib.sha256(b'{ann}secret').hexdigest() + '\n')
    return {'key': key, 'pub': pub, 'users': users}


def wait_for_port(port, server):
    """The server listens once its port stands in the kernel's table."""
    want = f':{port:04X} '
    while server.poll() is None:
        tables = (pathlib.Path(p).read_text() for p in ('/proc/net/tcp', '/proc/net/tcp6'))
        if any(want in line and ' 0A ' in line for t in tables for line in t.splitlines()):
            return
        time.sleep(0.02)
    raise AssertionError('server ended: ' + server.communicate()[1])


class Pair:
    """One test between two programs: both documents."""

    def __init__(self, client, server, port, words, server_words):
        serve = subprocess.Popen([*PROGRAMS[server], '-s', '-1', '-J', '-p', str(port), *server_words],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_for_port(port, serve)
            env = dict(os.environ, IPERF3_PASSWORD='secret')
            host = '::1' if '-6' in words else '127.0.0.1'
            done = subprocess.run([*PROGRAMS[client], '-c', host, '-p', str(port), '-J', *words],
                                  capture_output=True, text=True, check=False, timeout=RUN_S, env=env)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr
            out, err = serve.communicate(timeout=RUN_S)
        finally:
            serve.kill()
            serve.wait()
        self.client = json.loads(done.stdout)
        self.server = json.loads(out) if out else None
        assert self.server, 'the server printed nothing: ' + err
        for side in (self.client, self.server):
            assert 'error' not in side, side['error']


def sums(doc):
    return {k: v for k, v in doc['end'].items() if k.startswith('sum') and k not in ('sum', 'sum_bidir_reverse')}


def check_agree(pair, packets):
    """What each side counted itself, the other one shows alike."""
    server = sums(pair.server)
    for key, mine in sums(pair.client).items():
        theirs = server[key]
        if theirs['bytes'] == 0:
            continue  # iperf3's server leaves out what it did not count itself
        assert mine['bytes'] == theirs['bytes'], f'{key}: client {mine}, server {theirs}'
        if packets and 'packets' in mine:
            assert mine['packets'] == theirs['packets'], f'{key}: client {mine}, server {theirs}'
            assert mine['lost_packets'] == theirs['lost_packets'], f'{key}: client {mine}, server {theirs}'


def check_exact(pair, client, words):
    for sent_key, sent in sums(pair.client).items():
        down = '-R' in words or sent_key.endswith('reverse')
        # iperf3's client reads no more once its time is over
        if not sent_key.startswith('sum_sent') or (client == 'iperf3' and down and '-t' in words):
            continue
        received = pair.client['end'][sent_key.replace('sent', 'received')]
        assert sent['bytes'] > 0
        lost = received.get('lost_packets', 0)
        assert lost or sent['bytes'] == received['bytes'], f'sent {sent}, received {received}'
        if 'packets' in sent:
            assert sent['packets'] == received['packets'], f'sent {sent}, received {received}'


def check_intervals(pair):
    """Intervals that are not omitted add up to the total of whoever printed them."""
    for doc, mine in ((pair.client, 'sum_sent'), (pair.client, 'sum_received')):
        streams = [s for i in doc['intervals'] for s in i['streams'] if not s['omitted']]
        sent = sum(s['bytes'] for s in streams if s['sender'])
        if mine == 'sum_sent' and sent:
            total = doc['end'][mine]['bytes']
            assert abs(sent - total) <= 0.02 * total + 2 * 131072 * 4, f'{sent} in intervals, {total} in all'


def run(client, server, port, mode, files):
    _, words, server_words, special = mode
    words, server_words = words.format(**files).split(), server_words.format(**files).split()
    if mode[3] == 'auth':  # Debian's 3.12 knows no other padding
        words += ['--use-pkcs1-padding'] * (client == 'tare')
        server_words += ['--use-pkcs1-padding'] * (server == 'tare')
    return Pair(client, server, port, words, server_words)


def check_keys(pair, like, client, server):
    """Whoever is tare prints the keys that iperf3 prints in its place, in the same order."""
    for who, mine, theirs in ((client, pair.client, like.client), (server, pair.server, like.server)):
        found = list(compare('', shape(mine), shape(theirs))) if who == 'tare' else []
        assert not found, '\n'.join(found)


def check(client, server, port, mode, files, reference):
    special = mode[3]
    pair = run(client, server, port, mode, files)
    check_agree(pair, special != 'omit')
    if special in ('exact', 'auth'):
        check_exact(pair, client, mode[1])
    check_intervals(pair)
    check_keys(pair, reference.result(), client, server)


def main():
    if not shutil.which('iperf3'):
        skip_all('there is no iperf3 here')
    own_namespace()
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        files = make_keys(pathlib.Path(folder))
        jobs = []
        like = [pool.submit(run, 'iperf3', 'iperf3', 5200 + i, mode, files) for i, mode in enumerate(MODES)]
        for client, server in (('tare', 'iperf3'), ('iperf3', 'tare'), ('tare', 'tare')):
            for mode, reference in zip(MODES, like):
                port = 5300 + len(jobs)
                name = f'{client} to {server}: {mode[0]}'
                jobs.append((name, pool.submit(check, client, server, port, mode, files, reference)))
        for name, job in jobs:
            tap.check(name, job.result)
    tap.done()


main()
