"""A device under test whose answers are known, between two ports, in namespaces of its own:

    tester            dut
    a ---- veth ---- m1  BPF program ->  m2 [shaper] ---- veth ---- b

inside() has the whole program run in network and mount namespaces where nothing is anybody else's, which go with
it. Frames from a to b meet the program and the shaper; from b to a nothing is in their way.
"""
import json
import os
import pathlib
import subprocess
import sys


def run(*words, status=0):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != status:
        raise RuntimeError(f'{" ".join(map(str, words))}: exit status {done.returncode}: {done.stderr.strip()}')
    return done.stdout


def inside():
    """Returns in namespaces of this program's own; raises OSError where that is not allowed."""
    if not os.environ.get('TARE_SUT_INSIDE'):
        users = [] if os.getuid() == 0 else ['--map-root-user']
        probe = subprocess.run(['unshare', *users, '--net', '--mount', 'true'], capture_output=True, text=True,
                               check=False)
        if probe.returncode:
            raise OSError(probe.stderr.strip())
        os.environ['TARE_SUT_INSIDE'] = 'yes'
        os.execvp('unshare', ['unshare', *users, '--net', '--mount', '--fork', '--kill-child', sys.executable,
                              *sys.argv])
    run('mount', '-t', 'tmpfs', 'none', '/run')
    run('ip', 'link', 'set', 'lo', 'up')


def rise(before, after):
    return {place: n - before.get(place, 0) for place, n in after.items() if n != before.get(place, 0)}


class Sut:
    """@code: the object of sut.bpf.c; None: no program, m1 and m2 are left to somebody else"""

    def __init__(self, code, program='pass'):
        self.code = code
        run('ip', 'netns', 'add', 'dut')
        self.dut('sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6')
        pathlib.Path('/proc/sys/net/ipv6/conf/default/disable_ipv6').write_text('1')
        for port, dev, index in ('a', 'm1', '101'), ('b', 'm2', '102'):
            self.dut('ip', 'link', 'add', 'name', dev, 'index', index, 'type', 'veth', 'peer', 'name', port, 'netns',
                     str(os.getpid()))
            run('ip', 'link', 'set', 'dev', port, 'up')
            self.dut('ip', 'link', 'set', 'dev', dev, 'up')
            if code:
                self.dut('tc', 'qdisc', 'add', 'dev', dev, 'clsact')
        if code:
            self.dut('tc', 'filter', 'add', 'dev', 'm2', 'ingress', 'bpf', 'da', 'obj', code, 'sec', 'back')
            self.dut('ip', 'link', 'set', 'dev', 'm1', 'xdp', 'obj', code, 'sec', 'xdp')
            self.treat(program)

    def dut(self, *words):
        return run('ip', 'netns', 'exec', 'dut', *words)

    def treat(self, program):
        self.dut('tc', 'filter', 'replace', 'dev', 'm1', 'ingress', 'prio', '1', 'handle', '1', 'bpf', 'da', 'obj',
                 self.code, 'sec', program)

    def tbf(self, rate_bps, burst_bytes, limit_bytes):
        self.dut('tc', 'qdisc', 'replace', 'dev', 'm2', 'root', 'handle', '8001:', 'tbf', 'rate', f'{rate_bps}bit',
                 'burst', f'{burst_bytes}b', 'limit', f'{limit_bytes}b')

    def htb(self, rate_bps, burst_bytes, limit_frames):
        self.no_shaper()
        self.dut('tc', 'qdisc', 'replace', 'dev', 'm2', 'root', 'handle', '1:', 'htb', 'default', '1')
        self.dut('tc', 'class', 'add', 'dev', 'm2', 'parent', '1:', 'classid', '1:1', 'htb', 'rate', f'{rate_bps}bit',
                 'burst', f'{burst_bytes}b', 'cburst', f'{burst_bytes}b')
        self.dut('tc', 'qdisc', 'add', 'dev', 'm2', 'parent', '1:1', 'pfifo', 'limit', str(limit_frames))

    def overtakes(self):
        """Within tbf, frames of program overtake go before the others."""
        self.dut('tc', 'qdisc', 'replace', 'dev', 'm2', 'parent', '8001:1', 'handle', '2:', 'pfifo_fast')

    def no_shaper(self):
        self.dut('tc', 'qdisc', 'replace', 'dev', 'm2', 'root', 'handle', '8000:', 'pfifo')
        self.dut('tc', 'qdisc', 'del', 'dev', 'm2', 'root')

    def shaped(self):
        """Frames that the shaper sent and dropped."""
        root = json.loads(self.dut('tc', '-s', '-j', 'qdisc', 'show', 'dev', 'm2'))[0]
        return root['packets'], root['drops']

    def drops(self):
        """Frames on the way from a to b dropped so far, {place: number}: by devices, shaper, CPUs' backlogs. What b
        itself drops is none of them: its receiver has seen it, and it is the sender's question whether a takes
        frames."""
        ret = {}
        for where in (), ('-n', 'dut'):
            for x in json.loads(run('ip', *where, '-s', '-j', 'link', 'show', 'type', 'veth')):
                stats = x['stats64']
                if x['ifname'] != 'b':
                    ret[x['ifname'] + ' rx'] = stats['rx']['dropped']
                ret[x['ifname'] + ' tx'] = stats['tx']['dropped']
        for x in json.loads(self.dut('tc', '-s', '-j', 'qdisc', 'show')):
            if x['kind'] != 'clsact' and 'drops' in x and 'parent' not in x:
                ret[f'{x["dev"]} {x["kind"]}'] = x['drops']
        rows = pathlib.Path('/proc/net/softnet_stat').read_text().splitlines()
        ret['backlog'] = sum(int(row.split()[1], 16) for row in rows)
        return ret

    def close(self):
        run('ip', 'link', 'del', 'dev', 'a')
        run('ip', 'link', 'del', 'dev', 'b')
        run('ip', 'netns', 'del', 'dut')

