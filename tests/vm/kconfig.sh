#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A kernel that cannot start the helper, or in which the helper cannot do its
# work, cannot be configured.
#
# kernel: y
# where: host
# timeout: 300

. vm/common.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
src=$(find "$cache" -maxdepth 1 -name 'src-*' ! -name '*.tmp')

# The kernel's tree with the kern/ of this checkout in it; another one may have
# been the last that was put into the cache's.
mkdir -p "$work/tree/net"
find "$src" -mindepth 1 -maxdepth 1 ! -name net -exec ln -s -t "$work/tree" {} +
find "$src/net" -mindepth 1 -maxdepth 1 ! -name bpfilter -exec ln -s -t "$work/tree/net" {} +
ln -s "$top/kern/net/bpfilter" "$work/tree/net/bpfilter"

# configured LINE...: what becomes of the configuration of $KERNEL with these lines.
configured() {
	mkdir -p "$work/obj"
	(cat "$KERNEL/config"; printf '%s\n' "$@") >"$work/wanted"
	make -s -C "$work/tree" O="$work/obj" ARCH="$(cat "$KERNEL/cpu")" KCONFIG_ALLCONFIG="$work/wanted" allnoconfig >"$work/log" 2>&1 ||
		{ cat "$work/log"; return 1; }
}
is() { # LINE
	grep -qx "$1" "$work/obj/.config" || { echo "no $1"; return 1; }
}

configured
is CONFIG_BPFILTER_UMH=y
configured CONFIG_STATIC_USERMODEHELPER=y 'CONFIG_STATIC_USERMODEHELPER_PATH=""'
is CONFIG_STATIC_USERMODEHELPER=y
if grep -qx CONFIG_BPFILTER_UMH=y "$work/obj/.config"; then exit 1; fi
# The helper's executable lies in a file of tmpfs.
configured CONFIG_TMPFS=n CONFIG_HUGETLBFS=y
is CONFIG_MEMFD_CREATE=y
if grep -qx CONFIG_BPFILTER_UMH=y "$work/obj/.config"; then exit 1; fi
# The kernel half copies what the helper gets of a caller's memory.
configured CONFIG_CROSS_MEMORY_ATTACH=n
is CONFIG_BPFILTER_UMH=y
if grep -qx CONFIG_CROSS_MEMORY_ATTACH=y "$work/obj/.config"; then exit 1; fi
