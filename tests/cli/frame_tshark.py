#!/usr/bin/env python3
"""What tshark says of the frames that streams are made of: nothing bad, and what they were to be.

usage: frame_tshark.py FRAME_PCAP
"""

import collections
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, skip_all  # noqa: E402

FIELDS = (
    "frame.len frame.protocols eth.dst vlan.id ip.len ip.ttl ip.checksum.status ip.dst ipv6.plen"
    " ipv6.hlim ipv6.dst udp.srcport udp.dstport udp.length udp.checksum udp.checksum.status"
    " _ws.malformed _ws.expert.message"
).split()
GOOD = "1"  # of a checksum's status. Ref: Wireshark, epan/proto.h PROTO_CHECKSUM_E_GOOD


def dissect(path):
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t"]
    command += ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    Row = collections.namedtuple("Row", [f.replace(".", "_").lstrip("_") for f in FIELDS])
    return [Row(*line.split("\t")) for line in done.stdout.splitlines()]


def streams(said, rows):
    """(size or mix, name, its rows) of each line that the writer said."""
    at = 0
    for line in said.splitlines():
        n, mix, name = line.split(" ", 2)
        yield mix, name, rows[at : at + int(n)]
        at += int(n)
    assert at == len(rows), f"{len(rows)} frames in the file, {at} written"


def nothing_bad(rows):
    assert len(rows) > 1000, len(rows)
    for i, row in enumerate(rows):
        at = f"frame {i + 1}: {row}"
        assert not row.ws_malformed and not row.ws_expert_message, at
        assert row.udp_checksum_status == GOOD and row.udp_checksum != "0x0000", at
        assert bool(row.ip_dst) != bool(row.ipv6_dst), at
        if row.ip_dst:
            assert row.ip_checksum_status == GOOD, at


def as_it_was_to_be(mix, name, rows):
    v6, vlan = "IPv6" in name, "VLAN" in name
    for i, row in enumerate(rows):
        at = f"{name} {mix}, frame {i}: {row}"
        size = int(row.frame_len) + 4
        assert not mix.isdigit() or size == int(mix), at
        assert bool(row.vlan_id) == vlan, at
        head = 18 + 4 * vlan
        assert int(row.udp_length) == size - head - (40 if v6 else 20), at
        if v6:
            assert int(row.ipv6_plen) == size - head - 40 and row.ipv6_hlim == "10", at
        else:
            assert int(row.ip_len) == size - head and row.ip_ttl == "10", at
        everybody = row.udp_dstport == "9"
        assert everybody or row.udp_dstport == "7", at
        if everybody:
            assert row.ipv6_dst == "ff02::1" if v6 else row.ip_dst == "255.255.255.255", at
            assert row.eth_dst == ("33:33:00:00:00:01" if v6 else "ff:ff:ff:ff:ff:ff"), at


def varied(found):
    """How many values each of the varied fields has."""
    want = {
        "IPv4 flows": ("udp_srcport", 500),
        "IPv4 networks": ("ip_dst", 256),
        "IPv6 networks": ("ipv6_dst", 256),
        "IPv4 macs": ("eth_dst", 256),
    }
    for mix, name, rows in found:
        if name in want:
            field, n = want.pop(name)
            values = {getattr(row, field) for row in rows}
            assert len(values) == n, f"{name}: {len(values)} values of {field}"
        if name.endswith("broadcast"):
            ports = [row.udp_dstport for row in rows]
            assert all((port == "9") == (i % 10 == 9) for i, port in enumerate(ports)), name
    assert not want, want


def main(writer):
    if not shutil.which("tshark"):
        skip_all("tshark is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/frames.pcap"
        said = subprocess.run([writer, path], capture_output=True, text=True, check=True).stdout
        rows = dissect(path)
    found = list(streams(said, rows))
    tap = Tap()
    tap.check(f"no malformed frame, no wrong checksum among {len(rows)}", nothing_bad, rows)
    for mix, name, some in found:
        tap.check(f"{name}: {mix}", as_it_was_to_be, mix, name, some)
    tap.check("what varies has all its values", varied, found)
    tap.done()


main(sys.argv[1])
