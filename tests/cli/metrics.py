#!/usr/bin/env python3
"""The metrics of a bill over HTTP: against clients that are right and wrong, promtool and a real Prometheus.

    Prometheus --scrapes--> metrics_server      both in a network namespace of the test's own
        ^ query
      python

usage: metrics.py METRICS_SERVER
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, skip_all  # noqa: E402

SERVER = sys.argv[1]
INSIDE = "TARE_TEST_INSIDE"
PER_ADDR = 8  # HTTP_MAX_PER_ADDR
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
RX = 'tare_container_softirq_seconds_total{name="web \\"0\\"\\\\",direction="rx"}'
PROMETHEUS_PORT = 9090


def inside():
    """Goes on in a network namespace of its own, which has a loopback device."""
    if INSIDE in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net"]
    tried = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        skip_all(tried.stderr.strip())
    os.environ[INSIDE] = "yes"
    os.execvp("unshare", [*unshare, "--fork", "--kill-child", sys.executable, *sys.argv])


class Server:
    def __init__(self, where="0"):
        self.process = subprocess.Popen([SERVER, where], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0)
        self.text = b""
        self.url = self.line()
        found = re.fullmatch(r"http://(\[.*\]|[^:]*):(\d+)/metrics", self.url)
        self.host, self.port = found[1].strip("[]"), int(found[2])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        _, errors = self.process.communicate(timeout=20)  # closes its input, which ends it
        assert kind or (self.process.returncode == 0 and not errors), (self.process.returncode, errors)

    def line(self):
        while b"\n" not in self.text:
            ready, _, _ = select.select([self.process.stdout], [], [], 20)
            assert ready, "the server says nothing"
            more = os.read(self.process.stdout.fileno(), 4096)
            assert more, self.process.stderr.read()
            self.text += more
        line, _, self.text = self.text.partition(b"\n")
        return line.decode()

    def bills(self, n):
        for _ in range(n):
            while self.line() != "bill":
                pass

    def do(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        while self.line() != command:
            pass

    def connection(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=20)

    def ask(self, path="/metrics", method="GET", body=None, **headers):
        c = self.connection()
        c.request(method, path, body, headers)
        answer = c.getresponse()
        text = answer.read().decode()
        c.close()
        return answer, text

    def raw(self, request):
        """All that is answered until the server closes; it may do so before it has read all."""
        said = b""
        with socket.create_connection((self.host, self.port), 20) as s, contextlib.suppress(ConnectionError):
            s.sendall(request)
            for part in iter(lambda: s.recv(65536), b""):
                said += part
        return said


def pages():
    with Server() as s:
        assert s.host == "127.0.0.1", s.url
        answer, text = s.ask()
        assert (answer.status, answer.headers["Content-Type"]) == (200, PLAIN), answer.headers
        assert text.startswith("# HELP tare_container_softirq_seconds_total "), text[:200]
        assert int(answer.headers["Content-Length"]) == len(text.encode())
        answer, text = s.ask(Accept="application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
        assert (answer.status, answer.headers["Content-Type"]) == (200, OPENMETRICS), answer.headers
        assert text.endswith("\n# EOF\n"), text[-200:]
        answer, text = s.ask("/")
        assert answer.status == 200 and "/metrics" in text, text
        for path in ("/metrics/", "/metric", "/../metrics", "//", "*", "/" + "x" * 5000):
            answer, text = s.ask(path)
            assert answer.status in (400, 404), (path, answer.status)


def methods():
    with Server() as s:
        answer, text = s.ask(method="HEAD")
        assert answer.status == 200 and not text and int(answer.headers["Content-Length"]) > 1000
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "FOO"):
            answer, _ = s.ask(method=method, body=b"x" if method == "POST" else None)
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD"), (method, answer.status)


def one_connection():
    """Keep-alive: what a scraper does."""
    with Server() as s:
        c = s.connection()
        for i in range(3):
            s.do("step")
            c.request("GET", "/metrics")
            text = c.getresponse().read().decode()
            want = (i + 1) * 1500000001
            assert f'direction="rx"}} {want // 10**9}.{want % 10**9:09}\n' in text, text
        c.close()


def bodies():
    with Server() as s:
        for head in (b"Content-Length: 1000000000\r\n", b"Transfer-Encoding: chunked\r\n"):
            said = s.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n" + b"x" * 1000)
            assert said.startswith(b"HTTP/1.1 400 "), said
        said = s.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100000 + b"\r\n\r\n")
        assert re.match(rb"HTTP/1.[01] (4..|5..) |$", said), said[:200]
        for rubbish in (b"", b"\r\n\r\n", b"\0" * 100, b"GET\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: x"):
            with socket.create_connection((s.host, s.port), 20) as c:
                c.sendall(rubbish)
        assert s.ask()[0].status == 200


def failed_bill():
    with Server() as s:
        s.do("fail")
        answer, text = s.ask()
        assert (answer.status, text) == (500, "there is no bill\n"), (answer.status, text)
        assert s.ask()[0].status == 200


def silent_clients():
    """One address takes all that it may have, and says nothing; another one is served."""
    with Server("0.0.0.0:0") as s:
        held = [socket.create_connection(("127.0.0.1", s.port), 20) for _ in range(PER_ADDR)]
        beyond = socket.create_connection(("127.0.0.1", s.port), 20)
        assert beyond.recv(1) == b"", "more than the limit"
        other = socket.create_connection(("127.0.0.1", s.port), 20, ("127.0.0.2", 0))
        other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert other.recv(12) == b"HTTP/1.1 200", "another address"
        for c in held + [beyond, other]:
            c.close()


def slow_reader():
    """A text that fits no socket buffer waits for its reader, and others do not."""
    with Server() as s:
        s.do("rows 4000")
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(20)
        slow.connect((s.host, s.port))
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        s.bills(1)
        assert s.ask("/")[0].status == 200
        s.do("step")
        said = b"".join(iter(lambda: slow.recv(1 << 20), b""))
        head, _, body = said.partition(b"\r\n\r\n")
        assert len(body) == int(re.search(rb"Content-Length: (\d+)", head)[1]) > 2000000, head
        assert b'name="pod-4001"' in body
        slow.close()


def addresses():
    with Server("[::1]:0") as s:
        assert s.url.startswith("http://[::1]:") and s.ask()[0].status == 200
        for where, words in ((f"[::1]:{s.port}", "Address already in use"), ("192.0.2.1:0", "Cannot assign"),
                             ("localhost:0", "is not ADDR:PORT"), ("70000", "is not a port")):
            done = subprocess.run([SERVER, where], capture_output=True, text=True, check=False, timeout=20)
            assert done.returncode == 4 and words in done.stderr, (where, done.stderr)
    with Server("[::]:0") as s:
        s.host = "127.0.0.1"
        assert s.ask()[0].status == 200


def promtool(tool):
    with Server() as s:
        s.do("step")
        _, text = s.ask()
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True, check=False,
                          timeout=20)
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), (done.returncode, done.stdout + done.stderr)


def api(path, **query):
    c = http.client.HTTPConnection("127.0.0.1", PROMETHEUS_PORT, timeout=20)
    c.request("GET", f"/api/v1/{path}?" + urllib.parse.urlencode(query))
    answer = json.loads(c.getresponse().read())
    c.close()
    assert answer["status"] == "success", answer
    return answer["data"]


def scraped(s):
    """A target's scrapes follow one another: when the third one from now comes, the second is stored."""
    s.bills(3)
    target, = api("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", ""), target
    rx, = api("query", query=RX)["result"]
    assert {k: rx["metric"][k] for k in ("kind", "namespace", "id")} == {
        "kind": "pod", "namespace": "shop", "id": f"{2:064}"}, rx
    total, = api("query", query='tare_container_packets_total{kind="host",direction="rx"}')["result"]
    return float(rx["value"][1]), float(total["value"][1])


def prometheus(binary):
    with tempfile.TemporaryDirectory() as home, Server() as s:
        config = {"global": {"scrape_interval": "100ms", "scrape_timeout": "100ms"}, "scrape_configs": [
            {"job_name": "tare", "static_configs": [{"targets": [f"127.0.0.1:{s.port}"]}]}]}
        pathlib.Path(home, "config.yml").write_text(json.dumps(config))  # JSON is YAML
        log = open(os.path.join(home, "log"), "w+")
        s.do("step")
        process = subprocess.Popen(
            [binary, f"--config.file={home}/config.yml", f"--storage.tsdb.path={home}/data",
             f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}", "--log.level=warn"],
            stdout=log, stderr=log, cwd=home)
        try:
            assert scraped(s) == (1.500000001, 1000)
            s.do("step")
            assert scraped(s) == (3.000000002, 2000)
            meta, = api("metadata", metric="tare_container_softirq_seconds")["tare_container_softirq_seconds"]
            # It only has a unit in OpenMetrics: Prometheus asked for that, and got it.
            assert (meta["type"], meta["unit"]) == ("counter", "seconds"), meta
            log.seek(0)
            assert "level=error" not in log.read()
        finally:
            process.terminate()
            process.wait(20)
            log.close()


def main():
    inside()
    tap = Tap()
    for name, test in (
            ("pages and types", pages), ("methods", methods), ("keep-alive, numbers rise", one_connection),
            ("bodies and rubbish", bodies), ("a bill that fails", failed_bill),
            ("silent clients", silent_clients), ("slow reader", slow_reader), ("addresses", addresses)):
        tap.check(name, test)
    for name, test in (("promtool", promtool), ("prometheus", prometheus)):
        binary = shutil.which(name)
        if binary:
            tap.check(name, test, binary)
        else:
            tap.skip(name, f"there is no program {name}: scripts/deps.sh metrics")
    tap.done()


main()
