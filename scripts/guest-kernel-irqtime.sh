#!/bin/bash
# Builds a kernel with IRQ_TIME_ACCOUNTING for tare guest, for its tests: Debian's kernels have it unset, so it is
# Debian's source with the few things that the tests need (guest-kernel-irqtime.config). Takes some ten minutes.
# Usage: guest-kernel-irqtime.sh [DIR [PACKAGE]]; DIR is /var/lib/tare/guest-irqtime by default, PACKAGE, which has the
# source, linux-source-6.12. What it needs: deps.sh kernel.
# Exit status: 0 there is one, 3 none can be had.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod

dir=${1:-/var/lib/tare/guest-irqtime}
package=${2:-linux-source-6.12}
config=$(realpath "$(dirname "$0")/guest-kernel-irqtime.config")

give_up() {
	echo "guest-kernel-irqtime: $*" >&2
	exit 3
}

# An option that this source does not know, or does not let us have, is left out without a word.
configure() {
	local line

	make -s KCONFIG_ALLCONFIG="$config" allnoconfig || give_up "can't configure it"
	while read -r line; do
		grep -qxF "$line" .config || give_up "$package takes no $line"
	done < <(grep ^CONFIG_ "$config")
}

for old in "$dir"/boot/vmlinuz-*; do
	[[ -f $old && -f $dir/lib/modules/${old#*/vmlinuz-}/modules.dep.bin ]] || continue
	echo "guest-kernel-irqtime: ${old#*/vmlinuz-} is in $dir"
	exit 0
done
mkdir -p "$dir/boot" || give_up "can't write to $dir; as root, or name another folder"
tmp=$(mktemp -d "$dir/.build-XXXXXX") || give_up "can't write to $dir; as root, or name another folder"
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
echo "guest-kernel-irqtime: downloading $package"
apt-get -o APT::Sandbox::User=root download -qq "$package" || give_up "apt can't download $package: apt-get update"
dpkg -x ./*.deb . || give_up "can't unpack $package"
tar -xf usr/src/linux-source-*.tar.xz
cd linux-source-*/
configure
echo "guest-kernel-irqtime: building"
make -s -j"$(nproc)" bzImage > ../log 2>&1 || {
	tail -n 20 ../log >&2
	give_up "can't build it"
}
release=$(make -s kernelrelease)
# All is built in.
mkdir -p "$dir/lib/modules/$release"
cp modules.builtin modules.builtin.modinfo "$dir/lib/modules/$release/"
: > "$dir/lib/modules/$release/modules.order"
depmod -b "$dir" "$release"
cp .config "$dir/boot/config-$release"
# Last: it is what is looked for.
cp arch/x86/boot/bzImage "$dir/boot/vmlinuz-$release"
echo "guest-kernel-irqtime: $release is in $dir"
