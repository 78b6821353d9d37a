#!/usr/bin/env bash
# tare frames on devices that are there: a pair in a network namespace of the test's own.
set -euo pipefail
tare=$1
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
# shellcheck source=tests/cli/inside.sh
. "$(dirname "$0")/inside.sh"
inside "ip setpriv" "$@"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

grep -q ' yes ' <<<"$("$tare" list senders)" || { echo "1..0 # SKIP no way to send frames works here"; exit 0; }

ip link add pa type veth peer name pb
ip link set pa up
ip link set pb up
few=(--count 2000 --rate 100k --drain 20ms)

# frames STATUS PATTERN WORDS...: what it prints, and how it ends
frames() {
  local status=0 out
  out=$("$tare" frames "${@:3}" 2>&1) || status=$?
  has "$out" "$2" && is "$status" "$1"
}

conserved() {
  "$tare" frames --ports pa,pb "${few[@]}" "$@" --json | /usr/bin/python3 -c '
import json, sys
doc = json.load(sys.stdin)
schema = json.load(open(sys.argv[1]))
try:
    import jsonschema
    jsonschema.validate(doc, schema)
except ImportError:
    assert sorted(doc) == sorted(schema["required"])
intended = 2000 - (doc["config"]["broadcast_ppm"] == 10000 and 20)
assert doc["schema"] == "tare-frames"
for f in doc["flows"]:
    assert f["intended"] == intended == f["received"] + f["lost"], f
    assert f["received"] == f["sent"] == intended - f["unsent"], f
    assert f["corrupt"] == f["duplicated"] == f["late"] == 0, f
print(len(doc["flows"]))' "$dir/schema"
}
"$tare" doc frames-schema >"$dir/schema"
ok "the committed schema is this program's (tare doc frames-schema)" \
  cmp "$dir/schema" "$(dirname "$0")/../../docs/schema/tare-frames-1.json"
# The receiving half of a pair works on the CPU of who sends: nothing is lost between the two.
ok "a pair: what was sent is received" is "$(conserved)" 1
ok "the same both ways" is "$(conserved --dir both --learn)" 2
ok "broadcasts are not intended to be received" is "$(conserved --broadcast 1%)" 1

ok "a device that is not there" frames 3 "no link 'nosuch'" --ports pa,nosuch
ok "loopback is no port" frames 2 "'lo' is no Ethernet device" --ports lo,pb
ok "no such gateway" frames 3 "nobody on 'pa' says that it has 198.18.0.1" --ports pa,pb \
  --port-gateway 198.18.0.1,198.19.0.1
ok "what is not built here can't be built anew" frames 3 "'ports pa,pb' is not built here" --ports pa,pb --rebuild 2
ip link set pa mtu 1000
ok "frames beyond the MTU" frames 2 "frames of 1518 bytes do not fit the MTU 1000 of 'pa'" \
  --ports pa,pb --size 1518
ip link set pa mtu 9216
ip link set pb mtu 9216
ok "jumbo frames, by what can send them" is "$(conserved --size 9216 --verify)" 1
ip link set pa mtu 1500
ip link set pb mtu 1500

no_rights() {
  local status=0 out
  out=$(setpriv --bounding-set=-all --inh-caps=-all "$tare" frames --ports pa,pb 2>&1) || status=$?
  has "$out" 'not permitted|CAP_' && is "$status" 3
}
ok "no rights: a message, no number" no_rights

state() {
  ip -d -o link show | sed 's/<[^>]*>//'
  wc -l </proc/net/packet
}
# Killed at its worst moment, in the middle of a trial.
before=$(state)
"$tare" frames --ports pa,pb --rate 10k --time 30s >/dev/null 2>&1 &
pid=$!
for _ in {1..100}; do
  [ "$(state)" != "$before" ] && break
  sleep 0.02
done
sleep 0.1
busy() {
  local status=0 out
  out=$("$tare" frames --ports pa,pb 2>&1) || status=$?
  has "$out" "device 'p[ab]' has an XDP program already: " && is "$status" 3
}
if ip -d link show pb | grep -q 'prog/xdp'; then
  ok "a device with somebody else's XDP program" busy
else
  skip "a device with somebody else's XDP program" "the receiver here is none"
fi
kill -9 "$pid"
wait "$pid" 2>/dev/null || true
for _ in {1..100}; do
  [ "$(state)" = "$before" ] && break
  sleep 0.02
done
ok "kill -9 leaves no program and no socket" is "$(state)" "$before"

# Gone in the middle: an error, at once.
received() {
  ip -s -o link show pb | sed 's/.*RX:[^\\]*\\ *[0-9]* *\([0-9]*\).*/\1/'
}
before=$(received)
"$tare" frames --ports pa,pb --rate 10k --time 30s >"$dir/out" 2>&1 &
pid=$!
for _ in {1..500}; do
  [ "$(received)" -ge $((before + 100)) ] && break
  sleep 0.02
done
ip link del pa
status=0
timeout 20 tail --pid="$pid" -f /dev/null || kill "$pid"
wait "$pid" || status=$?
ok "a device that goes away ends the trial" has "$(cat "$dir/out")" "'p[ab]'"
# It may have hit the tester while that still opened its ports.
ok "... as a failed run, or one that could not begin" has "$status" '^[34]$'

tap_done
