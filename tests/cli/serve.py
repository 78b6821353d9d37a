#!/usr/bin/env python3
"""The server process against clients that are wrong, slow, silent, hostile or many.

usage: serve.py TARE [OPTION...]  (options of every server started, as --no-sandbox)
"""

import hashlib
import hmac
import json
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap  # noqa: E402

TARE, EXTRA = sys.argv[1], sys.argv[2:]
KEY = b"correct horse battery staple"
COOKIE = b"abcdefghijklmnopqrstuvwxyz234567abcd\0"
HOSTILE = 10000
WAVE = 500
# Growth of the listener that is no leak: pages of its heap and stack it had not touched yet.
RSS_GROWTH_KB = 2048


class Server:
    def __init__(self, *options, stderr=subprocess.PIPE, **more):
        self.process = subprocess.Popen(
            [TARE, "serve", "--port", "0", *EXTRA, *options], stderr=stderr, text=True, **more)
        self.first = self.process.stderr.readline() if self.process.stderr else ""
        found = re.search(r":(\d+) \(TCP, UDP\)", self.first)
        self.port = int(found[1]) if found else 0

    def __enter__(self):
        assert self.port, self.first
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=20)

    def stop(self):
        """Exit status and what else was said."""
        self.process.terminate()
        _, text = self.process.communicate(timeout=20)
        return self.process.returncode, text

    def rss_kb(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1])

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def connect(self, address="127.0.0.1", source=None):
        return socket.create_connection((address, self.port), 5, source and (source, 0))

    def sessions(self):
        pid = self.process.pid
        return [int(p) for p in
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def send(s, message):
    text = json.dumps(message).encode()
    s.sendall(struct.pack(">I", len(text)) + text)


def exactly(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise EOFError(f"{len(data)} of {n} bytes")
        data += part
    return data


def receive(s):
    return json.loads(exactly(s, struct.unpack(">I", exactly(s, 4))[0]))


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).hexdigest()


def greet(s, key=None, nonce=None):
    """What the server says at the end; with a key the server's own proof is checked."""
    nonce = nonce or os.urandom(32)
    s.sendall(b"TAREC")
    send(s, {"type": "open", "protocol": 1, "nonce": nonce.hex()})
    challenge = receive(s)
    if challenge["type"] != "challenge":
        return challenge
    theirs = bytes.fromhex(challenge["nonce"])
    if challenge["auth"]:
        send(s, {"type": "auth", "mac": mac(key, b"tare client 1", theirs, nonce)})
    answer = receive(s)
    if challenge["auth"] and answer["type"] == "ok":
        token = bytes.fromhex(answer["token"])
        assert answer["mac"] == mac(key, b"tare server 1", nonce, theirs, token)
    return answer


def serves(server):
    """Does a whole session work, up to the agent's own hello?"""
    with server.connect() as s:
        answer = greet(s)
        assert answer["type"] == "ok", answer
        send(s, {"type": "hello", "protocol": 1})
        answer = receive(s)
        assert answer["type"] == "ok", answer


def until(what, within=5):
    end = time.monotonic() + within
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    assert what()


def closed(s, within=5):
    s.settimeout(within)
    try:
        return s.recv(1) == b""
    except ConnectionError:
        return True


def session_and_log():
    with Server() as server:
        serves(server)
        until(lambda: not server.sessions())
        status, text = server.stop()
    assert status == 0, status
    line = re.search(r'^time=\S+Z session=1 peer=127\.0\.0\.1 port=\d+ proto=tare load="\w*" '
                     r'seconds=[\d.]+ bytes_tx=0 bytes_rx=0 end=done reason=""$', text, re.M)
    assert line, text


def ipv6():
    with Server() as server, server.connect("::1") as s:
        assert greet(s)["type"] == "ok"


def wrong_first_bytes():
    data = [b"GET / HTTP/1.1\r\n\r\n", b"TAREX", b"tare\0", bytes(64), os.urandom(37) + b"\0\xff",
            b"TARED" + os.urandom(20), b"a" * 37, b"\x16\x03\x01\x02\x00\x01"]
    with Server() as server:
        for d in data:
            with server.connect() as s:
                s.sendall(d)
                assert closed(s), d
        serves(server)


def bad_greetings():
    bad = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\2[]", b"\0\0\0\2{}",
           struct.pack(">I", 500000) + b"[" * 500000]
    messages = [{"type": "open"}, {"type": "open", "protocol": 99, "nonce": "00" * 32},
                {"type": "open", "protocol": 1, "nonce": "zz" * 32},
                {"type": "open", "protocol": 1, "nonce": "00" * 31},
                {"type": "auth", "mac": "00" * 32}]
    with Server() as server:
        for b in bad:
            with server.connect() as s:
                s.sendall(b"TAREC" + b)
                assert receive(s)["type"] == "error", b[:20]
        for m in messages:
            with server.connect() as s:
                s.sendall(b"TAREC")
                send(s, m)
                answer = receive(s)
                assert answer["type"] == "error" and answer["text"], m
        serves(server)


def slow_and_silent():
    """One byte a second, before and in the greeting: both are closed by the 2 s deadline."""
    with Server() as server:
        slow, greeting, silent = server.connect(), server.connect(), server.connect()
        greeting.sendall(b"TAREC")
        start, at, gone = time.monotonic(), 0, False
        while not gone and time.monotonic() < start + 8:
            try:
                slow.sendall(COOKIE[at:at + 1])
                at += 1
                gone = slow.recv(1, socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                time.sleep(1)
            except ConnectionError:
                gone = True
            serves(server)
        assert gone
        assert closed(silent)
        assert receive(greeting)["type"] == "error"
        for s in (slow, greeting, silent):
            s.close()


def iperf_is_refused():
    with tempfile.TemporaryDirectory() as d, Server("--key-file", key_file(d, KEY)) as server, \
            server.connect() as s:
        s.sendall(COOKIE)
        assert s.recv(1) == b"\xff"


def params(**more):
    return {"tcp": True, "omit": 0, "time": 10, "num": 0, "blockcount": 0, "parallel": 1,
            "len": 1 << 16, "pacing_timer": 1000, "client_version": "3.21", **more}


def state(s, want):
    got = s.recv(1)[0]
    assert got == want, (got, want)


def iperf(server, **more):
    """A test of iperf3's up to where its data connections are wanted."""
    s = server.connect()
    s.sendall(COOKIE)
    state(s, 9)
    send(s, params(**more))
    state(s, 10)
    return s


def stream(server):
    d = server.connect()
    d.sendall(COOKIE)
    return d


def results(n=1, bytes_=0):
    row = {"bytes": bytes_, "retransmits": -1, "jitter": 0, "errors": 0, "packets": 0,
           "start_time": 0, "end_time": 1}
    return {"cpu_util_total": 0, "cpu_util_user": 0, "cpu_util_system": 0,
            "sender_has_retransmits": 0, "streams": [{"id": 1 + i, **row} for i in range(n)]}


def iperf_limit():
    """Over --max-bytes: ended at once, and what came until then is in the log."""
    with Server("--max-bytes", "1M") as server:
        with iperf(server) as s, stream(server) as d:
            state(s, 1)
            state(s, 2)
            d.sendall(bytes(2 << 20))
            s.settimeout(0.8)
            assert exactly(s, 9) == b"\xfe" + struct.pack(">II", 160, 0)
        until(lambda: not server.sessions())
        _, text = server.stop()
    found = re.search(r"bytes_rx=(\d+) end=limit", text)
    assert found and int(found[1]) >= 1 << 20, text


def iperf_output():
    """The server's output has its intervals; its client's results may not be long."""
    with Server() as server:
        with iperf(server, get_server_output=1) as s, stream(server) as d:
            state(s, 1)
            state(s, 2)
            d.sendall(bytes(1 << 16))
            time.sleep(2.3)
            s.sendall(b"\x04")
            state(s, 13)
            send(s, results(bytes_=1 << 16))
            text = receive(s)["server_output_text"]
            assert " 0.00-1.00 " in text and " 1.00-2.00 " in text, text
        until(lambda: not server.sessions())
        with iperf(server) as s, stream(server) as d:
            state(s, 1)
            state(s, 2)
            s.sendall(b"\x04")
            state(s, 13)
            s.sendall(struct.pack(">I", 300 << 10))
            assert closed(s)


def iperf_connections():
    """No more of them than the test has streams, and none for UDP."""
    with Server() as server:
        with iperf(server) as s:
            waiting = [server.connect() for _ in range(20)]
            for d in waiting:
                d.sendall(COOKIE)
            state(s, 1)
            refused = 0
            for d in waiting:
                d.settimeout(1)
                try:
                    refused += d.recv(1) == b"\xff"
                except TimeoutError:
                    pass
                d.close()
            assert refused == len(waiting) - 1, refused
        until(lambda: not server.sessions())
        with iperf(server, tcp=False, udp=True, len=1000), stream(server) as d:
            assert d.recv(1) == b"\xff"


def total_rate():
    """Who opens many connections and leaves takes nothing of --total-rate along."""
    with Server("--total-rate", "10Mbps") as server:
        with iperf(server, reverse=True, parallel=32, len=1 << 20) as s:
            data = [stream(server) for _ in range(32)]
            state(s, 1)
            state(s, 2)
            time.sleep(0.3)
            for d in data:
                d.close()
        until(lambda: not server.sessions())
        with iperf(server, reverse=True) as s, stream(server) as d:
            state(s, 1)
            state(s, 2)
            d.settimeout(3)
            assert d.recv(1)


def iperf_terminated():
    """A server that ends says so to a client that has no data connections yet."""
    with Server() as server, iperf(server) as s:
        server.stop()
        state(s, 11)


def ten_thousand():
    with Server() as server:
        serves(server)
        before = server.rss_kb()
        fds = server.files()
        for _ in range(HOSTILE // WAVE):
            wave = []
            for _ in range(WAVE):
                wave.append(server.connect())
            for s in wave:
                s.close()
        serves(server)
        after = server.rss_kb()
        print(f"# RSS of the listener before {HOSTILE} silent connections {before} kB, after {after} kB")
        assert after - before < RSS_GROWTH_KB
        until(lambda: server.files() <= fds)


def strangers_datagrams():
    """Hellos of both kinds, spoofed and not, while a session is there: nothing is sent to anybody."""
    udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    with Server() as server, server.connect() as control:
        token = bytes.fromhex(greet(control)["token"])
        for s, source in zip(udp, ("127.0.0.1", "127.0.0.2")):
            s.bind((source, 0))
            for data in (b"9876", b"\x15\xcd\x5b\x07", b"TAREU" + token + bytes(4), b"", b"x",
                         b"TAREU" + os.urandom(20), os.urandom(1400)):
                s.sendto(data, ("127.0.0.1", server.port))
        spoofed(server, "127.0.0.3", b"TAREU" + token + bytes(4))
        spoofed(server, "127.0.0.3", b"9876")
        serves(server)
        for s in udp:
            s.settimeout(0.2)
            try:
                raise AssertionError(s.recv(100))
            except TimeoutError:
                pass
            s.close()
        status, text = server.stop()
    assert status == 0
    dropped = sum(int(n) for n in re.findall(r"datagrams_dropped=(\d+)", text))
    assert dropped in (14, 16), text  # without and with raw sockets


def spoofed(server, source, data):
    """A datagram with a source that is not ours, by a raw socket; needs root."""
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError:
        print("# no raw sockets: spoofed datagrams left out")
        return
    udp = struct.pack(">HHHH", 9, server.port, 8 + len(data), 0) + data
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                       socket.inet_aton(source), socket.inet_aton("127.0.0.1"))
    raw.sendto(head + udp, ("127.0.0.1", 0))
    raw.close()


def allow_list():
    with Server("--allow", "127.0.0.2,::1") as server:
        with server.connect() as s:
            assert closed(s)
        with server.connect(source="127.0.0.2") as s:
            assert greet(s)["type"] == "ok"
        with server.connect("::1") as s:
            assert greet(s)["type"] == "ok"


def key_file(directory, data, mode=0o600):
    path = pathlib.Path(directory, "key")
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


def keys():
    with tempfile.TemporaryDirectory() as d, \
            Server("--key-file", key_file(d, b"\n" + KEY + b"\n")) as server:
        with server.connect() as s:
            assert greet(s, KEY)["type"] == "ok"
        with server.connect() as s:
            answer = greet(s, KEY + b"!")
            assert answer == {"type": "error", "text": "wrong pre-shared key"}, answer
        with server.connect() as s:
            s.sendall(COOKIE)
            assert s.recv(1) == b"\xff"


def replay():
    """A recorded proof does not fit the next challenge, though the client's nonce is the same."""
    nonce = os.urandom(32)
    with tempfile.TemporaryDirectory() as d, Server("--key-file", key_file(d, KEY)) as server:
        recorded = None
        for _ in range(2):
            with server.connect() as s:
                s.sendall(b"TAREC")
                send(s, {"type": "open", "protocol": 1, "nonce": nonce.hex()})
                theirs = bytes.fromhex(receive(s)["nonce"])
                recorded = recorded or mac(KEY, b"tare client 1", theirs, nonce)
                send(s, {"type": "auth", "mac": recorded})
                last = receive(s)["type"]
        assert last == "error", last


def bad_options():
    with tempfile.TemporaryDirectory() as d:
        for words, status in ((["--allow", "10.0.0.1/8"], 2), (["--port", "70000"], 2),
                              (["--bind", "nowhere"], 2), (["--key-file", d + "/none"], 3),
                              (["--key-file", key_file(d, b"short")], 2),
                              (["--user", "no-such-user"], 3 if os.geteuid() == 0 else None),
                              (["--log-file", d + "/none/log"], 3)):
            if status is None or (words[0] == "--user" and EXTRA):
                continue
            done = subprocess.run([TARE, "serve", "--port", "0", *EXTRA, *words], timeout=20,
                                  capture_output=True, text=True, check=False)
            assert done.returncode == status, (words, done)
            assert done.stderr.startswith("tare: serve: "), done
        done = subprocess.run([TARE, "serve", "--port", "0", *EXTRA, "--key-file",
                               key_file(d, KEY, 0o604)], timeout=20, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 3 and "chmod" in done.stderr, done


def one_off():
    with Server("--one-off") as server:
        serves(server)
        assert server.process.wait(10) == 0
    with Server("--one-off") as server:
        with server.connect() as s:
            s.sendall(b"TAREC\0\0\0\0")
            assert receive(s)["type"] == "error"
        assert server.process.wait(10) == 4


def sigterm_ends_sessions():
    with Server() as server, server.connect() as s:
        assert greet(s)["type"] == "ok"
        pids = server.sessions()
        assert len(pids) == 1
        start = time.monotonic()
        status, _ = server.stop()
        assert status == 0 and time.monotonic() - start < 10
        assert "ending" in receive(s)["text"] and closed(s)
        assert not pathlib.Path(f"/proc/{pids[0]}").exists()


def killed_listener_leaves_nothing():
    with Server() as server, server.connect() as s:
        assert greet(s)["type"] == "ok"
        pids = server.sessions()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
        assert closed(s)
        until(lambda: not alive(pids))


def alive(pids):
    """Those that are more than zombies, which are init's to reap."""
    def state(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return "X"
    return [p for p in pids if state(p) not in "XZ"]


def full_disk():
    with Server("--log-file", "/dev/full") as server:
        for _ in range(5):
            serves(server)
        assert server.stop()[0] == 0


def is_confined():
    if EXTRA:
        print("# started with options of the sandbox")
        return
    with Server() as server:
        text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        field = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        assert field["NoNewPrivs"] == "1" and field["Seccomp"] == "2", text
        assert int(field["CapEff"], 16) == int(field["CapPrm"], 16) == 0, text
        if os.geteuid() == 0:
            assert int(field["CapBnd"], 16) == 0, text
            assert field["Uid"].split() != ["0"] * 4 and not field["Groups"].strip(), text


def socket_activation():
    code = ("import os,socket,sys\n"
            "t=socket.socket(socket.AF_INET6); t.bind(('::1',0)); t.listen()\n"
            "u=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); u.bind(('::1',t.getsockname()[1]))\n"
            "a,b=os.dup(t.fileno()),os.dup(u.fileno())\n"
            "c,d=os.dup(a),os.dup(b)\n"
            "os.dup2(c,3); os.dup2(d,4); os.set_inheritable(3,True); os.set_inheritable(4,True)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()),LISTEN_FDS='2')\n"
            "os.execv(sys.argv[1],sys.argv[1:])\n")
    process = subprocess.Popen([sys.executable, "-c", code, TARE, "serve", *EXTRA],
                               stderr=subprocess.PIPE, text=True)
    port = int(re.search(r":(\d+) \(TCP", process.stderr.readline())[1])
    with socket.create_connection(("::1", port), 5) as s:
        assert greet(s)["type"] == "ok"
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0, process.returncode


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2048)), hard))
    t = Tap()
    for name, test in (("a session, and its line in the log", session_and_log),
                       ("IPv6", ipv6),
                       ("wrong first bytes are closed", wrong_first_bytes),
                       ("bad greetings are answered", bad_greetings),
                       ("one byte a second ends by the deadline", slow_and_silent),
                       ("iperf3 is refused by its own byte where a key is needed", iperf_is_refused),
                       ("iperf3 over --max-bytes", iperf_limit),
                       ("iperf3's server output and results", iperf_output),
                       ("iperf3's data connections", iperf_connections),
                       ("--total-rate is nobody's alone", total_rate),
                       ("iperf3's client hears of the server's end", iperf_terminated),
                       ("10,000 silent connections", ten_thousand),
                       ("strangers' datagrams get no answer", strangers_datagrams),
                       ("--allow", allow_list),
                       ("keys: right, wrong, none", keys),
                       ("a replayed proof is refused", replay),
                       ("bad options", bad_options),
                       ("--one-off exits with the session's status", one_off),
                       ("SIGTERM ends the sessions", sigterm_ends_sessions),
                       ("kill -9 of the listener leaves no process", killed_listener_leaves_nothing),
                       ("a full disk does not stop it", full_disk),
                       ("privileges and system calls are given up", is_confined),
                       ("sockets of systemd", socket_activation)):
        t.check(name, test)
    t.done()


if __name__ == "__main__":
    main()
