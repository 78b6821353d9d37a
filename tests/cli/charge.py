#!/usr/bin/env python3
"""tare charge: its forms of output, the terminal it gives back, and who is billed for packets.

usage: charge.py TARE SOURCE_ROOT

    host: this test's own namespace == veth == a    10.79.1.2, receives N datagrams
                                    == veth == b    10.79.2.2, receives 3 N
"""

import contextlib
import csv
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, as_nobody, strict_json, tare  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
DEADLINE_S = 20
N = 2000  # datagrams
PORT = 7


def charge(*words, status=0):
    done = subprocess.run([TARE, "charge", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done


def schema_of(name):
    text = tare(TARE, "doc", f"{name}-schema")
    file = {"charge": "tare-charge-1", "charge-stream": "tare-charge-line-1"}[name]
    committed = (ROOT / f"docs/schema/{file}.json").read_text()
    assert text == committed, f"run: tare doc {name}-schema > docs/schema/{file}.json"
    return strict_json(text)


def valid(schema, document):
    if jsonschema:
        jsonschema.Draft202012Validator(schema).validate(document)


def bad_options():
    for words, said in (
        (["--sort", "age"], "--sort"),
        (["--interval", "0"], "--interval"),
        (["--interval", "1"], "--interval"),
        (["--json", "--csv", "--once"], "exclude each other"),
        (["--once", "--duration", "1s"], "exclude each other"),
        (["--only"], "--only needs --netns or --cgroup"),
        (["--netns", "eth0"], "'eth0' is not netns:NAME"),
        (["--netns", "host,"], "a name is empty"),
        (["--container", "web-*,"], "--container: a name is empty"),
        (["--max-containers", "5000"], "--max-containers"),
        (["--listen", "localhost:9464"], "--listen: 'localhost:9464' is not ADDR:PORT"),
        (["nginx"], "unexpected argument 'nginx'"),
    ):
        done = charge(*words, status=2)
        assert said in done.stderr and not done.stdout, (words, done.stderr)


def not_root():
    """What is missing is said, and nothing is printed."""
    user = as_nobody()
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        binary = shutil.copy(TARE, d)
        done = subprocess.run([*user, binary, "charge", "--once"], capture_output=True, text=True, check=False,
                              timeout=60, cwd="/")
    assert done.returncode == 3 and not done.stdout, done
    assert done.stderr.startswith("tare: charge: ") and len(done.stderr) > 30, done.stderr


# The lab. A pod is a process in a namespace of its own, which receives on its standard input's word.
POD = f"""
import os, socket, sys, threading
sys.stdin.readline()
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()  # whoever started it is gone
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", {PORT}))
print("bound", flush=True)
while True:
    s.recv(2048)
"""


class Pod:
    def __init__(self, number):
        self.address = f"10.79.{number}.2"
        self.process = subprocess.Popen(["unshare", "-n", "--", sys.executable, "-c", POD], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        own = os.stat("/proc/self/ns/net").st_ino
        wait_for(lambda: self.inode() != own)
        self.netns = self.inode()
        ip = self.ip
        run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", str(self.process.pid))
        ip("link", "set", "eth0", "addrgenmode", "none", "up")
        ip("addr", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "link", "set", f"v{number}", "addrgenmode", "none", "up")
        run("ip", "addr", "add", f"10.79.{number}.1/24", "dev", f"v{number}")
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "bound\n"

    def inode(self):
        return os.stat(f"/proc/{self.process.pid}/ns/net").st_ino

    def ip(self, *words):
        run("nsenter", "-t", str(self.process.pid), "-n", "ip", *words)

    def close(self):
        self.process.kill()
        self.process.communicate()


def run(*words):
    subprocess.run(words, check=True, timeout=20)


def wait_for(test):
    end = time.monotonic() + DEADLINE_S
    while not test():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)


def send(pod, n):
    """In bursts that no queue on the way drops any of."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(n):
            s.sendto(b"x" * 18, (pod.address, PORT))


class Stream:
    """tare charge --json-stream, read a line at a time."""

    def __init__(self, schema, *words):
        self.schema = schema
        self.process = subprocess.Popen([TARE, "charge", "--json-stream", "--interval", "100ms", "--rescan", "50ms",
                                         *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []

    def next(self):
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
        assert ready, "no line"
        text = self.process.stdout.readline()
        assert text, self.process.stderr.read()
        self.lines.append(strict_json(text))
        valid(self.schema, self.lines[-1])
        return self.lines[-1]

    def until(self, test):
        end = time.monotonic() + DEADLINE_S
        while not test(self.next()):
            assert time.monotonic() < end, self.lines[-1]

    def finish(self, sig=signal.SIGINT):
        self.process.send_signal(sig)
        while self.next()["event"] != "total":
            pass
        assert self.process.wait(DEADLINE_S) == 0, self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.lines[-1]


def row_of(bill, pod):
    # Of this kind: the kernel gives the number of a namespace that is gone to others' at once.
    rows = [r for r in bill["rows"] if r["kind"] == "netns" and r["netns"] == pod.netns]
    assert len(rows) <= 1, rows
    return rows[0] if rows else None


def sane(bill):
    assert [r["kind"] for r in bill["rows"][:2]] == ["host", "overhead"]
    assert bill["to_ns"] > bill["from_ns"]
    if bill["conservation"] is not None:
        rows = sum(r["rx_ns"] + r["tx_ns"] for r in bill["rows"])
        cpus = sum(c["rx_ns"] + c["tx_ns"] for c in bill["cpus"])
        assert abs(bill["conservation"] - rows / cpus) < 1e-6, bill
    for r in bill["rows"]:
        assert r["softirq_ns"] == r["rx_ns"] + r["tx_ns"] + r["other_ns"], r
        assert r["own_ns"] <= r["softirq_ns"], r


def one_document(schema):
    d = strict_json(charge("--once", "--interval", "100ms", "--json", "--per-cpu", "--quiet").stdout)
    valid(schema, d)
    assert d["complete"] and len(d["intervals"]) == 1 and d["interval_ns"] == 100000000
    for bill in (d["intervals"][0], d["total"]):
        sane(bill)
        for r in bill["rows"]:
            assert sum(c["rx_ns"] for c in r["cpus"]) == r["rx_ns"], r


def who_receives(schema, pods):
    """One to three; the totals have all that intervals had, and what came after the last."""
    s = Stream(schema)
    s.next()
    for pod, n in zip(pods, (N, 3 * N)):
        send(pod, n)
    seen = {p.netns: 0 for p in pods}

    def all_there(bill):
        for pod in pods:
            seen[pod.netns] += row_of(bill, pod)["rx_pkts"]
        return seen[pods[0].netns] >= N and seen[pods[1].netns] >= 3 * N

    s.until(all_there)
    total = s.finish()
    for bill in s.lines:
        sane(bill)
    for pod, n in zip(pods, (N, 3 * N)):
        row = row_of(total, pod)
        # Address resolution adds a few.
        assert n <= row["rx_pkts"] <= n + 50, row
        assert row["tx_pkts"] <= 50, row  # what the host's half sends is what it received
        assert row["kind"] == "netns" and row["softirq_ns"] > 0, row
        for key in ("rx_ns", "tx_ns", "other_ns", "gained_ns", "rx_pkts", "tx_pkts"):
            assert row[key] >= sum(row_of(b, pod)[key] for b in s.lines[:-1]), key
    assert 0.99 <= total["conservation"] <= 1.01, total


def add(total, n):
    total[0] += n
    return total[0]


def comes_and_goes(schema, pods):
    s = Stream(schema)
    s.next()
    with contextlib.closing(Pod(3)) as pod:
        s.until(lambda b: row_of(b, pod) and row_of(b, pod)["is_new"])
        send(pod, 100)
        seen = [0]
        s.until(lambda b: add(seen, row_of(b, pod)["rx_pkts"]) >= 100)
    s.until(lambda b: row_of(b, pod) and row_of(b, pod)["is_gone"])
    s.until(lambda b: not row_of(b, pod))
    total = s.finish(signal.SIGTERM)
    row = row_of(total, pod)
    assert row["is_gone"] and row["is_new"] and 100 <= row["rx_pkts"] <= 150, row
    assert not row_of(total, pods[0])["is_gone"]


def only_named(schema, pods):
    words = ["--only", "--netns", f"pid:{pods[0].process.pid}"]
    d = strict_json(charge("--once", "--interval", "50ms", "--json", "--quiet", *words).stdout)
    valid(schema, d)
    assert [r["netns"] for r in d["total"]["rows"][2:]] == [pods[0].netns], d["total"]["rows"]
    assert d["config"]["netns"] == words[2]
    for bad in (["--netns", "pid:999999999"], ["--cgroup", "/sys/fs/cgroup/no/such"]):
        done = charge("--once", "--interval", "50ms", *bad, status=2)
        assert bad[1].rsplit(":")[-1] in done.stderr, done.stderr


def scrape(url):
    """Value by sample."""
    ask = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text"})
    with urllib.request.urlopen(ask, timeout=DEADLINE_S) as answer:
        text = answer.read().decode()
    assert text.endswith("# EOF\n"), text
    samples = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) == len(dict(samples)), "a sample twice"
    return {name: float(value) for name, value in samples}


def served(schema, pods):
    """As it is when it is asked, between intervals, too; and what was said never falls."""
    s = Stream(schema, "--listen", "0", "--only", "--netns", f"pid:{pods[0].process.pid}")
    url = s.process.stderr.readline().decode().split()[-1]
    s.next()
    sample = 'tare_container_packets_total{kind="netns",direction="rx"}'  # nobody named it
    before = scrape(url)
    send(pods[0], N)
    after = scrape(url)
    assert N <= after[sample] - before[sample] <= N + 50, (sample, before[sample], after[sample])
    for key, value in before.items():
        assert not key.split("{")[0].endswith("_total") or after[key] >= value, (key, value, after[key])
    assert 0.99 <= after["tare_charge_conservation_ratio"] <= 1.01, after
    assert after["tare_charge_containers"] == len(s.next()["rows"]) - 2
    total = s.finish()
    row = row_of(total, pods[0])
    assert after[sample] <= row["rx_pkts"], row
    last = scrape_refused(url)
    assert isinstance(last, ConnectionRefusedError), last


def scrape_refused(url):
    try:
        return scrape(url)
    except urllib.error.URLError as e:
        return e.reason


def not_served(_pods):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = charge("--once", "--listen", str(taken.getsockname()[1]), status=3)
    assert "Address already in use" in done.stderr and not done.stdout, done


def csv_lines(pods):
    text = charge("--duration", "200ms", "--interval", "100ms", "--csv", "--quiet").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {len(r) for r in rows} == {len(rows[0])} and None not in rows[0]
    assert {r["event"] for r in rows} == {"interval", "total"}
    for event, n in (("interval", 2), ("total", 1)):
        assert len([r for r in rows if r["event"] == event and r["kind"] == "host"]) == n, text
    assert str(pods[0].netns) in {r["netns"] for r in rows}


def text_tables(pods):
    done = charge("--duration", "200ms", "--interval", "100ms", "--sort", "name", "--top", "1")
    out = done.stdout
    assert "charge takes 0.20 s" in done.stderr
    for words in ("0.00-0.", " of 0.20 s", "Totals, 0.00-0.", "  host ", "  overhead ", "  sum ",
                  "CPUs' softirqs: ", "more containers are in the sum"):
        assert words in out, (words, out)
    assert len(re.findall(r"\n  overhead .*\n.*\n  sum ", out)) == 3, out
    rows = charge("--once", "--interval", "100ms", "--active", "--only", "--netns", f"pid:{pods[0].process.pid}").stdout
    assert "1 more container is in the sum" in rows and "netns" not in rows, rows  # nobody sends to it
    words = ("--once", "--interval", "100ms", "--only", "--netns", ",".join(f"pid:{p.process.pid}" for p in pods))
    rows = charge(*words, "--container", f"netns:pid:{pods[1].process.pid},nobody").stdout
    assert f"net:{pods[1].netns}" in rows and f"net:{pods[0].netns}" not in rows, rows
    assert "  1 more container is in the sum" in rows, rows
    # Pods have no cgroup, so no proc; the sum has their processes with the host's.
    assert len(re.findall(r"\n  sum +\d+ +\d+\.\d", out)) == 3, out
    del pods


def reader_gone(schema, _):
    """It ends by itself, and says why."""
    s = Stream(schema)
    s.next()
    s.process.stdout.close()
    assert s.process.wait(DEADLINE_S) == 3
    assert b"cannot write the output: Broken pipe" in s.process.stderr.read()
    s.process.stderr.close()


def rss_bytes(p):
    text = pathlib.Path(f"/proc/{p.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) << 10


def document_grows(schema, _):
    """An interval is written when it is over and is then forgotten; stopped, the document is whole."""
    p = subprocess.Popen([TARE, "charge", "--duration", "1h", "--json", "--interval", "10ms", "--per-cpu", "--quiet"],
                         stdout=subprocess.PIPE)
    out = b""

    def more(n):
        nonlocal out
        want = len(out) + n
        while len(out) < want:
            ready, _, _ = select.select([p.stdout], [], [], DEADLINE_S)
            assert ready, "nothing is written"
            out += os.read(p.stdout.fileno(), 65536)

    more(1 << 18)
    before = rss_bytes(p)
    more(3 << 20)
    grown = rss_bytes(p) - before
    assert grown < 1 << 20, grown
    p.send_signal(signal.SIGINT)
    out += p.communicate(timeout=DEADLINE_S)[0]
    d = strict_json(out.decode())
    valid(schema, d)
    assert p.returncode == 4 and not d["complete"] and len(d["intervals"]) > 10, (p.returncode, len(d["intervals"]))
    assert_written_at_once(out.decode(), d)
    times = [b["from_ns"] for b in d["intervals"]] + [d["intervals"][-1]["to_ns"]]
    assert times == sorted(times) and d["total"]["to_ns"] >= times[-1], times


def assert_written_at_once(text, d):
    """As a document is that is written as a whole; numbers may have other digits."""
    number = re.compile(r"-?\d[-+.eE\d]*")
    assert number.sub("0", text) == number.sub("0", json.dumps(d, indent=1, ensure_ascii=False) + "\n")


def interrupted(_schema, _):
    """Before the first interval is over; with no end it is complete whenever it is stopped."""
    for words, status in ((["--duration", "1h"], 4), ([], 0)):
        p = subprocess.Popen([TARE, "charge", *words, "--json", "--interval", "1m", "--quiet"],
                             stdout=subprocess.PIPE, text=True)
        wait_for(lambda p=p: blocks_sigint(p.pid))
        p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=DEADLINE_S)
        assert p.returncode == status and strict_json(out)["complete"] == (status == 0), out


def blocks_sigint(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("SigBlk:")[1].split()[0], 16) >> (signal.SIGINT - 1) & 1


class Terminal:
    """tare charge on a terminal of its own."""

    def __init__(self, *words):
        self.own, theirs = pty.openpty()
        self.resize(24, 120)
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.out = b""
        self.process = subprocess.Popen([TARE, "charge", "--interval", "100ms", *words], stdin=theirs, stdout=theirs,
                                        stderr=theirs, env={**os.environ, "TERM": "xterm"}, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.own, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        ready, _, _ = select.select([self.own], [], [], 0.1)
        with contextlib.suppress(OSError):
            if ready:
                self.out += os.read(self.own, 65536)

    def until(self, *words):
        """All of them, from now on."""
        end = time.monotonic() + DEADLINE_S
        self.out = b""
        while not all(w in self.out for w in words):
            assert time.monotonic() < end and self.process.poll() is None, (words, self.out)
            self.read()

    def type(self, keys):
        os.write(self.own, keys)

    def gone(self):
        end = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < end, self.out
            self.read()
        for _ in range(3):
            self.read()
        after = termios.tcgetattr(self.theirs)
        os.close(self.own)
        os.close(self.theirs)
        assert after == self.before, (after, self.before)
        # rmcup and cnorm of xterm: the other screen is left, the cursor is seen.
        assert b"\x1b[?1049l" in self.out and self.out.rindex(b"\x1b[?25h") > 0, self.out
        return self.out[self.out.rindex(b"\x1b[?1049l"):].decode()


def terminal_keys():
    t = Terminal()
    t.until(b"\x1b[?1049h", b"host", b"overhead", b"q quit")
    for key, words in ((b"n", b"by softirq"), (b"a", b"by name"), (b"+", b"every 200ms"), (b"-", b"every 100ms"),
                       (b"1", b"q quit"), (b"1", b"q quit")):
        t.type(key + b"\x0c")  # Ctrl-L: drawn anew, not only what changed
        t.until(words)
    t.resize(24, 80)
    t.until(b"gained%", b"total%", b"too narrow for where")
    assert b"ns/pkt " not in t.out, t.out
    t.resize(10, 40)
    t.until(b"q quit", b"total%")
    t.resize(30, 160)
    t.until(b"where", b"ns/pkt")
    t.type(b"\x1bOB\x0c")  # down, and home
    t.until(b"from 2", b"host", b"sum", b"q quit")
    t.type(b"\x1bOH\x0c")
    t.until(b"by name  0.", b"q quit")
    t.type(b"i\x0c")
    t.until(b"active", b"host", b"q quit")
    t.type(b" \x0c")
    t.until(b"paused")
    t.type(b"\x1b[A\x1cz")  # the arrow of another terminal, Ctrl-\ and a letter mean nothing
    t.type(b"q")
    rest_of = t.gone()
    assert t.process.returncode == 0, t.process.returncode
    assert "Totals, " in rest_of and "overhead" in rest_of, rest_of


def terminal_scrolls():
    """Not beyond the last container that is shown, and back when that is gone from the table."""
    t = Terminal("--container", "nobody of this name")
    t.until(b"host", b"q quit")
    t.type(b"\x1bOB\x1b[6~\x0c")  # down, Page Down
    t.until(b"tare charge", b"sum", b"q quit")
    assert b"from " not in t.out, t.out
    t.type(b"q")
    t.gone()


def terminal_signal(sig):
    t = Terminal()
    t.until(b"host", b"q quit")
    if sig == signal.SIGINT:
        t.type(b"\x03")
    else:
        t.process.send_signal(sig)
    rest_of = t.gone()
    assert t.process.returncode == 0, t.process.returncode
    assert "Totals, " in rest_of, rest_of


def terminal_lines():
    """--lines: no screen on a terminal."""
    t = Terminal("--lines", "--duration", "100ms")
    end = time.monotonic() + DEADLINE_S
    while t.process.poll() is None and time.monotonic() < end:
        t.read()
    t.read()
    os.close(t.own)
    os.close(t.theirs)
    assert t.process.returncode == 0 and b"overhead" in t.out and b"\x1b[" not in t.out, t.out


def in_namespace():
    """A namespace of this test's own is the host."""
    if os.geteuid() != 0:
        return "not root"
    for tool in ("unshare", "nsenter", "ip", "setpriv"):
        if not shutil.which(tool):
            return f"no {tool}"
    if "CHARGE_INSIDE" not in os.environ:
        os.environ["CHARGE_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-n", "--", sys.executable, *sys.argv])
    done = subprocess.run([TARE, "charge", "--once", "--interval", "10ms"], capture_output=True, text=True, check=False,
                          timeout=60)
    return done.stderr.strip() if done.returncode == 3 else None


def live(tap, schema, stream_schema):
    run("ip", "link", "set", "lo", "up")
    pods = [Pod(1), Pod(2)]
    try:
        tap.check("--once --json: one interval, CPUs add up", one_document, schema)
        tap.check("1:3 by packets; totals are the intervals' sum", who_receives, stream_schema, pods)
        tap.check("comes and goes while it runs", comes_and_goes, stream_schema, pods)
        tap.check("--only --netns; names that are not there", only_named, schema, pods)
        tap.check("--listen: what a scraper gets", served, stream_schema, pods)
        tap.check("--listen: an address that is taken: 3", not_served, pods)
        tap.check("--csv", csv_lines, pods)
        tap.check("text", text_tables, pods)
        tap.check("the reader goes away", reader_gone, stream_schema, pods)
        tap.check("--json is written as it goes", document_grows, schema, pods)
        tap.check("interrupted before its time: 4", interrupted, schema, pods)
        tap.check("terminal: keys, sizes, q", terminal_keys)
        tap.check("terminal: the table ends at its last container", terminal_scrolls)
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            tap.check(f"terminal: given back at {sig.name}", terminal_signal, sig)
        tap.check("terminal: --lines", terminal_lines)
    finally:
        for pod in pods:
            pod.close()


def main():
    reason = in_namespace()
    tap = Tap()
    schema, stream_schema = {}, {}
    tap.check("the committed schemas are this program's", lambda: (
        schema.update(schema_of("charge")), stream_schema.update(schema_of("charge-stream"))))
    tap.check("bad options: 2", bad_options)
    tap.check("without privileges: 3, and why", not_root)
    if reason:
        print(f"# no live bills: {reason}")
    else:
        live(tap, schema, stream_schema)
    tap.done()


main()
