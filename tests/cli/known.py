#!/usr/bin/env python3
"""tare frames and tare rfc2544 on devices whose answers are known, and on bad ones. Counts decide, not times.

usage: known.py TARE SUT.BPF.O BENCH_FOLDER
"""

import json
import shutil
import subprocess
import sys
import time

TARE, CODE = sys.argv[1:3]
sys.path.insert(0, sys.argv[3])
sys.path.insert(1, __file__.rpartition("/")[0])
import sut  # noqa: E402
from tap import Tap, skip_all, strict_json  # noqa: E402

COUNT = 700
FEW = ["--ports", "a,b", "--size", "128", "--json", "--drain", "100ms"]
# As fast as it goes: there is a second for that, so that none is unsent. The receiving work is done before the next
# few are sent, so that none has to wait where there is no room.
AT_ONCE = ["--count", str(COUNT), "--rate", "max", "--place", "inline"]
# Loads of 2000, 4000, ... fps for 50 ms: 100 frames and more.
SEARCH = ["--ports", "a,b", "--profile", "quick", "--tests", "throughput", "--sizes", "128", "--max-rate", "20k",
          "--width", "10%", "--search-time", "50ms", "--final-time", "50ms", "--drain", "20ms", "--settle", "0s", "--json",
          "--quiet"]
TBF_BPS, TBF_BYTES, TBF_LIMIT = 8_000_000, 2000, 124 * 100  # 128 bytes are 124 without FCS


def run(command, *words, status=0):
    done = subprocess.run([TARE, command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == status, (done.returncode, done.stderr)
    return done


def frames(*words):
    flow, = strict_json(run("frames", *FEW, *words).stdout)["flows"]
    assert flow["intended"] == flow["received"] + flow["lost"] == flow["sent"] + flow["unsent"], flow
    return flow


def accounted(device, *words):
    """What was lost between the ports, and no device says that it dropped it."""
    before = device.drops()
    flow = frames(*words)
    return flow, flow["sent"] - flow["received"] - sum(sut.rise(before, device.drops()).values())


def one_in(device, program, k):
    device.treat(program)
    flow, missing = accounted(device, *AT_ONCE)
    assert flow["sent"] == COUNT and missing == COUNT // k, (flow, missing)


def shaper(device):
    """Many times what it passes: not more than that comes through, and the rest is dropped by the shaper."""
    device.treat("pass")
    device.tbf(TBF_BPS, TBF_BYTES, TBF_LIMIT)
    begin_ns = time.monotonic_ns()
    flow, missing = accounted(device, "--rate", "80k", "--time", "200ms")
    assert missing == 0, (flow, missing)
    most = (TBF_BYTES + TBF_BPS / 8 * (flow["last_ns"] - begin_ns) / 1e9) / 124
    assert 0 < flow["received"] <= most, (flow, most)


def fault(device, program, wanted, *words):
    device.treat(program)
    flow = frames(*AT_ONCE, *words)
    seen = {key: flow[key] for key in wanted}
    assert flow["sent"] == COUNT and seen == wanted, (seen, flow)


def loop(device):
    """Each frame comes ten times, less what the loop itself has no room for."""
    device.treat("loop")
    flow = frames(*AT_ONCE)
    assert flow["received"] < flow["received"] + flow["duplicated"] <= 10 * COUNT, flow


def overtake(device):
    device.treat("overtake")
    device.tbf(TBF_BPS, TBF_BYTES, 10 * TBF_LIMIT)
    device.overtakes()
    flow = frames(*AT_ONCE)
    device.no_shaper()
    assert 0 < flow["reordered"] <= flow["received"] and flow["duplicated"] == flow["corrupt"] == 0, flow


def verdict(device, program, pattern):
    device.treat(program)
    doc = strict_json(run("rfc2544", *SEARCH, status=4).stdout)
    row, = doc["results"][0]["rows"]
    assert doc["complete"] and row["status"] == "failed" and pattern in row["verdict"], row


def late(device):
    """A kilobyte in a second, and a queue without end: what is asked for comes when nobody waits for it."""
    device.tbf(500_000, TBF_BYTES, 1_000_000)
    verdict(device, "pass", "came after their trial, and count as lost in it")
    device.no_shaper()


def while_running(action, command, *words):
    """@action as soon as frames come; what the command says, and its exit status."""
    with subprocess.Popen([TARE, command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        before, deadline = received(), time.monotonic() + 20
        while time.monotonic() < deadline and received() < before + 1000:
            time.sleep(0.01)
        action()
        out, text = p.communicate(timeout=30)
    return out, text, p.returncode


def received():
    return json.loads(sut.run("ip", "-s", "-j", "link", "show", "dev", "b"))[0]["stats64"]["rx"]["packets"]


def link_lost(device):
    """Frames that were sent are received, or they are lost."""
    out, text, code = while_running(lambda: device.dut("ip", "link", "set", "dev", "m2", "down"), "frames", *FEW,
                                    "--rate", "10k", "--time", "1s")
    device.dut("ip", "link", "set", "dev", "m2", "up")
    assert code == 0, (code, text)
    flow, = strict_json(out)["flows"]
    assert 0 < flow["received"] < flow["intended"] == flow["received"] + flow["lost"], flow


def main():
    missing = [tool for tool in ("unshare", "ip", "tc", "mount") if not shutil.which(tool)]
    if missing:
        skip_all(f"there is no program {missing[0]}")
    try:
        sut.inside()
        device = sut.Sut(CODE)
    except (OSError, RuntimeError) as why:
        skip_all(str(why).replace("\n", " "))
    tap = Tap()
    tap.check("one in 7 is dropped", one_in, device, "drop7", 7)
    tap.check("a shaper: no more than its rate, and the rest is its drops", shaper, device)
    tap.check("overtaken", overtake, device)
    tap.check("sent twice", fault, device, "twice", {"received": COUNT, "duplicated": COUNT // 10, "corrupt": 0})
    tap.check("cut short", fault, device, "cut", {"lost": COUNT // 10, "corrupt": COUNT // 10})
    tap.check("damaged, and looked for", fault, device, "damage", {"lost": COUNT // 10, "corrupt": COUNT // 10},
              "--verify")
    tap.check("sent back", fault, device, "reflect", {"received": COUNT, "duplicated": 0})
    tap.check("nothing comes", fault, device, "nothing", {"received": 0, "lost": COUNT})
    tap.check("a loop", loop, device)
    tap.check("rfc2544: nothing comes", verdict, device, "nothing", "no frame passes: all 100 lost at 2000 fps")
    tap.check("rfc2544: one in 10 is dropped", verdict, device, "drop10",
              "loses frames at the lowest load, 2000 fps: 10 of 100")
    tap.check("rfc2544: all answers are late", late, device)
    device.treat("pass")
    tap.check("a link that goes down", link_lost, device)
    device.close()
    tap.done()


main()
