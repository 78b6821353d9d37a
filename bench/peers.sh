#!/bin/bash
# Compares tare with iperf3, nuttcp, sockperf, netperf and neper: one run, interleaved, the same
# pair of network namespaces, the same CPU pins, the same meter; and with what the machine can do
# at best. Needs root. What is measured: peers.py.
#
# Usage: peers.sh [CSV_FILE]
# TARE_PAIR, TARE_LIMITS  tare-pair, tare-limits (default: those of build/bench of this tree)
# TARE             tare itself, also measured as an iperf3 (default: that of build/src/cmd)
# ROUNDS, SECONDS_PER_TRIAL  (5, 2)
# CASES            words out of: stream stream-2 stream-8 udp-64 udp-1472 rr-tcp rr-udp even-tcp
#                  even-udp crr (all)
# CONGESTION       TCP congestion control of all tools (cubic)
# STREAM_OPTIONS   options of tare's stream, as ",block=256k"; the peers keep 128 KiB
# UDP_OPTIONS      options of one more row of tare's udp, as ",rate=1Gbps,gso=on,gro=on"
# IPERF3_NEW       a second iperf3, newer than the installed one
# NETPERF, NETSERVER  netperf's two programs, else looked for in PATH; Debian main has none
# NEPER_DIR        directory of neper's programs
# FOREIGN_CPUS     CPUs that other processes may use before a trial counts as disturbed (0.05)
# RETRIES, QUIET_WAIT_S  how often such a trial is done again (10), and how long a quiet machine
#                  is waited for before each, in s (30)
# Exit status: 0 measured, 1 a trial failed, 2 wrong usage, 3 something is missing.
set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")")
BUILD=$HERE/../build

if (($# > 1)) || [[ ${1:-} == -* ]]; then
	sed -n '2,/^set/{/^set/d;s/^# \?//p}' "$0" >&2
	exit 2
fi
if ((EUID != 0)); then
	echo "peers.sh: run it as root" >&2
	exit 3
fi
for tool in iperf3 nuttcp sockperf; do
	command -v "$tool" > /dev/null && continue
	apt-get install -qq -y --no-install-recommends "$tool" > /dev/null ||
		echo "peers.sh: cannot install $tool, goes on without" >&2
done
export TARE_PAIR=${TARE_PAIR:-$BUILD/bench/tare-pair}
export TARE_LIMITS=${TARE_LIMITS:-$BUILD/bench/tare-limits}
export TARE=${TARE:-$BUILD/src/cmd/tare}
for program in "$TARE_PAIR" "$TARE_LIMITS"; do
	[[ -x $program ]] && continue
	echo "peers.sh: no $program: build it, or set TARE_PAIR and TARE_LIMITS" >&2
	exit 3
done
# peers.py ends whatever it started, and the namespaces live no longer than their agents.
exec python3 -B "$HERE/peers.py" "$@"
