#!/bin/bash
# Unpacks Debian's current kernel for the guests of vm-* paths; nothing is installed or booted here.
# Usage: guest-kernel.sh [DIR]; DIR is /var/lib/tare/guest by default, see tare run --guest-dir.
# Exit status: 0 it is there, 3 it can't be had.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod

dir=${1:-/var/lib/tare/guest}

die() {
	echo "guest-kernel: $*" >&2
	exit 3
}

for tool in apt-cache apt-get dpkg depmod; do
	command -v "$tool" > /dev/null ||
		die "no $tool; unpack a kernel with modules to $dir/boot and $dir/lib/modules, then run depmod -b $dir"
done

# linux-image-amd64 is an empty package that needs the current one.
package=$(apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
[[ -n $package ]] || die "apt knows no linux-image-amd64 (apt-get update?)"
release=${package#linux-image-}
if [[ -f $dir/boot/vmlinuz-$release && -f $dir/lib/modules/$release/modules.dep.bin ]]; then
	echo "guest-kernel: $release is in $dir"
	exit 0
fi

mkdir -p "$dir/boot" "$dir/lib/modules" || die "can't write to $dir; as root, or name another folder"
# In the folder itself: the modules are some 300 MB, and are moved.
tmp=$(mktemp -d "$dir/.unpack-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
echo "guest-kernel: downloading $package"
(cd "$tmp" && apt-get -o APT::Sandbox::User=root download -qq "$package") || die "apt can't download $package"
dpkg -x "$tmp"/*.deb "$tmp/x"
rm -rf "$dir/lib/modules/$release"
mv "$tmp/x/lib/modules/$release" "$dir/lib/modules/"
depmod -b "$dir" "$release"
mv "$tmp/x/boot/vmlinuz-$release" "$dir/boot/"
echo "guest-kernel: $release is in $dir"
