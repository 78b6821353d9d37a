#!/usr/bin/env bash
# Networks that are there already: tare goes into their namespaces and leaves them as they are.
#
#	a: e0 10.77.0.1, fd77::1 ------ veth ------ e1 10.77.0.2, fd77::2 :b
#	h: (tare's own) h0 10.78.0.1 -- veth ------ h1 10.78.0.2 :b
set -euo pipefail
tare=$1
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
# shellcheck source=tests/cli/inside.sh
. "$(dirname "$0")/inside.sh"

inside "nft" "$@"
for n in a b; do
  ip netns add "$n"
  ip -n "$n" link set lo up
done
# No addresses of the kernel's own, which would come up while we look.
ip -n a link add e0 type veth peer name e1 netns b
ip link add h0 type veth peer name h1 netns b
for words in 'a e0 10.77.0.1/24' 'b e1 10.77.0.2/24' 'b h1 10.78.0.2/24' \
  'a e0 fd77::1/64 nodad' 'b e1 fd77::2/64 nodad'; do
  read -ra addr <<<"$words"
  n=${addr[0]} dev=${addr[1]}
  ip -n "$n" addr add "${addr[@]:2}" dev "$dev"
  ip -n "$n" link set "$dev" addrgenmode none up
done
ip addr add 10.78.0.1/24 dev h0
ip link set h0 up

short=(--load rr:proto=tcp --time 100ms --warmup 10ms --repeat-min 2 --repeat-max 2 --quiet)
run() { "$tare" run "${short[@]}" "$@"; }

# Everything of the namespaces that a path builder would have to change.
state() {
  for n in a b; do
    ip -n "$n" -o addr
    ip -n "$n" route show table all
    ip -n "$n" rule
    ip netns exec "$n" nft list ruleset
  done
}

# measures PATTERN WORDS...: a number in the table, and this in the notes; on a busy machine not each
# of such short trials has one
measures() {
  local out pattern=$1
  shift
  out=$(run "$@" 2>&1) || true
  has "$out" "^  existing +[0-9.]+ " && has "$out" "$pattern"
}
unchanged() {
  local before
  before=$(state)
  measures 'existing: far is netns:b: 10.77.0.2, by its e1, MTU 1500' --near netns:a --far netns:b
  is "$(state)" "$before"
}
# fails STATUS PATTERN WORDS...
fails() {
  local wanted=$1 pattern=$2 out status=0
  shift 2
  out=$(run "$@" 2>&1) || status=$?
  is "$status" "$wanted" && has "$out" "$pattern"
}

ok "two namespaces, which stay as they are" unchanged
ok "IPv6" measures 'near is netns:a: fd77::1, by its e0' --near netns:a --far netns:b -6
ok "this namespace is host" measures 'near is host: 10.78.0.1, by its h0' --near host --far netns:b
ok "an address of the user's choice" measures 'far is netns:b: 10.77.0.2' --near netns:a \
  --far netns:b --far-addr 10.77.0.2
ok "one namespace: by its loopback" measures 'far is netns:a: reached at 127.0.0.1' \
  --near netns:a --far netns:a
ok "native beside it, said to be built" measures 'native is two bare namespaces' \
  --near netns:a --far netns:b

ip netns exec b sleep 60 &
sleeper=$!
until [ "$(readlink /proc/$sleeper/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ok "the namespace of a process" measures "far is pid:$sleeper: 10.77.0.2" --near netns:a \
  --far "pid:$sleeper"
id=$(printf 'c0ffee%058d' $$)
cgroup=$(awk '$3 ~ /^cgroup/ && $2 ~ /unified|pids|cgroup$/ {print $2; exit}' /proc/mounts)/docker-$id.scope
if reason=$(mkdir "$cgroup" 2>&1 && echo $sleeper 2>&1 >"$cgroup/cgroup.procs"); then
  ok "a container by the start of its id" measures 'far is container:c0ffee' --near netns:a \
    --far container:c0ffee
else
  skip "a container by the start of its id" "$reason"
fi
kill "$sleeper"
wait "$sleeper" || true
[ ! -d "$cgroup" ] || rmdir "$cgroup"

ok "no such namespace" fails 3 "^tare: run: --far: no network namespace 'netns:c'" \
  --near netns:a --far netns:c
ok "no such process" fails 3 "^tare: run: --near: there is no process $sleeper" \
  --near "pid:$sleeper" --far netns:b
touch /run/netns/file
ok "no namespace at all" fails 3 "'netns:file' .* is not a network namespace" --near netns:file \
  --far netns:b
ok "no container" fails 3 "no process is in a container 'c0ffee'" --near container:c0ffee \
  --far netns:b
ok "no address of the family" fails 3 'near .host. has no route to any address of far' --near host \
  --far netns:a
ip netns exec a nft 'table inet t { chain c { type filter hook output priority 0; udp dport 5201 drop; }; }'
ok "a firewall between them" fails 4 \
  'existing failed: near at 10.77.0.1 and far at 10.77.0.2, ports 5201 .* firewall' \
  --near netns:a --far netns:b
ip netns exec a nft flush ruleset

ip netns exec b "$tare" serve --log-file /run/log &
server=$!
until ip netns exec b ss -Hlt | grep -q :5201; do :; done
from() { # on a busy machine there may be no number
  local out
  out=$("$tare" rr 10.77.0.2 --near netns:a --time 300ms 2>&1) || true
  has "$out" '^connected to 10.77.0.2' && has "$out" '^rr-tcp'
}
ok "a server, from a namespace that reaches it" from
compared() {
  local out
  ip -n a route add 10.78.0.0/24 via 10.77.0.2
  out=$("$tare" compare "${short[@]}" --near netns:a --far 10.78.0.2 2>&1) || true
  ip -n a route del 10.78.0.0/24
  has "$out" '^  existing +[0-9.]+ ' && has "$out" ', to 10.78.0.2 .10.78.0.2. port 5201$' &&
    has "$out" 'far .the tare server on 10.78.0.2.' &&
    has "$out" 'existing: near is netns:a'
}
ok "a server, from there and from here" compared
ok "and from nowhere else" has "$("$tare" rr 10.77.0.2 --time 50ms 2>&1)" 'cannot connect'
kill "$server"
wait "$server" || true

tap_done
