#!/usr/bin/env bash
# make fuzz: every fuzz target under libFuzzer with ASan and UBSan, FUZZ_SECONDS each (60).
# New inputs go to build-fuzz/corpus and what crashes to build-fuzz/TARGET-crash-*, not into the tree.
set -euo pipefail
cd "$(dirname "$0")/.."
meson=$(command -v /usr/bin/meson || command -v meson)

[ -f build-fuzz/build.ninja ] || CC=clang "$meson" setup build-fuzz --native-file dev.ini \
  -Dc_args=-fsanitize=fuzzer-no-link
ninja -C build-fuzz
libs=(serve charge report finding iperf bench path load frame wire meter cni sys stat base)
targets=(num opt doc cpustat affinity procnet udp_seq iperf_params iperf_results iperf_ctl rsa_token
  sniff cidr greet cni_conf cni_result labfile frame_count container_path)
packages=(jansson libarchive libbpf libcap-ng libcrypto libkmod libmnl libnetfilter_conntrack libnftables
  libnl-3.0 libnl-genl-3.0 libnl-route-3.0 libseccomp zlib)
for target in "${targets[@]}"; do
  objects=()
  for lib in "${libs[@]}"; do objects+=("build-fuzz/src/$lib/lib$lib.a"); done
  # shellcheck disable=SC2046
  clang -std=gnu17 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -Itests/fuzz \
    "tests/fuzz/$target.c" -Wl,--start-group "${objects[@]}" -Wl,--end-group \
    $(pkg-config --libs "${packages[@]}") \
    -lm -lpthread \
    -o "build-fuzz/$target"
  mkdir -p "build-fuzz/corpus/$target"
  "build-fuzz/$target" -max_total_time="${FUZZ_SECONDS:-60}" -print_final_stats=1 \
    -artifact_prefix="build-fuzz/$target-" \
    "build-fuzz/corpus/$target" "tests/fuzz/corpus/$target"
done
