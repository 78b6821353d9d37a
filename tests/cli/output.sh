#!/usr/bin/env bash
# Where output goes, and what happens when it can't: streams, exit statuses, help, progress.
set -euo pipefail
tare=$1
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tap"
tap_folder=$dir/tap
# Every path is built for such a list, which is waiting: beside the rest, and each is asked for once.
listed() { # KIND WORDS...
  "$tare" list "${@:2}" >"$dir/list-$1" &
}
listed all
listed verbose paths --verbose
listed paths paths

short=(run --path veth --load rr:proto=tcp --time 50ms --warmup 10ms --repeat-min 2 --repeat-max 2 --softirq off)

# fails STATUS PATTERN COMMAND...: exit status and something on stderr
fails() {
  local wanted=$1 pattern=$2 err status=0
  shift 2
  err=$("$@" 2>&1 >/dev/null) || status=$?
  is "$status" "$wanted" && has "$err" "$pattern"
}
# prints PATTERN WORDS...: exit status 0, something on stdout, nothing on stderr
prints() {
  local pattern=$1 out err status=0
  shift
  out=$("$tare" "$@" 2>"$dir/err") || status=$?
  err=$(<"$dir/err")
  is "$status" 0 && is "$err" "" && has "$out" "$pattern"
}
to_full_disk() { "$tare" "$@" >/dev/full; }
to_nowhere() { "$tare" "$@" >&-; }
# The reader is gone before the first byte is written.
to_closed_pipe() {
  local status=0
  mkfifo "$dir/pipe"
  exec 3<>"$dir/pipe"
  exec 4>"$dir/pipe" 3>&-
  "$tare" "$@" >&4 4>&- || status=$?
  exec 4>&-
  rm "$dir/pipe"
  return "$status"
}
# on_terminal WORDS...: what a terminal shows of stderr
on_terminal() {
  /usr/bin/python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) and 1)' \
    bash -c '"$@" >/dev/null' bash "$tare" "$@"
}

can_run=yes
reason=$("$tare" "${short[@]}" --quiet 2>&1 >/dev/null) || can_run=no

if [ "$can_run" = yes ]; then
  for form in "" --json --csv; do
    words=("${short[@]}" --quiet ${form:+"$form"})
    later "full disk, ${form:-text}" fails 3 'cannot write the report: No space left' \
      to_full_disk "${words[@]}"
    later "closed stdout, ${form:-text}" fails 3 'cannot write the report: Bad file descriptor' \
      to_nowhere "${words[@]}"
    later "reader gone, ${form:-text}" fails 3 'cannot write the report: Broken pipe' \
      to_closed_pipe "${words[@]}"
    together
  done
  no_streams() { has "$("$tare" "${short[@]}" --json <&- 2>&-)" '"complete": true'; }
  later "closed stdin and stderr: all the same" no_streams
  later "--quiet: nothing on stderr" prints '^Linux' "${short[@]}" --quiet
  "$tare" "${short[@]}" --json >"$dir/out" 2>"$dir/progress" || true
  together
  lines() {
    local err
    err=$(<"$dir/progress")
    is "$(grep -c '^tare: trial [1-4] of at most 4: rr-tcp on ' <<<"$err")" 4 &&
      is "$(tr -cd '\r\033' <<<"$err")" ""
  }
  ok "progress is a line per trial on stderr" lines
  ok "progress is not on stdout" /usr/bin/python3 -m json.tool "$dir/out"
  bar() {
    local err
    err=$(on_terminal "${short[@]}")
    has "$err" $'\r' && has "$(tr '\r' '\n' <<<"$err")" '\[#+\.*\] [0-9] of at most 4 trials'
  }
  later "progress is a bar on a terminal" bar
  quiet_there() { is "$(on_terminal "${short[@]}" --quiet)" ""; }
  later "--quiet: nothing on a terminal either" quiet_there
  condition() { fails 1 '^$' "$tare" "${short[@]}" --quiet --fail-width --width 0.01%; }
  later "--fail-width: exit status 1" condition
  failing() {
    local out status=0
    out=$("$tare" run --path veth --load stream:dir=tx --congestion nosuch --quick --quiet) ||
      status=$?
    is "$status" 4 && has "$out" "stream-tx on veth failed: .*congestion control 'nosuch'"
  }
  later "a failed trial: exit status 4, reason in the report" failing
  together
else
  skip "output of a run" "$reason"
fi

# accepted COMMAND LINE: a plan is made of it, and only then refused for asking two forms
accepted() {
  local words
  read -ra words <<<"$1"
  fails 2 'exclude each other' "$tare" "${words[@]:1}" --csv --json
}
for command in compare run rfc2544 charge guard list doc; do
  ok "$command --help: on stdout" prints "^Usage: tare $command" "$command" --help
  two_examples() { [ "$("$tare" "$command" --help | grep -c '^  tare ')" -ge 2 ]; }
  ok "$command --help: two examples at least" two_examples
  short_lines() { ! "$tare" "$command" --help | grep -v '^Usage: ' | grep -qE '^.{101}'; }
  ok "$command --help: lines of 100 columns at most" short_lines
  [[ $command =~ ^(charge|guard|list|doc)$ ]] && continue
  while read -r example; do
    ok "example: $example" accepted "$example"
  done < <("$tare" "$command" --help | grep '^  tare ')
done
ok "--version names the method" prints '^tare [0-9.]+ \(method [0-9]+\)$' --version
ok "--help lists the commands" prints '^  compare ' --help
for words in --help --version 'compare --help' 'list loads' 'doc schema' 'doc man'; do
  read -ra words <<<"$words"
  ok "full disk, ${words[*]}" fails 3 'cannot write the output' to_full_disk "${words[@]}"
  ok "closed stdout, ${words[*]}" fails 3 'cannot write the output' to_nowhere "${words[@]}"
  ok "reader gone, ${words[*]}" fails 3 'cannot write the output' to_closed_pipe "${words[@]}"
done
completion=$("$tare" doc completion)
wait
declare -A list=([all]=$(<"$dir/list-all") [paths]=$(<"$dir/list-paths"))
for kind in loads meters senders receivers scenarios resources; do
  list[$kind]=$("$tare" list "$kind")
done
verbose=$(<"$dir/list-verbose")
# rows KIND: names in a list, each with whether it works here, without what argument they take
rows() { sed -En 's/^ +([a-z0-9-]+)(:<[a-z]+>)? +(yes|no) .*/\1/p' <<<"${list[$1]}"; }
# offered OPTION: the words that the completion has for it
offered() { sed -En "s/.* \\| $1\\) words=\"([^\"]*)\".*/\\1/p" <<<"$completion" | tr ' ' '\n'; }
families() { sed -En 's/^  ([a-z-]+) *$/\1/p' <<<"${list[paths]}"; }
missing() { comm -13 <(sed 's/:$//' | sort) <("$@" | sort); }
ok "list: native and more paths" has "$(rows paths | tr '\n' ' ')" '^native [a-z]'
twice() { rows paths | sort | uniq -d; }
ok "list: no path twice" is "$(twice)" ""
ok "completion: every path" is "$(offered --path | missing rows paths)" ""
ok "completion: every family" is "$(offered --path | missing families)" ""
ok "completion: the loads" is "$(offered --load)" "$(rows loads)"
ok "list: seven meters" is "$(rows meters | wc -l)" 7
ok "list: all of them" is "$(rows all)" "$(rows paths; rows loads; rows meters; rows senders; rows receivers; rows scenarios; rows resources)"
ok "list: containers, when asked for" prints '^ +kind +id +name +netns +devices +cgroup' list containers
shown() { sed -En 's/^([a-z0-9-]+)(:<[a-z]+>)?: .*/\1/p' <<<"$verbose"; }
ok "list --verbose: the same paths" is "$(shown)" "$(rows paths)"
facts() { grep -Ec "^  $1 +[^ ]" <<<"$verbose"; }
for fact in here family hops crosses needs; do
  ok "list --verbose: $fact of each" is "$(facts "$fact")" "$(rows paths | wc -l)"
done
ok "list --verbose: options" has "$verbose" '^ +--near <where> +[a-z]'
completes() { # completes WANTED WORDS...: the last one is the one to complete
  local wanted=$1
  shift
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  # shellcheck source=/dev/null
  . <(echo "$completion")
  _tare
  is "${COMPREPLY[*]}" "$wanted"
}
ok "completion of a path" completes "hostnet" tare compare --path hostn
ok "completion of a second path" completes "veth,native" tare compare --path veth,nati
ok "completion of words" completes "lab-schema" tare doc lab
ok "completion is bash" bash -n <("$tare" doc completion)

tap_done
