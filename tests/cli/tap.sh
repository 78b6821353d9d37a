# shellcheck shell=bash
# TAP for the cli suite: source it, call ok or skip for each check, then tap_done.
tap_count=0
tap_bad=0

# ok NAME CONDITION...: runs the condition; what it prints is shown when it fails.
ok() {
  local name=$1 out
  shift
  tap_count=$((tap_count + 1))
  if out=$("$@" 2>&1); then
    echo "ok $tap_count - $name"
  else
    echo "not ok $tap_count - $name"
    printf '%s\n' "$out" | sed 's/^/# /'
    tap_bad=$((tap_bad + 1))
  fi
}

skip() {
  tap_count=$((tap_count + 1))
  echo "ok $tap_count - $1 # SKIP $2"
}

# is GOT WANTED
is() {
  [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }
}

# has TEXT PATTERN: an extended regular expression somewhere in it
has() {
  grep -Eq -- "$2" <<<"$1" || { printf 'no match for %s in:\n%s\n' "$2" "$1"; return 1; }
}

tap_done() {
  echo "1..$tap_count"
  [ "$tap_bad" -eq 0 ]
}
