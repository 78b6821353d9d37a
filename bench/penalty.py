#!/usr/bin/env python3
"""The table of what tare guard is to reach (METHOD.md, Penalty), in less than six minutes. Needs root and a quiet machine.

usage: penalty.py [TARE]

ROUNDS     pairs of each cell (3)
TIME       counted span of a trial (500ms)
GUARDS     policies that are compared with off (charge+drop; where there is no bound, with moderation, too)
OPTIONS    more options of tare penalty, as "--bucket 50ms"
JSON_DIR   where the documents of tare penalty are kept

A cell is marked * when other processes disturbed one of its trials: then it says little.
Exit status: 0 all is reached, 1 something is not, 2 a run failed, 3 tare penalty can't be run here.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARE = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build/src/cmd/tare")
ROUNDS, SPAN = os.environ.get("ROUNDS", "3"), os.environ.get("TIME", "500ms")
DROP = "off,charge+drop"
ALL = "60/20/20,50/50,80/20,90/10"

# Name, options, and the shares whose residual is to be 5 % at most; the others are to be known.
CASES = [
    ("UDP 18 B 300k/s, bursts of 64", ["-n", "udp-rx", "-s", ALL], ("60/20/20", "80/20")),
    ("UDP GSO 64 x 16 B, 30k/s", ["-n", "gso-rx", "-s", ALL], ("60/20/20", "80/20")),
    ("TCP, 16 flows, MTU 300", ["-n", "tcp-rx", "--mtu", "300", "-s", ALL], tuple(ALL.split(","))),
    ("UDP 18 B 550k/s, bursts of 64", ["-n", "udp-rx", "-r", "550k", "-s", "50/50,80/20"], ()),
    ("UDP 18 B 300k/s, one at a time", ["-n", "udp-rx", "--burst", "1", "-s", "50/50,80/20"], ()),
]
SLOWER, OVER, DELIVERY, TCP_GOT = 1.05, 0.95, 0.99, 0.70


def guards(wanted):
    if "GUARDS" in os.environ:
        return f"off,{os.environ['GUARDS']}"
    return DROP if wanted else f"{DROP},charge+drop+moderate"


def run(options, wanted, retries):
    words = [TARE, "penalty", "--guard", guards(wanted), "--time", SPAN, "--repeat-min", ROUNDS,
             "--repeat-max", ROUNDS, "--retries", retries, "--quiet", "--json", *options,
             *os.environ.get("OPTIONS", "").split()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode in (2, 3):
        print(done.stderr, end="", file=sys.stderr)
        sys.exit(3)
    return json.loads(done.stdout), done.returncode


def misses(cell, wanted):
    """What of the acceptance this cell does not reach."""
    if cell["guard"] == "off":
        return []
    mean, got = cell["penalty"]["mean"], cell["neighbour_got"]
    out = []
    if mean is None:
        return [f"failed: {cell['reason']}"]
    if mean < OVER:
        out.append("over-credited")
    if cell["shares"] in wanted and cell["guard"] == "charge+drop":
        if mean > SLOWER:
            out.append("slower than 5 %")
        if cell["bystander_delivery"] is not None and cell["bystander_delivery"] < DELIVERY:
            out.append("bystander lost more than 1 %")
        if cell["neighbour"] == "tcp-rx" and got is not None and got < TCP_GOT:
            out.append("neighbour below 70 % of its budget")
    return out


def text(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def show(cell, wrong):
    p = cell["penalty"]
    print(f"  {cell['shares']:9}{cell['guard']:21}{p['n']:3}{'*' if cell['n_disturbed'] else ' '}"
          f"{text(p['mean']):>8}{text(p['ci_low']):>7}{text(p['ci_high']):>7}"
          f"{text(cell['victim_share'], '{:.3f}'):>8}{text(cell['neighbour_got'], '{:.0%}'):>7}"
          f"{cell['received_pps'] / 1e3 if cell['received_pps'] else 0:9.1f}{(cell['received_bps'] or 0) / 1e6:9.1f}"
          f"{text(cell['dropped_pps'] / 1e3 if cell['dropped_pps'] is not None else None, '{:.1f}'):>9}"
          f"{text(cell['victim_irqs_hz'] / 1e3 if cell['victim_irqs_hz'] is not None else None, '{:.1f}'):>9}"
          f"{text(cell['bystander_delivery'], '{:.4f}'):>9}  {', '.join(wrong)}", flush=True)


def main():
    begin, n_missed, status = time.monotonic(), 0, 0
    for i, (name, options, wanted) in enumerate(CASES):
        # On a busy machine they would never end, and help little.
        doc, code = run(options, wanted, "1" if time.monotonic() - begin < 120 else "0")
        status = 2 if code else status
        if "JSON_DIR" in os.environ:
            pathlib.Path(os.environ["JSON_DIR"], f"penalty-{i}.json").write_text(json.dumps(doc))
        irq = [t["irq_ns"] for t in doc["trials"] if t["guard"] != "off"]
        print(f"\n{name}; an interrupt costs {min(irq)} to {max(irq)} ns")
        print("  shares   guard               pairs  penalty     95 %       victim    got   got k/s  got Mb/s dropped irqs k/s bystander")
        for cell in doc["cells"]:
            wrong = misses(cell, wanted)
            n_missed += bool(wrong)
            show(cell, wrong)
    print(f"\n{n_missed} not as it should be, in {time.monotonic() - begin:.0f} s")
    return status or n_missed > 0


sys.exit(main())
