#!/usr/bin/env bash
# Without root and without any capability: all five paths, or a message that names the setting.
set -euo pipefail
tare=$1
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
cp "$tare" "$dir/tare"
chmod 755 "$dir/tare"

as_nobody=()
if [ "$(id -u)" -eq 0 ]; then
  as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
fi
if ! reason=$("${as_nobody[@]}" unshare -Urn true 2>&1); then
  skip "compare as nobody" "user namespaces are refused: $reason"
  tap_done
  exit
fi

status=0
json=$(cd / && "${as_nobody[@]}" "$dir/tare" compare --quick --time 100ms --repeat-min 2 \
  --repeat-max 2 --quiet --json) || status=$?
ok "exit status 0" is "$status" 0
measured=$(/usr/bin/python3 -c '
import json, sys
run = json.load(sys.stdin)
assert run["rootless"] and run["complete"]
assert sum("not root" in limit for limit in run["limits"]) == 1, run["limits"]
for path in run["paths"]:
    trials = [t for t in run["trials"] if t["path"] == path["name"]]
    failed = [(t["load"], t["reason"]) for t in trials if t["status"] != "ok"]
    assert path["status"] == "ok" and trials and not failed, (path, failed)
print(" ".join(path["name"] for path in run["paths"]))
' <<<"$json" 2>&1) || true
ok "all five paths are measured, what is lost is said once" \
  is "$measured" "native hostnet veth bridge nat"

# A user namespace in which no further one may be made: what a locked-down machine looks like.
locked() {
  local err status=0
  err=$(unshare -Ur bash -c '
    echo 0 >/proc/sys/user/max_user_namespaces
    exec setpriv --inh-caps=-all --bounding-set=-all "$@"' \
    bash "$dir/tare" compare --quick --quiet 2>&1) || status=$?
  is "$status" 3 && has "$err" 'max_user_namespaces'
}
ok "no user namespaces: exit status 3 and the setting's name" locked

tap_done
