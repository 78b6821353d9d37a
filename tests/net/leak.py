#!/usr/bin/python3
"""Whatever ends a run, nothing of it stays: no link, nft rule, cgroup, process or network namespace.

TAP. Usage: leak.py TARE [PATHS [SEED]]
With PATHS, on these instead of veth: signals only, and fewer. LEAK_SIGNALS of the environment: how many.
Runs in a pid namespace of its own, as root in a network namespace, too: others on the machine are not counted.
"""
import ctypes
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

N_SIGNALS = int(os.environ.get('LEAK_SIGNALS') or (3 if sys.argv[2:] else 8))
MAX_TRIES = 3   # others on the machine may make a trial fail, but not for ever
JANITOR_S = 6  # sys/janitor.c tries for 5 s
OURS = ('tare', 'ovs', 'dpdk')
RUN_S = 60     # a run that takes longer hangs
RUN = ['compare', '--quick', '--quiet', '--path', sys.argv[2] if sys.argv[2:] else 'veth', '--load', 'rr:proto=tcp', '--time', '100ms',
       '--warmup', '20ms']


def nft_ruleset():
    """The ruleset of this network namespace; None where it can't be read."""
    if os.geteuid() != 0:
        return None
    try:
        lib = ctypes.CDLL('libnftables.so.1')
    except OSError:
        return None
    lib.nft_ctx_new.restype = ctypes.c_void_p
    lib.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    ctx = ctypes.c_void_p(lib.nft_ctx_new(0))
    lib.nft_ctx_buffer_output(ctx)
    lib.nft_ctx_buffer_error(ctx)
    failed = lib.nft_run_cmd_from_buffer(ctx, b'list ruleset')
    text = lib.nft_ctx_get_output_buffer(ctx)
    lib.nft_ctx_free(ctx)
    return None if failed else text


def links():
    return subprocess.run(['ip', '-br', 'link'], capture_output=True, check=True).stdout


def of_processes(what):
    """What each process says about itself under /proc; those that just went say nothing."""
    for entry in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            yield what(entry)
        except OSError:
            pass


def is_alive(entry):
    return ') Z ' not in (entry / 'stat').read_text()


def processes():
    def name(entry):
        return (entry / 'comm').read_text().strip() if is_alive(entry) else ''
    return sorted(n for n in of_processes(name) if n.startswith(OURS))


def namespaces():
    return set(of_processes(lambda entry: os.readlink(entry / 'ns/net')))


def cgroups(pids):
    """Cgroups that one of these runs made; others on the machine, with pids of their own, may have theirs."""
    mine = f'tare-{os.stat("/proc/self/ns/pid").st_ino}-'
    return sorted(os.path.join(where, d) for where, dirs, _ in os.walk('/sys/fs/cgroup') for d in dirs
                  if re.match(mine + r'\d+-', d) and int(d.split('-')[2]) in pids)


class Machine:
    def __init__(self):
        self.pids = set()
        self.before = self.state()

    def state(self):
        return {'links': links(), 'nft ruleset': nft_ruleset(), 'processes': processes(),
                'network namespaces': namespaces(), 'cgroups': cgroups(self.pids)}

    def leftovers(self):
        """What differs from before; polls until nothing does or the janitor has had its time."""
        deadline = time.monotonic() + JANITOR_S
        while True:
            reap()
            now = self.state()
            rest = [f'{k}: {now[k]}, before: {self.before[k]}' for k in now if now[k] != self.before[k]]
            if not rest or time.monotonic() > deadline:
                return rest
            time.sleep(0.02)

    def run(self, args, sig=None, delay=0.0, n_files=None):
        """Return: exit status (negative: signal), stdout, stderr."""
        def limit():
            if n_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (n_files, n_files))
        p = subprocess.Popen([TARE] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             preexec_fn=limit)
        self.pids.add(p.pid)
        if sig:
            try:
                p.wait(timeout=delay)
            except subprocess.TimeoutExpired:
                p.send_signal(sig)
        out, err = p.communicate(timeout=RUN_S)
        return p.returncode, out, err


def reap():
    """Orphans of a killed run are ours when this is pid 1."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


class Tap:
    def __init__(self):
        self.n = self.n_bad = 0

    def check(self, name, problems):
        self.n += 1
        self.n_bad += bool(problems)
        print('ok' if not problems else 'not ok', self.n, '-', name)
        for p in problems:
            print('#', str(p).replace('\n', '\n# '))
        sys.stdout.flush()


def check_interrupts(tap, m, run_s):
    n_partial = 0
    problems = []
    for i in range(N_SIGNALS):
        delay = (i + random.random()) / N_SIGNALS * run_s
        status, out, err = m.run(RUN, signal.SIGINT, delay)
        what = f'SIGINT after {delay:.3f} s: exit {status}'
        n_partial += status == 4 and 'INTERRUPTED' in out
        # Killed outright only before it set up its signals, or done already.
        if status not in (0, 4, -signal.SIGINT) or (status < 0 and out):
            problems.append(f'{what}\n{out}{err}')
        if status == 4 and 'INTERRUPTED' not in out and 'interrupted' not in err:
            problems.append(f'{what}, and neither a partial report nor a word of it\n{out}{err}')
        problems += [f'{what}: {x}' for x in m.leftovers()]
    if not n_partial:
        problems.append('no interrupted run gave a partial report')
    print(f'# {n_partial} of {N_SIGNALS} gave a partial report')
    tap.check('SIGINT leaves nothing but a partial report', problems)


def check_kills(tap, m, run_s):
    problems = []
    for i in range(N_SIGNALS):
        delay = (i + random.random()) / N_SIGNALS * run_s
        status, _, _ = m.run(RUN, signal.SIGKILL, delay)
        problems += [f'SIGKILL after {delay:.3f} s, exit {status}: {x}' for x in m.leftovers()]
    tap.check('SIGKILL leaves nothing', problems)


def check_failures(tap, m):
    status, out, err = m.run(['compare', '--quick', '--quiet', '--path', 'veth', '--load', 'stream:dir=tx',
                              '--congestion', 'nosuch', '--time', '100ms', '--warmup', '20ms'])
    problems = [] if status == 4 and 'nosuch' in out + err else [f'exit {status}\n{out}{err}']
    tap.check('a load that cannot be set up fails the run and leaves nothing', problems + m.leftovers())

    problems = []
    for n_files in (4, 7, 10, 13, 16, 18, 20, 24):
        status, out, err = m.run(RUN, n_files=n_files)
        # 127: the loader could not open the libraries; from 18 on there may be enough for all.
        if status < 0 or (status == 0 and n_files < 18) or not (out + err).strip():
            problems.append(f'with {n_files} descriptors: exit {status}\n{out}{err}')
        problems += [f'with {n_files} descriptors, exit {status}: {x}' for x in m.leftovers()]
    tap.check('too few descriptors fail the run and leave nothing', problems)


def alone():
    """Re-executes itself in namespaces of its own where that is allowed."""
    wrap = ['unshare', '--pid', '--fork', '--mount-proc']
    wrap += ['--net'] if os.geteuid() == 0 else ['--user', '--map-current-user']
    if os.environ.get('LEAK_ALONE') or not shutil.which('unshare'):
        return
    if subprocess.run(wrap + ['true'], capture_output=True, check=False).returncode == 0:
        os.environ['LEAK_ALONE'] = '1'
        os.execvp(wrap[0], wrap + [sys.executable] + sys.argv)


def main():
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    random.seed(seed)
    print(f'# seed {seed}')
    m = Machine()
    for _ in range(MAX_TRIES):
        begin = time.monotonic()
        status, out, err = m.run(RUN)
        run_s = time.monotonic() - begin
        if status != 4:
            break
    if status == 3:
        print('1..0 # SKIP', err.strip())
        return 0
    tap = Tap()
    problems = [] if status == 0 and out else [f'exit {status}\n{out}{err}']
    tap.check('a whole run leaves nothing', problems + m.leftovers())
    check_interrupts(tap, m, run_s)
    check_kills(tap, m, run_s)
    if not sys.argv[2:]:
        check_failures(tap, m)
    print(f'1..{tap.n}')
    return tap.n_bad > 0


TARE = os.path.abspath(sys.argv[1])
alone()
sys.exit(main())
