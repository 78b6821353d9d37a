#!/bin/bash
# Compares how evenly tare, iperf3 and nuttcp send UDP: 1200-byte datagrams at 100 Mbit/s over one
# veth pair, timed by an observer of its own on the receiving device. Needs root. How: udp_gaps.py.
#
# Usage: udp_gaps.sh [CSV_FILE]
# TARE_PAIR        tare-pair (default: build/bench/tare-pair of this tree)
# TARE             tare itself, also measured as an iperf3 (default: that of build/src/cmd)
# ROUNDS, SECONDS_PER_TRIAL  (3, 5)
# QDISC            none; or fq: sch_fq on the sender's device, and what uses it (none)
# IPERF3_NEW       a second iperf3, newer than the installed one
# FOREIGN_CPUS, RETRIES, QUIET_WAIT_S  see peers.sh
# Exit status: 0 measured, 1 a trial failed, 2 wrong usage, 3 something is missing.
set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")")
BUILD=$HERE/../build

if (($# > 1)) || [[ ${1:-} == -* ]]; then
	sed -n '2,/^set/{/^set/d;s/^# \?//p}' "$0" >&2
	exit 2
fi
if ((EUID != 0)); then
	echo "udp_gaps.sh: run it as root" >&2
	exit 3
fi
export TARE_PAIR=${TARE_PAIR:-$BUILD/bench/tare-pair}
export TARE=${TARE:-$BUILD/src/cmd/tare}
if [[ ! -x $TARE_PAIR ]]; then
	echo "udp_gaps.sh: no $TARE_PAIR: build it, or set TARE_PAIR" >&2
	exit 3
fi
# udp_gaps.py ends whatever it started, and the namespaces live no longer than their agents.
exec python3 -B "$HERE/udp_gaps.py" "$@"
