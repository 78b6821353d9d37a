#!/bin/bash
# Installs the Debian packages tare needs, and nothing if they are all there.
# Usage: deps.sh [GROUP...]; build, or check: that plus what the tests need; or what some paths need as
# they run: vm (guests), engine (podman), switch (switches in user space); or metrics (Prometheus, for a test), or
# kernel (to build one for guests).
# Exit status: 0 all there, 2 wrong usage, 3 cannot install and says what to type.
set -euo pipefail

table() {
	cat <<-'EOT'
		build gcc                 compiles tare
		build libc6-dev           C library headers
		build make                short names for the common commands
		build meson               configures the build
		build ninja-build         runs the build
		build pkg-config          finds the libraries
		build clang               compiles BPF programs; second compiler, fuzzing
		build bpftool             makes headers of them
		build libbpf-dev          loads them
		build libxdp-dev          AF_XDP sockets
		build libnl-3-dev         speaks netlink
		build libnl-genl-3-dev    WireGuard's keys and peers
		build libnl-route-3-dev   makes links, addresses, routes
		build libnftables-dev     sets NAT rules
		build libnetfilter-conntrack-dev  fills a connection table
		build libmnl-dev          the same, in batches
		build libjansson-dev      JSON in and out
		build libssl-dev          iperf3's logins, the server's pre-shared key, WireGuard's keys
		build zlib1g-dev          reads /proc/config.gz
		build libcap-ng-dev       drops the server's privileges
		build libseccomp-dev      confines the server to the system calls it uses
		build libarchive-dev      packs what a guest boots
		build libkmod-dev         finds the modules a guest needs
		build libmicrohttpd-dev   serves the metrics of tare charge
		build libldns-dev         makes DNS queries
		build libncurses-dev      the live table of tare charge
		build scdoc               man pages
		build python3             meson, tests
		check libclang-rt-14-dev  clang's sanitizers and fuzzer
		check clang-format        lint of the C code
		check shellcheck          lint of the shell scripts
		check libcmocka-dev       unit and network tests
		check python3-jsonschema  checks JSON output against its schema
		check strace              collects the server's system calls
		check util-linux          unshare and setpriv in tests
		check procps              finds processes left over by a test
		check iperf3              the peer that tare must agree with
		check openssl             makes keys for tests
		check nsd                 a DNS server that tare asks
		check iproute2            second opinion on what tests build
		check tshark              second opinion on the frames that tare sends
		check nftables            second opinion on rules tests set
		check iptables            rules of some NAT paths, of CNI plugins portmap and firewall
		check containernetworking-plugins  CNI plugins that tests run
		vm qemu-system-x86        runs guests
		vm kmod                   indexes the modules of their kernel
		vm iputils-ping           a command for guests in tests
		switch openvswitch-switch paths ovs-netdev, ovs-afxdp, ovs-kernel
		switch dpdk-dev           path dpdk-testpmd
		metrics prometheus        scrapes tare charge; its promtool checks the text
		kernel flex               builds a kernel for guests
		kernel bison              the same
		kernel bc                 the same
		kernel libelf-dev         the same
		kernel dwarves            makes its BTF
		engine podman             the paths podman:NETWORK
		engine runc               starts podman's containers; crun refuses hybrid cgroups
		engine conmon             holds podman's containers
		engine netavark           podman's bridges, rules and published ports
		engine aardvark-dns       podman wants it beside netavark
		engine slirp4netns        network of rootless containers
		engine passt              pasta, their network since podman 5
		engine uidmap             user ids of rootless containers
		engine catatonit          holds their namespaces
	EOT
}

missing() { # GROUP...: "package reason" of those not installed
	local group package reason

	while read -r group package reason; do
		[[ " $* " == *" $group "* || ($group == build && " $* " == *" check "*) ]] || continue
		dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null | grep -qx installed ||
			printf '%s %s\n' "$package" "$reason"
	done < <(table)
}

groups=("${@:-build}")
for group in "${groups[@]}"; do
	[[ $group =~ ^(build|check|vm|kernel|engine|switch|metrics)$ ]] || {
		echo "usage: deps.sh [build|check|vm|kernel|engine|switch|metrics]..." >&2
		exit 2
	}
done

if ! command -v apt-get > /dev/null; then
	for tool in meson ninja pkg-config; do
		command -v "$tool" > /dev/null || {
			echo "deps: no apt-get, and no $tool; tare needs the equivalents of the packages in $0" >&2
			exit 3
		}
	done
	echo "deps: no apt-get; going on with the tools there are"
	exit 0
fi

list=$(missing "${groups[@]}")
if [[ -z $list ]]; then
	echo "deps: all packages for '${groups[*]}' are installed"
	exit 0
fi
echo "deps: will install"
while read -r package reason; do
	printf '  %-20s %s\n' "$package" "$reason"
done <<< "$list"
mapfile -t packages < <(cut -d' ' -f1 <<< "$list")

root=()
if ((EUID != 0)); then
	if ! command -v sudo > /dev/null; then
		echo "deps: neither root nor sudo; as root, type: apt-get install ${packages[*]}" >&2
		exit 3
	fi
	root=(sudo)
fi
"${root[@]}" apt-get update -qq || echo "deps: apt-get update failed; trying with the lists there are" >&2
"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
	apt-get install --no-install-recommends -y -qq "${packages[@]}" || {
	echo "deps: could not install; as root, type: apt-get install ${packages[*]}" >&2
	exit 3
}
