#!/bin/bash
# Compares tare with iperf3, nuttcp, sockperf and netperf: one run, interleaved, the same pair of
# network namespaces, the same CPU pins, the same meter. Needs root. What is measured: peers.py.
#
# Usage: peers.sh [CSV_FILE]
# TARE_PAIR        tare-pair (default: build/bench/tare-pair of this tree)
# ROUNDS, SECONDS_PER_TRIAL  (5, 2)
# CASES            words out of: stream rr-tcp rr-udp even-tcp even-udp (all)
# CONGESTION       TCP congestion control of all tools (cubic)
# STREAM_OPTIONS   options of tare's stream, as ",block=256k"; the peers keep 128 KiB
# NETPERF, NETSERVER  netperf's two programs, else looked for in PATH; Debian main has none
# Exit status: 0 measured, 1 a trial failed, 2 wrong usage, 3 something is missing.
set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")")

if (($# > 1)) || [[ ${1:-} == -* ]]; then
	sed -n '2,/^set/s/^# \?//p' "$0" >&2
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
export TARE_PAIR=${TARE_PAIR:-$HERE/../build/bench/tare-pair}
if [[ ! -x $TARE_PAIR ]]; then
	echo "peers.sh: no $TARE_PAIR: build it, or set TARE_PAIR" >&2
	exit 3
fi
# peers.py ends whatever it started, and the namespaces live no longer than their agents.
exec python3 "$HERE/peers.py" "$@"
