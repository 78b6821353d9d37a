#!/usr/bin/env python3
"""tare dns against a real server, NSD, and against one that answers wrongly in every way there is.

usage: dns.py TARE SOURCE_ROOT
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, strict_json, tare  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
NSD = shutil.which("nsd", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
# Nothing is unsent: this machine may be busy, and what is counted here is the server's.
COMMON = ["--json", "--quiet", "--slip-max", "10s"]
SO_TIMESTAMPNS = 35  # of asm-generic/socket.h; Python has no name for it
LATE_S = 1.1  # the timeout is 1 s
SCHEMA = strict_json(tare(TARE, "doc", "dns-schema"))


def dns(*words, status=0):
    done = subprocess.run([TARE, "dns", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done


def document(text):
    d = strict_json(text)
    if jsonschema:
        jsonschema.Draft202012Validator(SCHEMA).validate(d)
    for t in [d[k] for k in ("main", "found", "half") if d[k]] + (d["search"] or {"trials": []})["trials"]:
        adds_up(t)
    return d


def adds_up(t):
    c = t["count"]
    assert c["tried"] == c["sent"] + c["unsent"], c
    assert c["sent"] == c["answered"] + c["timeouts"] + c["broken"], c
    assert sum(r["n"] for r in t["rcodes"]) == c["answered"], t["rcodes"]
    if t.get("latency"):
        assert t["latency"]["count"] == c["answered"], c


def measured(port, *words, host="127.0.0.1"):
    d = document(dns(host, "--port", str(port), *COMMON, *words).stdout)
    return d["main"]["count"], {r["name"]: r["n"] for r in d["main"]["rcodes"]}, d


# A server that does with a query what the first label of its name says.
def answer(query, flags=0x8180, qid=None, tail=b""):
    end = query.index(b"\0", 12) + 5
    head = struct.pack(">HHHHHH", struct.unpack(">H", query[:2])[0] if qid is None else qid, flags, 1, 0, 0, 0)
    return head + query[12:end] + tail


def other_question(query):
    a = bytearray(answer(query))
    a[13] ^= 1
    return bytes(a)


FAULTS = {
    "ok": lambda q: [answer(q)],
    "case": lambda q: [answer(q).replace(b"\1x", b"\1X")],
    "twice": lambda q: [answer(q), answer(q)],
    "late": lambda q: [],
    "alien": lambda q: [answer(q, qid=struct.unpack(">H", q[:2])[0] ^ 0x8000)],
    "question": lambda q: [other_question(q)],
    "garbage": lambda q: [b"\xff" * 64],
    "short": lambda q: [q[:2] + b"\x80"],
    "echo": lambda q: [q],
    "silent": lambda q: [],
    "cut": lambda q: [answer(q, flags=0x8380)],
    "formerr": lambda q: [q[:2] + b"\x80\x01" + bytes(8)],
}


def fault_of(query):
    return query[13:13 + query[12]].decode()


class Faulty:
    """UDP and TCP on one port; the connection ends after close_after answers, each sent in two parts."""

    def __init__(self, close_after=None):
        self.close_after = close_after
        self.tcp = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        for job in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=job, daemon=True).start()

    def serve_udp(self):
        while True:
            query, client = self.udp.recvfrom(65535)
            fault = fault_of(query)
            if fault == "late":
                threading.Timer(LATE_S, self.udp.sendto, (answer(query), client)).start()
            for a in FAULTS[fault](query):
                self.udp.sendto(a, client)

    def serve_tcp(self):
        while True:
            threading.Thread(target=self.serve_connection, args=(self.tcp.accept()[0],), daemon=True).start()

    def serve_connection(self, s):
        file, n = s.makefile("rb"), 0
        with s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while n != self.close_after:
                head = file.read(2)
                if len(head) < 2:
                    return
                query = file.read(struct.unpack(">H", head)[0])
                for a in FAULTS[fault_of(query)](query):
                    framed = struct.pack(">H", len(a)) + a
                    s.sendall(framed[:1])
                    s.sendall(framed[1:])
                n += 1


def query_file(directory, *labels):
    path = pathlib.Path(directory) / "-".join(labels)
    path.write_text("".join(f"{x}.x A\n" for x in labels))
    return ["--query-file", str(path)]


def faults_udp(directory, faulty):
    """240 queries, 20 of each fault."""
    c, rcodes, d = measured(faulty.port, *query_file(directory, *FAULTS), "--rate", "800", "--time", "300ms")
    assert c["tried"] == c["sent"] == 240, c
    assert c["answered"] == 100 and rcodes == {"NOERROR": 80, "FORMERR": 20}, (c, rcodes)
    assert c["timeouts"] == 140 and c["broken"] == 0, c
    assert c["duplicates"] == 20 and c["unexpected"] == 40 and c["garbage"] == 60, c
    assert c["truncated"] == 20, c
    assert 0 < c["late"] <= 20, c
    assert d["main"]["answer_min_bytes"] == 12, d["main"]


def faults_tcp(directory, faulty):
    labels = [f for f in FAULTS if f not in ("late", "short")]
    c, rcodes, _ = measured(faulty.port, *query_file(directory, *labels), "--protocol", "tcp", "--clients", "3",
                            "--rate", "500", "--time", "200ms")
    assert c["tried"] == c["sent"] == 100, c
    assert c["answered"] == 50 and rcodes == {"NOERROR": 40, "FORMERR": 10}, (c, rcodes)
    assert c["duplicates"] == 10 and c["unexpected"] == 20 and c["garbage"] == 20 and c["reconnects"] == 0, c


def closed_connections(directory, _):
    """What was not answered is lost, the next queries go over a new connection."""
    faulty = Faulty(close_after=5)
    c, _, _ = measured(faulty.port, *query_file(directory, "ok"), "--protocol", "tcp", "--clients", "2", "--rate", "1000",
                       "--time", "300ms", "--timeout", "500ms")
    assert c["tried"] == 300, c
    assert c["reconnects"] > 1 and c["answered"] > 10, c
    assert c["answered"] + c["timeouts"] + c["broken"] + c["unsent"] == 300, c


def closed_loop(directory, faulty):
    """A query that is lost makes room when it has timed out."""
    c, _, d = measured(faulty.port, *query_file(directory, "ok", "ok", "ok", "silent"), "--outstanding", "8", "--time",
                       "300ms", "--timeout", "100ms", "--threads", "2")
    assert d["mode"] == "outstanding" and d["main"]["rate_qps"] is None
    assert c["unsent"] == 0 and c["tried"] >= 16 and c["timeouts"] > 0, c


def no_answer(directory, faulty):
    for label, words in (("silent", "nothing comes back"), ("garbage", "what comes back answers no query")):
        said = dns("127.0.0.1", "--port", str(faulty.port), "--timeout", "200ms", *query_file(directory, label), status=4)
        assert "does not answer over udp: " + words in said.stderr and not said.stdout, said


def refused_and_unknown(directory, _):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    names = ["--names", "x", "--timeout", "50ms", "--port", str(port)]
    assert "127.0.0.1 refuses packets to udp port" in dns("127.0.0.1", *names, status=4).stderr
    assert "refused" in dns("127.0.0.1", "--protocol", "tcp", *names, status=4).stderr
    assert "cannot resolve 'no.such.invalid'" in dns("no.such.invalid", *names, status=4).stderr
    bad = pathlib.Path(directory) / "bad"
    bad.write_text("a A\nb\n")
    assert f"{bad}:2: a query is a name and a type" in dns("::1", "--query-file", str(bad), status=2).stderr
    assert "cannot open '/nowhere'" in dns("::1", "--query-file", "/nowhere", status=2).stderr


def stdin(_, faulty):
    done = subprocess.run([TARE, "dns", "127.0.0.1", "--port", str(faulty.port), *COMMON, "--query-file", "-", "--rate",
                           "100", "--time", "100ms"], input="ok.x A\n", capture_output=True, text=True, check=True)
    assert document(done.stdout)["main"]["count"]["answered"] == 10


def interrupted(directory, faulty):
    p = subprocess.Popen([TARE, "dns", "127.0.0.1", "--port", str(faulty.port), *query_file(directory, "ok"), "--json",
                          "--rate", "100", "--time", "60s", "--interval", "50ms"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "sent" in p.stderr.readline()
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate(timeout=20)
    assert p.returncode == 4
    d = document(out)
    assert not d["complete"] and d["main"]["interrupted"] and d["main"]["count"]["tried"] < 6000, d["main"]


def catches_up(_directory, _):
    """A client that did not run for a while does not send at once what came due meanwhile."""
    rate, window_ns, arrived = 5000, 20_000_000, []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        s.bind(("127.0.0.1", 0))
        s.settimeout(10)
        p = subprocess.Popen([TARE, "dns", "127.0.0.1", "--port", str(s.getsockname()[1]), *COMMON, "--names", "ok.x",
                              "--rate", str(rate), "--time", "400ms", "--timeout", "1s"], stdout=subprocess.PIPE)
        while len(arrived) < 0.4 * rate:
            query, control, _, client = s.recvmsg(512, 64)
            s.sendto(answer(query), client)
            arrived.append(struct.unpack("qq", control[0][2]))
            if len(arrived) == 200:
                p.send_signal(signal.SIGSTOP)
                time.sleep(0.2)
                p.send_signal(signal.SIGCONT)
        p.communicate(timeout=20)
    at = sorted(s * 10**9 + ns for s, ns in arrived)
    # A thread may stop between the clock and the call, too: so twice the burst of 64.
    most = int(2 * 64 + 1.25 * rate * window_ns / 1e9) + 1
    assert all(b - a > window_ns for a, b in zip(at, at[most:])), most


def interrupted_search(directory, faulty):
    p = subprocess.Popen([TARE, "dns", "127.0.0.1", "--port", str(faulty.port), *query_file(directory, "ok"), "--json",
                          "--max-rate", "100", "--trial-time", "100ms"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = p.stderr.readline()
    assert " s of at most 600: 100 queries/s: lost " in line, line
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate(timeout=20)
    d = document(out)
    assert p.returncode == 4 and not d["complete"] and d["search"]["end"] == "stopped" and d["search"]["trials"], d


# A real server.
ZONE = """$ORIGIN example.com.
$TTL 60
@ IN SOA ns hostmaster 1 3600 600 86400 300
@ IN NS ns
ns IN A 192.0.2.1
host1 IN A 192.0.2.1
host2 IN A 192.0.2.2
""" + "".join(f'big IN TXT "{"x" * 100}{i}"\n' for i in range(40))


class Nsd:
    def __init__(self, directory):
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        d = pathlib.Path(directory)
        (d / "zone").write_text(ZONE)
        (d / "nsd.conf").write_text(f"""server:
  ip-address: 127.0.0.1@{self.port}
  server-count: 1
  username: ""
  database: ""
  pidfile: "{d}/pid"
  zonesdir: "{d}"
  zonelistfile: "{d}/list"
  xfrdfile: ""
  xfrdir: "{d}"
  logfile: "{d}/log"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: example.com
  zonefile: zone
""")
        self.process = subprocess.Popen([NSD, "-d", "-c", str(d / "nsd.conf")], start_new_session=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.02)
        raise TimeoutError("NSD does not listen")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)


def exact(nsd, *words):
    """Two names that are there and two that are not, each as often; this machine may lose some."""
    c, rcodes, d = measured(nsd.port, "--names", "host{1-4}.example.com", "--rate", "2000", "--time", "300ms", *words)
    assert c["tried"] == c["sent"] == 600 and c["query_bytes"] == 600 * (12 + 19 + 4 + 11), c
    assert set(rcodes) == {"NOERROR", "NXDOMAIN"}, rcodes
    assert all(abs(n - 300) <= c["timeouts"] for n in rcodes.values()), (rcodes, c)
    assert d["config"]["rate_qps"] == 2000 and d["n_queries"] == 4


def truncation(nsd):
    ask = ["--names", "big.example.com", "--type", "TXT", "--rate", "100", "--time", "100ms"]
    c, _, d = measured(nsd.port, *ask, "--edns-bytes", "512")
    assert c["truncated"] == c["answered"] > 0 and d["main"]["answer_max_bytes"] <= 512, c
    c, _, d = measured(nsd.port, *ask, "--protocol", "tcp")
    assert c["truncated"] == 0 and d["main"]["answer_min_bytes"] > 4000, c


def search(nsd):
    for method in ("mlr", "binary-lv"):
        text = dns("127.0.0.1", "--port", str(nsd.port), *COMMON, "--names", "host1.example.com", "--search", method,
                   "--trial-time", "50ms", "--sum-time", "100ms", "--min-rate", "100", "--max-rate", "2000", "--width",
                   "20%", "--loss-ratio", "10%", "--time", "100ms", "--search-max", "1s").stdout
        s = document(text)["search"]
        assert s["trials"] and all(100 <= t["rate_qps"] <= 2000 for t in s["trials"]), s
        lower, upper = s["lower_qps"], s["upper_qps"]
        assert lower is None or upper is None or lower < upper, s
        assert any(t["rate_qps"] in (lower, upper) for t in s["trials"]), s


def text_report(nsd):
    out = dns("127.0.0.1", "--port", str(nsd.port), "--names", "host{1-4}.example.com", "--rate", "1000", "--time", "200ms",
              "--interval", "100ms").stdout
    for words in ("0.10-0.20 s", "4 queries in turn, 16 clients, 1 thread", "p99 us", "NXDOMAIN", "bytes: query 46.0"):
        assert words in out, (words, out)


def schema():
    assert SCHEMA == json.loads((ROOT / "docs/schema/tare-dns-1.json").read_text()), \
        "run: tare doc dns-schema > docs/schema/tare-dns-1.json"


def run_all(tap, tests):
    """[(name, test, arguments)]; most of them wait, so some run beside each other"""
    with ThreadPoolExecutor(4) as pool:
        for name, done in [(name, pool.submit(test, *args)) for name, test, *args in tests]:
            tap.check(name, done.result)


def main():
    tap = Tap()
    tap.check("the committed schema is this program's", schema)
    faulty = Faulty()
    tests = [faults_udp, faults_tcp, closed_connections, closed_loop, no_answer, refused_and_unknown, stdin, interrupted,
             interrupted_search, catches_up]
    with tempfile.TemporaryDirectory() as d:
        run_all(tap, [(t.__name__.replace("_", " "), t, d, faulty) for t in tests])
    if NSD:
        with tempfile.TemporaryDirectory() as d, Nsd(d) as nsd:
            run_all(tap, [
                ("NSD over UDP: every query is accounted for", exact, nsd),
                ("NSD over TCP: the same", exact, nsd, "--protocol", "tcp", "--threads", "2"),
                ("NSD cuts long answers", truncation, nsd),
                ("searches", search, nsd),
                ("text", text_report, nsd)])
    else:
        print("# no nsd: not run against a real server")
    tap.done()


main()
