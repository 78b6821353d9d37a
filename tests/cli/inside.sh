# shellcheck shell=bash
# inside TOOLS WORDS...: the script goes on, with its WORDS, in network and mount namespaces of its own, where
# names of namespaces are nobody else's. Skips when a tool is missing, or the kernel refuses.
inside() {
  local tool reason users=()

  if [ -n "${TARE_TEST_INSIDE:-}" ]; then
    mount -t tmpfs none /run
    ip link set lo up
    return
  fi
  [ "$(id -u)" -eq 0 ] || users=(--map-root-user)
  for tool in unshare ip $1; do
    command -v "$tool" >/dev/null || { echo "1..0 # SKIP there is no program $tool"; exit 0; }
  done
  if ! reason=$(unshare "${users[@]}" --net --mount true 2>&1); then
    echo "1..0 # SKIP $reason"
    exit 0
  fi
  TARE_TEST_INSIDE=yes exec unshare "${users[@]}" --net --mount --fork --kill-child "$0" "${@:2}"
}
