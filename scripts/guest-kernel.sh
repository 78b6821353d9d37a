#!/bin/bash
# Unpacks Debian's current kernel for the guests of vm-* paths; nothing is installed or booted here.
# Usage: guest-kernel.sh [DIR [PACKAGE]]; DIR is /var/lib/tare/guest by default, see tare run --guest-dir.
# PACKAGE needs the kernel wanted: linux-image-amd64 by default, or linux-image-6.12-amd64 (Debian 12 has it, too).
# Exit status: 0 there is one, 3 none can be had.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod

dir=${1:-/var/lib/tare/guest}
meta=${2:-linux-image-amd64}

say() { echo "guest-kernel: $*" >&2; }

# What was unpacked before does as well.
give_up() {
	local old

	for old in "$dir"/boot/vmlinuz-*; do
		[[ -f $dir/lib/modules/${old#*/vmlinuz-}/modules.dep.bin ]] || continue
		say "$*; going on with ${old#*/vmlinuz-}, which is in $dir"
		exit 0
	done
	say "$*"
	exit 3
}

# An empty package needs the current one.
find_package() {
	package=$(apt-cache depends "$meta" 2> /dev/null |
		awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
	[[ -n $package ]]
}

is_there() { # RELEASE
	[[ -f $dir/boot/vmlinuz-$1 && -f $dir/lib/modules/$1/modules.dep.bin ]] || return 1
	echo "guest-kernel: $1 is in $dir"
}

download() { # DIR
	echo "guest-kernel: downloading $package"
	(cd "$1" && apt-get -o APT::Sandbox::User=root download -qq "$package")
}

for tool in apt-cache apt-get dpkg depmod; do
	command -v "$tool" > /dev/null ||
		give_up "no $tool; unpack a kernel with modules to $dir/boot and $dir/lib/modules, then run depmod -b $dir"
done
if find_package && is_there "${package#linux-image-}"; then
	exit 0
fi

mkdir -p "$dir/boot" "$dir/lib/modules" || give_up "can't write to $dir; as root, or name another folder"
# In the folder itself: the modules are some 300 MB, and are moved.
tmp=$(mktemp -d "$dir/.unpack-XXXXXX") || give_up "can't write to $dir; as root, or name another folder"
trap 'rm -rf "$tmp"' EXIT
# Lists that are missing, or older than the archive, are the usual reason for failing.
if [[ -z $package ]] || ! download "$tmp"; then
	apt-get update -qq || say "apt-get update failed"
	find_package || give_up "apt knows no $meta"
	is_there "${package#linux-image-}" && exit 0
	download "$tmp" || give_up "apt can't download $package"
fi
release=${package#linux-image-}
dpkg -x "$tmp"/*.deb "$tmp/x" || give_up "can't unpack $package"
rm -rf "$dir/lib/modules/$release"
mv "$tmp/x/lib/modules/$release" "$dir/lib/modules/"
depmod -b "$dir" "$release"
# The kernel last: it is what is_there() looks for.
mv "$tmp/x/boot/vmlinuz-$release" "$dir/boot/"
echo "guest-kernel: $release is in $dir"
