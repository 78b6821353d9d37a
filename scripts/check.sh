#!/bin/bash
# make check: builds with gcc and clang, runs every test, then those of unit, net and fuzz-smoke that are
# about our own C again under the sanitizers, and sums up. A failure does not stop the rest.
# Usage: check.sh [GROUP...]; groups of deps.sh besides check. With vm, guests are tested, too (make check-vm).
# Exit status: 0 when all is well, else 1.
set -euo pipefail
cd "$(dirname "$0")/.."

meson=/usr/bin/meson
[[ -x $meson ]] || meson=meson
logs=()

build() { # DIR CC SETUP_ARGS...
	local dir=$1 cc=$2

	shift 2
	echo "== build $dir with $cc"
	if [[ ! -f $dir/build.ninja ]]; then
		CC=$cc "$meson" setup "$dir" "$@" > "$dir.log" 2>&1 || {
			cat "$dir.log"
			return 1
		}
		rm "$dir.log"
	elif [[ $dir == build ]]; then # as make left it
		"$meson" configure "$dir" -Dwerror=true > /dev/null || return
	fi
	if [[ $dir == build-clang ]]; then
		ninja -C "$dir" --quiet src/cmd/tare
	else
		ninja -C "$dir" --quiet
	fi
}

# A missing log counts as a failed test, so a build that fails names one that is not there.
broken() { # DIR
	echo "check: $1 DOES NOT BUILD"
	logs+=("$1/meson-logs/does-not-build")
}

run() { # DIR LOG MESON_TEST_ARGS...
	local dir=$1 log=$1/meson-logs/$2.json

	rm -f "$log"
	echo "== test $dir, $2"
	logs+=("$log")
	"$meson" test -C "$dir" --no-rebuild --logbase "$2" "${@:3}" || true
}

scripts/deps.sh check "$@" || echo "check: going on; what lacks its tool is skipped or fails"
measured=(net cli)
if [[ " $* " == *" vm "* ]]; then
	scripts/guest-kernel.sh || echo "check: going on; without a kernel for guests, what boots one is skipped"
	measured+=(vm)
else
	echo "check: guests of QEMU are not tested: make check-vm, or make check-all for all in one"
fi

# Tests share the CPUs: those that measure run one at a time.
if build build gcc --werror; then
	run build parallel --no-suite net --no-suite cli --no-suite vm
	run build serial "${measured[@]/#/--suite=}" --num-processes 1
else
	broken build
fi
export ASAN_OPTIONS=abort_on_error=1:halt_on_error=1
export UBSAN_OPTIONS=abort_on_error=1:halt_on_error=1:print_stacktrace=1
if build build-san clang --native-file dev.ini; then
	run build-san san-parallel --suite unit --suite fuzz-smoke --timeout-multiplier 3
	run build-san san-serial --suite net --no-suite once --num-processes 1 --timeout-multiplier 3
else
	broken build-san
fi

echo
exec tests/summary.py "${logs[@]}"
