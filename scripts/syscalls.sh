#!/usr/bin/env bash
# Regenerates src/serve/syscalls.inc: the system calls that `tare serve` and its sessions make once the server
# listens, as seen by strace while the server's tests run without the sandbox.
# Usage: syscalls.sh BUILD_DIR
set -euo pipefail
build=$(realpath "${1:?usage: syscalls.sh BUILD_DIR}")
cd "$(dirname "$0")/.."
tests=(tests/cli/serve.py "tests/cli/remote.py ." "tests/cli/crowd.py 2")

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# The tracer is no parent of the server (-DD), so that the tests see its pid and its children as ever.
cat > "$dir/tare" << EOT
#!/bin/sh
exec strace -DD -f -qq -s 32 -o "$dir/trace.\$\$" "$build/src/cmd/tare" "\$@"
EOT
chmod +x "$dir/tare"
for t in "${tests[@]}"; do
	read -ra words <<< "$t"
	/usr/bin/python3 "${words[0]}" "$dir/tare" "${words[@]:1}" --no-sandbox
done

# perf_event_open is refused, not allowed: see serve/confine.c.
# What comes before the line that says it serves belongs to the start, when nothing is confined yet.
for f in "$dir"/trace.*; do
	awk '/write\(2, "tare: serving on/ { on = 1 }
		on && match($0, /^[0-9]+ +([a-z_0-9]+)\(/) { sub(/^[0-9]+ +/, ""); sub(/\(.*/, ""); print }' "$f"
done | grep -vx perf_event_open | sort -u | sed 's/.*/"&",/' > "$dir/list"
[ -s "$dir/list" ] || { echo "syscalls: nothing was seen" >&2 && exit 1; }
cp "$dir/list" src/serve/syscalls.inc
echo "syscalls: $(wc -l < src/serve/syscalls.inc) calls"
