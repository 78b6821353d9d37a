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
beside= # process group of what runs in the background

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
	# Guests that boot beside it have the CPU first.
	nice ninja -C "$dir" --quiet
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

# As run, in the background; end_beside shows what it said.
run_beside() {
	echo "== test $1, $2, in the background"
	logs+=("$1/meson-logs/$2.json")
	beside_said=$1/meson-logs/$2.out
	set -m # a process group of its own, in which SIGINT is not ignored
	{
		trap : TERM # meson ends the tests, and is waited for
		run "$@"
	} > "$beside_said" 2>&1 &
	beside=$!
	set +m
}

end_beside() {
	[[ $beside ]] || return 0
	wait "$beside" || true
	beside=
	cat "$beside_said"
}

stop_beside() {
	[[ $beside ]] || return 0
	kill -TERM -- "-$beside" || true
	wait "$beside" || true
}

trap stop_beside EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

scripts/deps.sh check "$@" || echo "check: going on; what lacks its tool is skipped or fails"
guests=no
if [[ " $* " == *" vm "* ]]; then
	scripts/guest-kernel.sh || echo "check: going on; without a kernel for guests, what boots one is skipped"
	guests=yes
else
	echo "check: guests of QEMU are not tested: make check-vm, or make check-all for all in one"
fi

# Tests share the CPUs: those of suite alone measure, or look at the whole machine. Guests, of whom nothing is measured,
# are tested beside the next build; beside tests that wait they starve them, and are starved.
if build build gcc --werror; then
	run build parallel --no-suite net --no-suite cli --no-suite vm
	run build waiting --suite net --suite cli --no-suite alone --num-processes 2
	run build alone --suite alone --num-processes 1
	if [[ $guests == yes ]]; then
		run_beside build vm --suite vm --num-processes 2
	fi
else
	broken build
fi
export ASAN_OPTIONS=abort_on_error=1:halt_on_error=1
export UBSAN_OPTIONS=abort_on_error=1:halt_on_error=1:print_stacktrace=1
if build build-san clang --native-file dev.ini; then
	run build-san san-parallel --suite unit --suite fuzz-smoke --timeout-multiplier 3
	end_beside
	run build-san san-serial --suite net --no-suite once --num-processes 2 --timeout-multiplier 3
else
	broken build-san
fi
end_beside

echo
tests/summary.py "${logs[@]}"
