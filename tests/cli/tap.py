"""TAP for the Python tests of the cli suite."""

import json
import os
import subprocess
import sys
import time
import traceback

QUICK = ["--time", "100ms", "--warmup", "10ms", "--repeat-min", "2", "--repeat-max", "2", "--quiet"]


class Tap:
    def __init__(self):
        self.count = 0
        self.bad = 0

    def check(self, name, test, *args):
        """Runs test(*args); an exception is a failure and is shown."""
        self.count += 1
        try:
            test(*args)
            print(f"ok {self.count} - {name}")
        except Exception:
            self.bad += 1
            print(f"not ok {self.count} - {name}")
            print("# " + traceback.format_exc().replace("\n", "\n# "))

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")

    def done(self):
        print(f"1..{self.count}")
        sys.exit(self.bad > 0)


def until(test, what, most_s=20):
    end = time.monotonic() + most_s
    while not test():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.005)


def as_nobody():
    """Words before a command, that it has no privileges."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
            "--bounding-set=-all"]


def in_background(pool, test, *args):
    """A test that mostly waits runs beside the others; to be checked at its turn."""
    return pool.submit(test, *args).result


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def tare(binary, *words):
    """Output of tare; skips the whole test where this machine can't build paths."""
    done = subprocess.run([binary, *words], capture_output=True, text=True, check=False)
    if done.returncode == 3 and "namespace" in done.stderr:
        skip_all(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return done.stdout


def strict_json(text):
    def refuse(token):
        raise ValueError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)
