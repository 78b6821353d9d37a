#!/usr/bin/env bash
# Bad input, one row each: exit status 2, nothing on stdout, and exactly this on stderr.
# Rows are "words of the command line | message without the leading 'tare: '".
set -euo pipefail
tare=$1
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

# words MESSAGE: runs tare with the words of one row, quoted as a shell would.
refused() {
  local words=$1 message=$2 out err status=0
  eval "set -- $words"
  out=$(mktemp)
  err=$("$tare" "$@" 2>&1 >"$out" </dev/null) || status=$?
  is "$status" 2 && is "$err" "tare: $message" && is "$(cat "$out")" ""
  status=$?
  rm -f "$out"
  return "$status"
}

while IFS='|' read -r words message; do
  ok "tare $words" refused "$words" "${message# }"
done <<'ROWS'
nosuch | unknown command 'nosuch' (see tare --help)
--nosuch | unknown command '--nosuch' (see tare --help)
compare --nosuch | compare: unknown option '--nosuch' (see --help)
compare --qui | compare: unknown option '--qui' (see --help)
compare --=5 | compare: unknown option '--' (see --help)
compare -Z | compare: unknown option '-Z' (see --help)
compare --quick=yes | compare: --quick takes no value
compare -qJ | compare: --quick takes no value
compare -p | compare: --path needs a value
compare --time | compare: --time needs a value
compare --time 10 | compare: --time: '10' is not a time with its unit, such as 500ms or 10s
compare --time 10x | compare: --time: '10x' is not a time with its unit, such as 500ms or 10s
compare --time 1h30 | compare: --time: '1h30' is not a time with its unit, such as 500ms or 10s
compare --time 1e3 | compare: --time: '1e3' is not a time with its unit, such as 500ms or 10s
compare --time 0s | compare: --time: '0s' is out of range (50ms to 1h)
compare --time 2h | compare: --time: '2h' is out of range (50ms to 1h)
compare --time 99999999999999999999s | compare: --time: '99999999999999999999s' is out of range (50ms to 1h)
compare --time -1s | compare: --time: '-1s' is not a time with its unit, such as 500ms or 10s
compare --warmup '' | compare: --warmup: '' is not a time with its unit, such as 500ms or 10s
compare --width 5 | compare: --width: '5' is not a percentage such as 5%
compare --width 0% | compare: --width: '0%' is out of range (0.01% to 100%)
compare --width 500% | compare: --width: '500%' is out of range (0.01% to 100%)
compare --repeat-max 1 | compare: --repeat-max: '1' is out of range (2 to 1000)
compare --repeat-max 2.5 | compare: --repeat-max: '2.5' is not a whole number
compare --repeat-min 9 --repeat-max 3 | compare: --repeat-min 9 is more than --repeat-max 3
compare --time-max 10ms | compare: --time-max: '10ms' is out of range (0, or 1s to 24h)
compare --wire-rate 10 | compare: --wire-rate: '10' is not a rate with its unit, such as 100Mbps or 1Gbps
compare --wire-rate 100Gbps | compare: --wire-rate: '100Gbps' is out of range (0, or 1Mbps to 17Gbps)
compare --wire-rate 1kbps | compare: --wire-rate: '1kbps' is out of range (0, or 1Mbps to 17Gbps)
compare --mtu 100 | compare: --mtu: '100' is out of range (576 to 65535)
compare --mtu 1e3 | compare: --mtu: '1e3' is not a size such as 1448, 64k or 1M
compare --mtu 70000 | compare: --mtu: '70000' is out of range (576 to 65535)
compare -6 --mtu 1000 | compare: --mtu 1000 is too small for IPv6, which needs 1280
compare --between machine | compare: --between: 'machine' is not one of: machines, pods
compare --pin 0 | compare: --pin: '0' is not one of: auto, apart, together, none
compare --flows 0 | compare: --flows: '0' is out of range (1 to 1024)
compare --flows 100000 | compare: --flows: '100000' is out of range (1 to 1024)
compare --flows 4x | compare: --flows: '4x' is not a whole number
compare --threads 4 | compare: --threads 4 is more than --flows 1
compare --block 0 | compare: --block: '0' is out of range (1 to 16M)
compare --block 1T | compare: --block: '1T' is not a size such as 1448, 64k or 1M
compare --sndbuf 1 | compare: --sndbuf: '1' is out of range (0, or 2k to 1G)
compare --congestion this-name-is-much-too-long | compare: --congestion: longer than 15 characters
compare --dir up | compare: --dir: 'up' is not one of: each, tx, rx, both
compare --proto sctp | compare: --proto: 'sctp' is not one of: each, tcp, udp
compare --req 0 | compare: --req: '0' is out of range (1 to 1M)
compare --req -1 | compare: --req: '-1' is not a size such as 1448, 64k or 1M
compare --proto udp --req 1 | compare: UDP needs --req and --rsp between 8 and 65507 bytes
compare --path nosuch | compare: unknown path 'nosuch' (see tare list)
compare --path bridge, | compare: --path: 'bridge,' names an empty path
compare --path bridge,,nat | compare: --path: 'bridge,,nat' names an empty path
compare --path '' | compare: --path: '' names an empty path
compare --path "$(printf 'a%.0s' {1..2048})" | compare: --path: longer than 2047 characters
compare --path "$(printf 'a%.0s' {1..256})" | compare: path 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' is too long
compare --path bridge,nosuch | compare: unknown path 'nosuch' (see tare list)
run --path veth:mtu=9000,ipv6,nosuch=1 | run: path 'veth': unknown option 'nosuch', not one of: ipv6, wire-rate, mtu, between
compare --path veth,ipv6 | compare: unknown path 'ipv6' (see tare list)
compare --load nosuch | compare: unknown load 'nosuch' (see tare list)
compare --load '' | compare: --load: '' names an empty load
compare --load rr:nope=1 | compare: load 'rr': unknown option 'nope', not one of: proto, req, rsp, flows, threads, rate, pipeline, under, under-dir
compare --load rr,req=64 | compare: unknown load 'rr,req=64' (see tare list)
compare --load rr:flows=2,threads=4 | compare: --threads 4 is more than --flows 2
compare --rate 1000 | compare: --rate is <rate> to one part and <n> to another: set it there: --rate: '1000' is not a rate with its unit, such as 100Mbps or 1Gbps
compare --rate 1Gbps | compare: --rate is <n> to one part and <rate> to another: set it there: --rate: '1Gbps' is not a whole number
compare --load rr:rate=10000001 | compare: load 'rr': --rate: '10000001' is out of range (0, or 1 to 10000000)
compare --load rr:under-dir=each | compare: --under-dir each is two loads, not one
compare --load crr:flows=2,threads=4 | compare: --threads 4 is more than --flows 2
compare --load "$(printf 'a%.0s' {1..1024})" | compare: --load: longer than 1023 characters
compare --load rr: | compare: load 'rr': unknown option '', not one of: proto, req, rsp, flows, threads, rate, pipeline, under, under-dir
compare --load stream,,rr | compare: --load: 'stream,,rr' names an empty load
compare --load rr:req | compare: load 'rr': --req needs a value
compare --load rr:req=x | compare: load 'rr': --req: 'x' is not a size such as 1448, 64k or 1M
compare --load stream,stream | compare: load 'stream-tx' is asked for twice
compare --load stream:dir=tx,stream:dir=tx | compare: load 'stream-tx' is asked for twice
compare --json --csv | compare: --json and --csv exclude each other
compare extra | compare: unexpected argument 'extra'
compare -- --json | compare: unexpected argument '--json'
run --load rr | run: name one path with --path (see tare list)
run --path all,bridge | run: name one path with --path (see tare list)
run --path all | run: name one path with --path (see tare list)
run --path bridge,nat | run: name one path with --path (see tare list)
run --near host | run: a network that is there needs --near and --far
run --near host --far pid:0 | run: --far: '0' is not the number of a process
run --near nowhere --far host | run: --near: 'nowhere' is not netns:NAME, pid:N, container:ID or host
run --near netns:a/b --far host | run: --near: 'a/b' is not the name of a network namespace
run --near netns: --far host | run: --near: '' is not the name of a network namespace
run --near pid:0 --far host | run: --near: '0' is not the number of a process
run --near pid:1x --far host | run: --near: '1x' is not the number of a process
run --near container:-f --far host | run: --near: '-f' is not the id or name of a container
run --near host:1 --far host | run: --near: nothing stands behind 'host'
run --near host --far host --far-addr ::1 | run: --far-addr: '::1' is an IPv6 address: add -6
run --near host --far host --near-addr 1.2.3 | run: --near-addr: '1.2.3' is not an address
run --near host --far host -6 --near-addr 1.2.3.4 | run: --near-addr: '1.2.3.4' is an IPv4 address: leave out -6
run --near host --far host --path veth | run: name one path with --path (see tare list)
run --near host --far host --between pods | run: path 'existing' can't have both ends in containers of one host
compare --path existing:near=netns:a,far=pid:x | compare: --far: 'x' is not the number of a process
compare --path veth,existing:near=host,far=h.example | compare: path 'veth' does not end on 'h.example' as 'existing:near=host,far=h.example' does
compare --path existing:near=netns:a,far=hosts,existing:near=host,far=hostt | compare: path 'existing:near=host,far=hostt' does not end on 'hosts' as 'existing:near=netns:a,far=hosts' does
run --near host --far host --far-port 0 | run: --far-port: '0' is out of range (1 to 65535)
rr HOST --near nowhere | rr: --near: 'nowhere' is not netns:NAME, pid:N, container:ID or host
run --path vxlan --between pods | run: path 'vxlan' can't have both ends in containers of one host: it is crossed by pods of two nodes only
run --path ipip --ipv6 --mtu 1300 | run: --mtu 1300 leaves 1260 bytes in path 'ipip', and IPv6 needs 1280
run --path vxlan:overlay-mtu=1400 | run: path 'vxlan': --overlay-mtu: '1400' is not one of: lower, keep
run --path service:backends=0 | run: path 'service': --backends: '0' is out of range (1 to 1024)
run --path nat-full:conntrack-fill=101 | run: path 'nat-full': --conntrack-fill: '101' is out of range (1 to 100)
run --path sriov | run: path 'sriov': it needs its <pf>: sriov:<pf>
run --path sriov: | run: path 'sriov': it needs its <pf>: sriov:<pf>
run --path sriov:../lo | run: '../lo' is not a name of a network device
run --path sriov:a-name-that-is-too-long | run: 'a-name-that-is-too-long' is not a name of a network device
run --path sriov:eth0 --wire-rate 1Gbps | run: --wire-rate shapes the wire, which path 'sriov' does not cross
run --path native --between pods | run: path 'native' can't have both ends in containers of one host
run --path native --json extra | run: unexpected argument 'extra'
compare --between pods --wire-rate 1Gbps --path veth | compare: --wire-rate shapes the wire, which pods of one host do not cross
compare --path native --between pods | compare: path 'native' can't have both ends in containers of one host
run --path macvlan:macvlan-mode=private --between pods --load rr | run: with macvlan-mode=private two containers of one host can't talk
run --path tap --mtu 65535 --load rr | run: the MTU of a tap device is at most 65521, not 65535
run --path veth --load rr --req 1 | run: UDP needs --req and --rsp between 8 and 65507 bytes
frames | frames: name what is between the ports: --path (see tare list), or --ports
frames --path bridge --ports a,b | frames: name what is between the ports: --path (see tare list), or --ports
frames --path nosuch | frames: unknown path 'nosuch' (see tare list)
frames --path veth --port-addr 198.18.0.2,198.18.0.3 | frames: --port-addr and --port-gateway belong to --ports
frames --path veth --rate fast | frames: --rate: 'fast' is not a rate a second such as 9001, 1.5M or 1e6
frames --path veth --rate 1kk | frames: --rate: '1kk' is not a rate a second such as 9001, 1.5M or 1e6
frames --path veth --rate 100M | frames: --rate: '100M' is out of range (1 to 20M)
frames --path veth --count 1.5 | frames: --count: '1.5' is not a whole number such as 20000, 1.5M or 1e6
frames --path veth --count -1 | frames: --count: '-1' is not a whole number such as 20000, 1.5M or 1e6
frames --path veth -6 --size 64 | frames: --size 64 is too small: IPv6 frames are at least of 78 bytes
frames --path veth -6 --size 78 --vlan 5 | frames: --size 78 is too small: IPv6 frames with a tag are at least of 82 bytes
frames --path veth --vlan 4095 | frames: --vlan: '4095' is out of range (0 to 4094)
frames --path veth --tx nosuch | frames: unknown sender 'nosuch' (see tare list)
frames --path veth --rx nosuch | frames: unknown receiver 'nosuch' (see tare list)
frames --path veth --dir each | frames: --dir: 'each' is not one of: tx, rx, both
frames --path veth --place here | frames: --place: 'here' is not one of: inline, threaded, rps
frames --path veth --tx-cpu 0-1 | frames: --tx-cpu: '0-1' is not one CPU
frames --path veth --pin both | frames: --pin: 'both' is not one of: none, shared, exclusive
frames --path veth --pin-cpus 0 | frames: --pin-cpus belongs to --pin shared and exclusive
frames --path veth --pin shared --pin-cpus x | frames: --pin-cpus: 'x' is not a CPU list such as 0,2-5
frames --path veth --hog 65 | frames: --hog: '65' is out of range (0 to 64)
frames --path veth --numa first | frames: --numa: 'first' is no number of a node
frames --path veth --rebuild 1 | frames: --rebuild: '1' is out of range (0, or 2 to 100)
frames --path veth --repeat 101 | frames: --repeat: '101' is out of range (0, or 1 to 100)
rfc2544 --sut model --hog 1 | rfc2544: a model takes no CPU, memory or device: of resources, it has --rebuild and --repeat
rfc2544 --sut model --rebuild 2 --resume x | rfc2544: --rebuild and --resume exclude each other: what goes on later is another instantiation
frames --ports eth1 | frames: --ports: 'eth1' is not two devices, as eth1,eth2
frames --ports eth1,eth1 | frames: --ports: 'eth1,eth1' is the same device twice
frames --ports a,b --port-gateway 1.2.3.4 | frames: --port-gateway: '1.2.3.4' is not two addresses with a comma
dns | dns: expected one server, not 0
dns a b | dns: expected one server, not 2
dns ::1 | dns: one of --names and --query-file says what to ask
dns ::1 --names x --query-file y | dns: only one of --names and --query-file says what to ask
dns ::1 --names x --rate 5 --outstanding 5 | dns: --rate is an open loop, --outstanding a closed one
dns ::1 --names x --clients 2 --threads 3 | dns: 3 threads can't share 2 clients
dns ::1 --names x --client-port 65530 | dns: there are no 16 ports from 65530 on
dns ::1 --names x --dnssec --edns-bytes 0 | dns: --dnssec needs EDNS, which --edns-bytes 0 turns off
dns ::1 --names x --min-rate 5 --max-rate 5 | dns: --min-rate is not below --max-rate
dns ::1 --names x --trial-time 11s | dns: --sum-time is shorter than --trial-time
dns ::1 --names x --type NOSUCH | dns: --names, --type: 'NOSUCH' is not a query type
list --quick | list: unknown option '--quick' (see --help)
list nosuch | list: expected paths, loads, meters, senders, receivers, scenarios, resources or containers, not 'nosuch'
list paths loads | list: expected paths, loads, meters, senders, receivers, scenarios, resources or containers, not 'loads'
list --mtu 5 | list: --mtu: '5' is out of range (576 to 65535)
guard extra | guard: unexpected argument 'extra'
guard --policy drop | guard: --policy: 'drop' is not one of: observe, charge, charge+drop
guard --container web | guard: --container: rule 'web': 'web' is not WHO:POLICY
guard --container :charge | guard: --container: rule ':charge': ':charge' is not WHO:POLICY
guard --container 'a:charge;b:pay' | guard: --container: rule 'b:pay': 'pay' is not observe, charge or charge+drop
guard --container 'a:charge;' | guard: --container: rule '': '' is not WHO:POLICY
guard --container a:charge,cpus=0 | guard: --container: rule 'a:charge,cpus=0': --cpus: '0' is out of range (0.001 to 4096)
guard --container a:charge,cpus=2s | guard: --container: rule 'a:charge,cpus=2s': --cpus: '2s' is not such as 0.2 or 200m
guard --container a:charge,cpus=-1 | guard: --container: rule 'a:charge,cpus=-1': --cpus: '-1' is not such as 0.2 or 200m
guard --container a:charge,protect=22/x | guard: --container: rule 'a:charge,protect=22/x': --protect: 'x' is not a port
guard --container a:charge,protect=0 | guard: --container: rule 'a:charge,protect=0': --protect: '0' is not a port
guard --container a:charge,irq=1s | guard: --container: rule 'a:charge,irq=1s': --irq: '1s' is out of range (0, or 1ns to 1ms)
guard --container a:charge,publish=8080 | guard: --container: rule 'a:charge,publish=8080': --publish: '8080' is not such as tcp:8080 or udp:53
guard --container a:charge,publish=tcp:80/udp:0 | guard: --container: rule 'a:charge,publish=tcp:80/udp:0': --publish: 'udp:0' is not such as tcp:8080 or udp:53
guard --container a:charge,publish=sctp:80 | guard: --container: rule 'a:charge,publish=sctp:80': --publish: 'sctp:80' is not such as tcp:8080 or udp:53
guard --container a:charge,publish=tcp:80/ | guard: --container: rule 'a:charge,publish=tcp:80/': --publish: '' is not such as tcp:8080 or udp:53
guard --container a:charge,share=1 | guard: --container: rule 'a:charge,share=1': unknown option 'share', not one of: cpus, protect, publish, irq
guard --config nosuch | guard: --config: cannot open nosuch: No such file or directory
guard --step 1ms | guard: --step: '1ms' is out of range (10ms to 1s)
guard --interval 0 | guard: --interval: '0' is not a time with its unit, such as 500ms or 10s
guard --only | guard: --only needs --netns or --cgroup
search extra | search: unexpected argument 'extra'
search --sut bridge | search: --sut: 'bridge' is not model, or model:name=value,...
search --sut modelrate=1 | search: --sut: 'modelrate=1' is not model, or model:name=value,...
search --sut model:rate=0 | search: --sut: --rate: '0' is out of range (1 to 10G)
search --sut model:rate=1e11 | search: --sut: --rate: '1e11' is not a rate a second such as 9001, 1.5M or 1e6
search --sut model:rate=0.5 | search: --sut: --rate: '0.5' is not a rate a second such as 9001, 1.5M or 1e6
search --sut model:rate=1e6x | search: --sut: --rate: '1e6x' is not a rate a second such as 9001, 1.5M or 1e6
search --sut model:slope=5 | search: --sut: --slope: '5' is not a percentage such as 5%
search --sut model:speed=5 | search: --sut: unknown option 'speed', not one of: rate, queue, slope, collapse, inversion, noise-every, noise-chance, noise, latency, duplicate-every, overhead, seed, recovery, reset, broken-every, uneven
search --search fast | search: --search: 'fast' is not one of: mlr, binary, binary-lv, mrr
search --min-load 2M --max-load 1M | search: --min-load 2000000 is more than --max-load 1000000
search --min-load 0 | search: --min-load: '0' is out of range (1 to 10G)
search --max-load 1e11 | search: --max-load: '1e11' is not a rate a second such as 9001, 1.5M or 1e6
search --min-load 9 --goals ndr,initial=100ms | search: --min-load 9 has no frame in a trial of 100 ms
search --search mrr --min-load 9 --duration 100ms | search: --min-load 9 has no frame in a trial of 100 ms
search --goals '' | search: --goals: '' names an empty goal
search --goals 'ndr;;pdr' | search: --goals: 'ndr;;pdr' names an empty goal
search --goals best | search: --goals: goal 'best': unknown option 'best', not one of: name, loss, exceed, width, initial, final, sum
search --goals loss=100% | search: --goals: goal 'loss=100%': --loss: '100%' is out of range (0% to 99.9999999%)
search --goals loss=0.00000001% | search: --goals: goal 'loss=0.00000001%': --loss: '0.00000001%' is not a percentage such as 0.5%
search --goals ndr,initial=2s | search: --goals: goal 'ndr,initial=2s': initial is longer than final
search --goals ndr,final=30s | search: --goals: goal 'ndr,final=30s': final is longer than sum
search --goals 'ndr;ndr,sum=30s' | search: --goals: two goals are called 'NDR' (see name=)
search --goals 'ndr/pdr/rfc2544/loss=1%/loss=2%/loss=3%/loss=4%/loss=5%/loss=6%' | search: --goals: more than 8 goals
search --search binary --step 1e-3 | search: --step: '1e-3' is not a rate a second such as 9001, 1.5M or 1e6
search --search binary-lv --repeat-max 0 | search: --repeat-max: '0' is out of range (1 to 1000)
search --search mrr --trials 0 | search: --trials: '0' is out of range (1 to 10000)
search --time-max 10 | search: --time-max: '10' is not a time with its unit, such as 500ms or 10s
doc | doc: no document '' (see tare doc --help)
doc nosuch | doc: no document 'nosuch' (see tare doc --help)
doc man nosuch | doc: no page of 'nosuch' (see tare --help)
doc --json | doc: unknown option '--json' (see --help)
doc schema extra | doc: no document 'extra' (see tare doc --help)
rfc2544 --path veth --ipv6 --sizes 64 | rfc2544: --sizes: 64 is too small: IPv6 frames are at least of 78 bytes
rfc2544 | rfc2544: name what is between the ports: --path (see tare list), --ports or --sut
rfc2544 --path veth --sut model | rfc2544: name what is between the ports: --path (see tare list), --ports or --sut
rfc2544 --sut nosuch | rfc2544: --sut: 'nosuch' is not model:<options>
rfc2544 --sut model --port-addr 192.0.2.1,192.0.2.2 | rfc2544: --port-addr and --port-gateway belong to --ports
rfc2544 --sut model --tests nosuch | rfc2544: --tests: 'nosuch' is none of throughput, latency, loss, back-to-back, recovery, reset
rfc2544 --sut model --tests "" | rfc2544: --tests: '' is none of throughput, latency, loss, back-to-back, recovery, reset
rfc2544 --sut model --search-time 2m | rfc2544: --search-time is longer than --final-time
rfc2544 --sut model --reset-after 2m | rfc2544: --reset-after is not within --reset-time
rfc2544 --sut model --json --csv | rfc2544: --json and --csv exclude each other
rfc2544 --sut model --tx nosuch | rfc2544: unknown sender 'nosuch' (see tare list)
rfc2544 --sut model --burst-max 1m | rfc2544: --burst-max: '1m' is out of range (1ms to 30s)
density --topology nosuch | density: --topology: 'nosuch' is neither chain nor pipeline
density --instances 0 | density: --instances: 0 is not between 1 and 16
density --instances 1,2, | density: --instances: '' is not a whole number
density --nfs 2,1 | density: --nfs: '2,1' is not in rising order
density --latency | density: --latency is taken at shares of a goal's rate: it needs --search mlr
density --size 63 | density: --size: frame size '63' is 63 bytes, not between 64 and 9216
density --tx nosuch | density: unknown sender 'nosuch' (see tare list)
density --nf afxdp --mtu 9000 | density: path 'chain': nf=afxdp takes an MTU of at most 1774
ROWS

no_command() {
  local err status=0
  err=$("$tare" 2>&1 >/dev/null) || status=$?
  is "$status" 2 && has "$err" '^Usage: tare COMMAND' && is "$("$tare" 2>/dev/null)" ""
}
ok "no command at all: usage on stderr" no_command

tap_done
