#!/usr/bin/python3
"""64 clients at once on one server, half of them iperf3's, with bad company in between.

TAP. Usage: crowd.py TARE [SECONDS [SERVER_OPTION...]]
In a network namespace of its own, on loopback. Beside the clients: a connection that says nothing,
one that says a byte a second, and a port scanner that connects and closes all the time.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, skip_all  # noqa: E402

COOKIE = b"abcdefghijklmnopqrstuvwxyz234567abcd\0"
IPERF3 = ["-t {s} -b 2M", "-t {s} -b 2M -R", "-t {s} -u -b 2M -l 1000", "-t {s} -u -b 2M -l 1000 -R",
          "-t {s} -b 1M --bidir", "-t {s} -b 1M -P 2", "-n 200K", "-t {s} -u -b 1M -l 1000 -P 2"]
OWN = ["stream --rate 2Mbps --block 8k", "stream --rate 2Mbps --block 8k --dir rx", "udp --rate 2Mbps",
       "udp --rate 2Mbps --dir rx", "rr --rate 100", "rr --proto udp --rate 100", "crr --rate 20",
       "stream --dir both --rate 1Mbps --block 4k"]
EACH = 4  # of each row: 8 * 4 * 2 = 64


def own_namespace():
    if os.environ.get("TARE_CROWD_INSIDE"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.environ["TARE_CROWD_INSIDE"] = "1"
    user = [] if os.geteuid() == 0 else ["-r"]
    os.execvp("unshare", ["unshare", *user, "-n", sys.executable, *sys.argv])


class Company:
    """Connections of the wrong kind, for as long as the clients run."""

    def __init__(self, port):
        self.port = port
        self.over = threading.Event()
        self.threads = [threading.Thread(target=t) for t in (self.idle, self.loris, self.scanner)]
        for t in self.threads:
            t.start()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def idle(self):
        while not self.over.is_set():
            with self.connect():
                self.over.wait(3)

    def loris(self):
        while not self.over.is_set():
            with self.connect() as s:
                for byte in COOKIE:
                    if self.over.wait(1):
                        return
                    try:
                        s.sendall(bytes([byte]))
                    except OSError:
                        break

    def scanner(self):
        while not self.over.wait(0.05):
            self.connect().close()

    def leave(self):
        self.over.set()
        for t in self.threads:
            t.join()


def cpu_s(pid):
    """User and system time that a process has had."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_all(tare, port, seconds):
    where = ["-c", "127.0.0.1", "-p", str(port)]
    commands = [["iperf3", *where, *row.format(s=seconds).split()] for row in IPERF3 * EACH]
    commands += [[tare, *row.split(), "127.0.0.1", "-p", str(port), "-t", f"{seconds}s", "-q"]
                 for row in OWN * EACH]
    clients = [(c, subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
               for c in commands]
    bad = []
    for command, client in clients:
        try:
            text, _ = client.communicate(timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            client.kill()
            text = client.communicate()[0] + "(did not end)"
        if client.returncode != 0:
            bad.append(f"{' '.join(command)}: {client.returncode}: {text[-400:]}")
    return len(clients), bad


def main():
    if not shutil.which("iperf3"):
        skip_all("there is no iperf3 here")
    own_namespace()
    tare, seconds = os.path.realpath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 4
    server = subprocess.Popen([tare, "serve", "--port", "0", *sys.argv[3:]], stderr=subprocess.PIPE, text=True)
    port = int(re.search(r":(\d+) \(TCP", server.stderr.readline())[1])
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(server.stderr))
    reader.start()
    company = Company(port)
    begun = time.monotonic()
    n, bad = run_all(tare, port, seconds)
    took = time.monotonic() - begun
    listener_s = cpu_s(server.pid)
    company.leave()
    server.terminate()
    server.wait(timeout=20)
    reader.join()
    ends = [re.search(r" end=(\w+)", line) for line in lines if " session=" in line]

    def all_finish():
        assert n == 64 and not bad, "\n".join(bad)

    def server_agrees():
        assert server.returncode == 0
        assert all(e and e[1] == "done" for e in ends), "".join(lines)
        assert len(ends) >= n

    def listener_sleeps():
        """It hands sockets on and then has nothing to do with them."""
        assert listener_s < took / 20, f"{listener_s} s of CPU time in {took:.1f} s"

    print(f"# {n} clients of {seconds} s took {took:.1f} s together, the listener {listener_s} s of CPU time")
    tap = Tap()
    tap.check("all clients finish without an error", all_finish)
    tap.check("the listener sleeps while they run", listener_sleeps)
    tap.check("the server ends every session well", server_agrees)
    tap.done()


main()
