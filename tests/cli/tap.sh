# shellcheck shell=bash
# TAP for the cli suite: source it, call ok or skip for each check, then tap_done.
tap_count=0
tap_bad=0

# point STATUS NAME TEXT
point() {
  tap_count=$((tap_count + 1))
  if [ "$1" -eq 0 ]; then
    echo "ok $tap_count - $2"
  else
    echo "not ok $tap_count - $2"
    printf '%s\n' "$3" | sed 's/^/# /'
    tap_bad=$((tap_bad + 1))
  fi
}

# ok NAME CONDITION...: runs the condition; what it prints is shown when it fails.
ok() {
  local out status=0
  out=$("${@:2}" 2>&1) || status=$?
  point "$status" "$1" "$out"
}

# later NAME CONDITION...: as ok, but beside others that mostly wait; together shows them in order. Their output goes to
# the folder tap_folder.
tap_names=() tap_pids=() tap_folder=
later() {
  ("${@:2}" || exit 1) >"$tap_folder/${#tap_names[@]}" 2>&1 &
  tap_pids+=($!)
  tap_names+=("$1")
}

together() {
  local i status
  for i in "${!tap_names[@]}"; do
    status=0
    wait "${tap_pids[i]}" || status=$?
    point "$status" "${tap_names[i]}" "$(<"$tap_folder/$i")"
  done
  tap_names=() tap_pids=()
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
