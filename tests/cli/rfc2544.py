#!/usr/bin/env python3
"""tare rfc2544 on a model whose answers are known: documents, labels, verdicts, and going on.

usage: rfc2544.py TARE SOURCE_ROOT
"""

import copy
import csv
import io
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tap import Tap, strict_json  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

TARE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
QUICK = ["--profile", "quick"]
MODEL = "model:rate=1e6,queue=1000"

TEXT = """\
model:rate=1M,queue=1000
quick profile: not RFC 2544, whose trials are 60 s and more, and are repeated; throughput with loss \
verification (TST 009 s.12.3.3), which forgives loss that RFC 2544 does not
tester: sends by model, receives by model
note: simulated: no frame was ever sent, and no time passed

Highest load of a port
  size   self-test fps   theoretical   highest load   by
  64           2000000       1488095        1488095   line-rate
  1518         2000000         81274          81274   line-rate

Highest rate without loss
  size   goal             fps     upper   conditional   theoretical   L1 Mbit/s   L2 Mbit/s   status
  64     throughput   1001488   1002976             -       1488095      673.00      512.76   ok
  1518   throughput     81274         -             -         81274     1000.00      987.00   ok
  1518: the line rate passes

Frame loss
  load         64      1518
  100%   32.6656%   0.0000%
  90%    25.1840%   0.0000%
  80%    15.8322%         -
  70%     3.8081%         -
  60%     0.0000%         -
  50%     0.0000%         -
  Share of frames lost, by frame size. load: of the highest rate. -: not tried after two loads without loss

Back-to-back frames
  size   n     mean    min    max    sd   implied ms   corrected ms   buffer   status
  64     3   3040.0   3040   3040   0.0       2.0429         0.6680      994   ok
  1518   0        -      -      -     -            -              -        -   not-applicable
  Frames in a burst, of n searches
  1518: forwards at the highest rate: its buffer never fills
"""


def run(*words, status=0, sut=MODEL):
    done = subprocess.run([TARE, "rfc2544", "--sut", sut, "--quiet", *words], capture_output=True,
                          text=True, check=False)
    assert done.returncode == status, (done.returncode, done.stderr)
    return done.stdout


def document(*words, **args):
    return strict_json(run("--json", *words, **args))


def rows(doc, test, size="64"):
    return [row for unit in doc["results"] if (unit["test"], unit["size"]) == (test, size)
            for row in unit["rows"]]


def same(got, wanted):
    assert got == wanted, f"got:\n{got}\nwanted:\n{wanted}"


def text():
    same(run(*QUICK, "--sizes", "64,1518", "--line-rate", "1Gbps",
             "--tests", "throughput,loss,back-to-back"), TEXT)


def titles():
    standard = run("--sizes", "64")
    for title in ("RFC 2544 s.26.1", "RFC 2544 s.26.2", "RFC 2544 s.26.3", "RFC 9004", "RFC 2544 s.26.5", "RFC 6201"):
        assert title in standard, title
    for words in (QUICK, ["--final-time", "20s"]):
        out = run(*words, "--sizes", "64")
        assert "s.26" not in out and "(RFC" not in out.split("\n", 2)[2], out
        assert "not RFC 2544" in out, out


def labelled(folder):
    """Every output says what it is."""
    words = [*QUICK, "--sizes", "64", "--gnuplot", f"{folder}/plot"]
    lines = list(csv.reader(io.StringIO(run("--csv", *words))))
    assert all(line[-1].startswith("quick profile: not RFC 2544") for line in lines[1:]), lines[1]
    assert all(len(line) == len(lines[0]) for line in lines)
    doc = document(*words)
    assert doc["label"].startswith("quick profile: not RFC 2544") and not doc["is_rfc2544"]
    assert "quick profile: not RFC 2544" in (pathlib.Path(folder) / "plot/plot.gp").read_text()
    assert document("--sizes", "64", "--tests", "loss")["is_rfc2544"]
    for words in (["64", "--search", "mlr"], ["64,imix"]):
        assert not document("--tests", "loss", "--sizes", *words)["is_rfc2544"], words
    loss = (pathlib.Path(folder) / "plot/loss.dat").read_text().split("\n")
    same(loss[:3], ["# load_percent loss_percent", '"64"', " 100 49.9"])


def known_answers():
    for rate, queue in ((1000000, 1000), (250000, 64), (3000000, 100000)):
        for search in ("binary", "binary-lv", "mlr"):
            doc = document("--sizes", "64", "--search", search, "--goals", "ndr", "--settle", "0s",
                           "--burst-repeat", "3", "--latency-repeat", "1",
                           sut=f"model:rate={rate},queue={queue},recovery=5ms,latency=20us")
            x, = rows(doc, "throughput")
            size, = doc["sizes"]
            step = size["max_fps"] * 0.001
            # What a queue takes off the edge in a trial counts as passed.
            edge = rate + queue * 1e9 / x["final_ns"]
            assert x["fps"] <= edge < x["upper_fps"], (x, edge)
            assert x["upper_fps"] - x["fps"] <= max(step, 0.0051 * edge) * 1.01, x
            assert abs(x["l2_bps"] / x["fps"] - 64 * 8) < 1e-6 and abs(x["l1_bps"] / x["fps"] - 84 * 8) < 1e-6, x
            # RFC 9004: corrected time times the rate is the queue, to the width of throughput.
            burst = doc["summaries"][0]["back_to_back"]
            assert abs(burst["buffer_frames"] / queue - 1) < 0.05, (queue, burst)
            assert burst["n"] == 3 and burst["sd_frames"] == 0, burst
            for row in rows(doc, "loss"):
                over = row["fps"] - rate
                lost = max(0, over / row["fps"] - queue / row["tried"]) if over > 0 else 0
                assert abs(row["loss_ratio"] - lost) < 1e-4, (row, lost)
            same([row["lost"] for row in rows(doc, "loss")][-2:], [0, 0])
            recovery = rows(doc, "recovery")
            assert len(recovery) == 3 and all(abs(row["recovery_s"] - 0.005) < 1e-4 for row in recovery), recovery
            low = rows(doc, "latency")[-1]
            assert low["min_ns"] == 20000 and low["samples"] + low["lost"] > 0, low
            reset, = rows(doc, "reset")
            assert abs(reset["reset_s"] - 0.1) < 0.1 * 0.05 + queue / rate + 60 * max(0, x["fps"] / rate - 1), reset


def far_below():
    """Short trials pass far above what full ones do: what the queue holds is found all the same."""
    doc = document(*QUICK, "--sizes", "64", "--tests", "throughput", "--max-rate", "1M",
                   sut="model:rate=10k,queue=100000")
    x, = rows(doc, "throughput")
    same((x["fps"], x["upper_fps"], x["status"]), (260000, 261000, "ok"))


def latency_loads():
    doc = document("--sizes", "64", "--search", "mlr", "--tests", "latency", "--latency-repeat", "1")
    same([x["load"] for x in doc["summaries"][0]["latency"]], [0.9, 0.5, 0.1])
    pdr = rows(doc, "throughput")[-1]
    same(pdr["goal"], "PDR")
    for x in doc["summaries"][0]["latency"]:
        assert abs(x["fps"] - pdr["fps"] * x["load"]) < 1e-3 * pdr["fps"], x


def verdict(sut, status, test, pattern, wanted, *words):
    doc = document(*QUICK, "--sizes", "64,128", *words, status=wanted, sut=sut)
    there = [(u["test"], row["status"], row["verdict"]) for u in doc["results"] for row in u["rows"]]
    assert any((t, s) == (test or t, status) and re.search(pattern, v) for t, s, v in there), there
    assert doc["complete"] and {u["size"] for u in doc["results"]} == {"64", "128"}


def bare(doc):
    """Without what no two runs have in common."""
    doc = copy.deepcopy(doc)
    for key in ("started", "command", "environment"):
        del doc[key]
    del doc["config"]["resume"]
    return doc


CAMPAIGN = ["--sizes", "64,imix", "--burst-repeat", "3", "--latency-repeat", "2", "--search", "mlr"]


def cut_anywhere(folder):
    """Half a last line, as kill -9 may leave it, is as if the line had not been begun."""
    whole = document(*CAMPAIGN)
    path = pathlib.Path(folder) / "cut.jsonl"
    same(bare(document(*CAMPAIGN, "--resume", str(path))), bare(whole))
    text = path.read_bytes()
    assert text.count(b"\n") == 1 + len(whole["results"]) and text.endswith(b"\n")
    for at in range(0, len(text), len(text) // 6):
        path.write_bytes(text[:at])
        same(bare(document(*CAMPAIGN, "--resume", str(path))), bare(whole))
        assert path.read_bytes().count(b"\n") == text.count(b"\n"), at


def killed(folder):
    """Killed again and again, until it is done."""
    whole = document(*CAMPAIGN)
    path = pathlib.Path(folder) / "killed.jsonl"
    words = [TARE, "rfc2544", "--sut", MODEL, "--quiet", *CAMPAIGN, "--json", "--resume", str(path)]
    kills = 0
    for wanted in (3, 10, 25):
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as p:
            while p.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= wanted):
                time.sleep(0.001)
            p.send_signal(signal.SIGKILL)
        kills += p.returncode == -signal.SIGKILL
    before = path.read_bytes()
    same(bare(document(*CAMPAIGN, "--resume", str(path))), bare(whole))
    assert path.read_bytes().startswith(before[:before.rfind(b"\n") + 1]), "what was done was done again"
    print(f"# killed {kills} times")


def refused(words, message, sut=MODEL, status=2):
    done = subprocess.run([TARE, "rfc2544", "--sut", sut, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert message in done.stderr, done.stderr


def other_campaign(folder):
    path = f"{folder}/other.jsonl"
    run(*QUICK, "--sizes", "64", "--resume", path)
    there = pathlib.Path(path).read_bytes()
    refused([*QUICK, "--sizes", "128", "--resume", path], 'sizes is ["64"] there, and ["128"] here')
    refused(["--sizes", "64", "--resume", path], 'profile is ["quick"] there, and ["standard"] here')
    refused([*QUICK, "--sizes", "64", "--resume", path], 'subject is ["model:rate=1M,queue=1000"] there',
            sut="model:rate=2M")
    same(pathlib.Path(path).read_bytes(), there)
    notes = pathlib.Path(folder) / "notes.txt"
    notes.write_text("dear diary\n")
    refused([*QUICK, "--resume", str(notes)], "is no file of an earlier campaign")
    same(notes.read_text(), "dear diary\n")
    refused([*QUICK, "--resume", f"{folder}/none/such"], "cannot open it", status=3)


def schema():
    out = subprocess.run([TARE, "doc", "rfc2544-schema"], capture_output=True, text=True, check=True).stdout
    committed = (ROOT / "docs/schema/tare-rfc2544-1.json").read_text()
    assert out == committed, "run: tare doc rfc2544-schema > docs/schema/tare-rfc2544-1.json"
    validator = jsonschema.Draft202012Validator(strict_json(out))
    validator.check_schema(strict_json(out))
    doc = document(*QUICK, "--search", "mlr", "--sizes", "64,imix")
    validator.validate(doc)
    validator.validate(document(*QUICK, "--sizes", "64,128", status=4,
                                sut="model:rate=1e6,noise-every=1,noise=100%"))
    for change in (lambda d: d.pop("label"), lambda d: d.update(extra=1),
                   lambda d: d["results"][0]["rows"][0].update(status="fine"),
                   lambda d: d["results"][0]["rows"][0].pop("fps"),
                   lambda d: d["results"][0].update(test="nosuch"),
                   lambda d: d["sizes"][0].update(max_fps="many")):
        broken = copy.deepcopy(doc)
        change(broken)
        assert not validator.is_valid(broken), change


def real_path():
    """Frames through a veth pair: what counts is that every frame is accounted for."""
    words = [TARE, "rfc2544", "--path", "veth", *QUICK, "--tests", "loss", "--sizes", "64", "--loss-time", "20ms",
             "--settle", "0s", "--drain", "20ms", "--max-rate", "5k", "--json", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        print("# skipped:", done.stderr.strip())
        return
    doc = strict_json(done.stdout)
    assert doc["complete"] and not doc["subject"]["simulated"] and doc["subject"]["tester"]["tx"], doc["subject"]
    assert doc["sizes"][0]["self_fps"] > 0 and "modified" in doc["label"], (doc["sizes"], doc["label"])
    assert len(doc["subject"]["offloads"]) == 2 and all(doc["subject"]["offloads"]), doc["subject"]
    for unit, row in ((u, r) for u in doc["results"] for r in u["rows"]):
        assert row["tried"] == round(row["fps"] * 0.02), row
        assert row["lost"] <= row["tried"] and unit["trials"][0]["own_lost"] <= row["lost"], unit


def clock():
    """No waits of a simulated clock: RFC 2544's seven sizes take 60 hours, and here none."""
    begin = os.times()
    run()
    end = os.times()
    spent = end.children_user + end.children_system - begin.children_user - begin.children_system
    assert spent < 5, spent


def main():
    tap = Tap()
    tap.check("text, to the letter", text)
    tap.check("only RFC-grade results have RFC names", titles)
    tap.check("known answers", known_answers)
    tap.check("full trials that pass far below short ones", far_below)
    tap.check("latency at 90, 50 and 10 % of PDR", latency_loads)
    tap.check("no real time", clock)
    tap.check("a SUT that drops everything", verdict, "model:rate=1M,noise-every=1,noise=100%", "failed",
              "throughput", "no frame passes: all 400 lost at 2000 fps", 4)
    tap.check("a SUT that breaks in the middle", verdict, "model:rate=1M,broken-every=30", "failed",
              None, "the model broke in trial", 4, "--tests", "throughput,loss")
    tap.check("a SUT that loses some always", verdict, "model:rate=1M,noise-every=1,noise=1%", "failed",
              "throughput", "loses frames at the lowest load", 4)
    tap.check("a SUT that sends twice", verdict, "model:rate=1M,duplicate-every=100", "ok", "throughput",
              "frames came twice or more", 0)
    tap.check("a highest rate that passes", verdict, MODEL, "max-rate", "throughput", ">=: --max-rate passes", 0,
              "--max-rate", "500k")
    tap.check("that can't be overloaded", verdict, MODEL, "not-applicable", "recovery", "can't be overloaded", 0,
              "--max-rate", "500k")
    tap.check("a SUT that does not come back", verdict, "model:rate=1M,reset=1h", "failed", "reset",
              "did not come back", 4)
    tap.check("a SUT that does not recover", verdict, "model:rate=1M,recovery=1h", "failed", "recovery",
              "still losing frames", 4)
    with tempfile.TemporaryDirectory() as folder:
        tap.check("every output is labelled", labelled, folder)
        tap.check("resume: cut anywhere", cut_anywhere, folder)
        tap.check("resume: killed", killed, folder)
        tap.check("resume: other campaigns are refused", other_campaign, folder)
    tap.check("a path", real_path)
    if jsonschema:
        tap.check("schema", schema)
    tap.done()


main()
