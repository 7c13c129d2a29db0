# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Folders that hold a Debian. Sourced after common.sh.
#
# Owns: how packages get into such a folder, how something runs in it, and those that
# guests and kernels of another CPU than this machine's are made with. Nothing of it is
# installed.
# Whoever makes one holds the cache's lock.

. "$top/tools/cpus.sh"

# unpack_debian ROOT SUITE BESIDE ARCHITECTURES PACKAGES: with all that they depend on.
# BESIDE is a suite that they need, too, or empty; what is of the kernel comes from SUITE,
# also where it needs a package of its own that the other one has in an older version.
unpack_debian() {
	local sources=("deb http://deb.debian.org/debian $2 main")
	[ -z "$3" ] || sources+=("deb http://deb.debian.org/debian $3 main")
	rm -rf "$1" "$1.tmp"
	mkdir -p "${1%/*}"
	# It has sh write to the next free descriptor, and sh knows one digit.
	mmdebstrap --mode=root --variant=extract --architectures="$4" --aptopt='Apt::Install-Recommends "false"' \
		--setup-hook='mkdir -p "$1/etc/apt/preferences.d"; printf "Package: linux-*\nPin: release n='"$2"'\nPin-Priority: 900\n" >"$1/etc/apt/preferences.d/linux"' \
		--include="dash,bash,coreutils,sed,grep,findutils,diffutils,mawk,make,$5" \
		"$2" "$1.tmp" "${sources[@]}" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
	ln -sf mawk "$1.tmp/usr/bin/awk"
	mkdir -p "$1.tmp/proc" "$1.tmp/dev" "$1.tmp/tmp" "$1.tmp$top"
	mv "$1.tmp" "$1"
}

# inside ROOT COMMAND...: runs it as root of that folder, with this checkout and the cache
# in their places. Its mounts go with it, however it ends.
inside() {
	unshare -m sh -ec '
		root=$1 top=$2 cache=$3
		shift 3
		mount -t proc proc "$root/proc"
		mount --bind /dev/null "$root/dev/null" 2>/dev/null || { : >"$root/dev/null"; mount --bind /dev/null "$root/dev/null"; }
		for folder in "$top" "$cache"; do
			mkdir -p "$root$folder"
			mount --bind "$folder" "$root$folder"
		done
		exec chroot "$root" "$@"' sh "$1" "$top" "$cache" "${@:2}"
}

# guest_of CPU: sets what cpu() does; guest_umh, the helper for it, as `make umh` builds
# it; and guest_root: where programs and libraries of Debian for it are, made if need
# be. That is this machine itself for its own CPU.
guest_of() {
	local own packages name
	own=$(cpu_of_machine)
	if [ "$1" = "$own" ]; then
		guest_root=/ guest_umh=$umh
		cpu "$1"
		return
	fi
	packages='' guest_umh=$top/target/$1/bpfilter_umh
	for name in $(cpu "$1" && echo "$compat") "$1"; do
		cpu "$name"
		packages=$packages$guest_compiler-$gnu,libc6-dev-$debian-cross,
	done
	packages=$packages$(printf "%s:$debian," busybox-static iptables iproute2 iputils-ping netcat-openbsd conntrack ipset bpftool)
	guest_root=$cache/debian/$1-$( (echo "$guest_suite $packages"; sed -n '/^unpack_debian()/,/^}/p' "$top/vm/roots.sh") | hash)
	[ -d "$guest_root" ] || lock
	[ -d "$guest_root" ] || slowly "unpack programs and compilers for $1" \
		unpack_debian "$guest_root" $guest_suite '' "$(dpkg --print-architecture),$debian" "${packages%,}"
}
# Where that of another CPU comes from, and its compiler.
guest_suite=trixie guest_compiler=gcc-14

# build_root_of CPU: sets build_root, a folder with what builds a kernel for another CPU,
# made if need be. On this machine the compiler would drive out gcc-multilib.
build_root_of() {
	local packages
	cpu "$1"
	packages=gcc,gcc-$gnu,libc6-dev,flex,bison,bc,perl,kmod,cpio,gzip,libssl-dev,libelf-dev
	build_root=$cache/debian/kernel-$1-$( (echo "$guest_suite $packages"; sed -n '/^unpack_debian()/,/^}/p' "$top/vm/roots.sh") | hash)
	[ -d "$build_root" ] || lock
	[ -d "$build_root" ] || slowly "unpack a compiler of kernels for $1" \
		unpack_debian "$build_root" $guest_suite '' "$(dpkg --print-architecture)" "$packages"
}

# guest_cc CPU OUT ARG...: compiles a C program for a guest with guest_root. CPU is the
# guest's, or the other one whose programs it runs.
guest_cc() {
	local out=$2 name
	if [ "$guest_root" = / ]; then
		case $1 in
		i386) gcc -m32 -o "$out" "${@:3}" ;;
		*) gcc -o "$out" "${@:3}" ;;
		esac
		return
	fi
	name=$(cpu "$1" && echo "$gnu-$guest_compiler")
	inside "$guest_root" "$name" -o "/tmp/out.$$" "${@:3}"
	mv "$guest_root/tmp/out.$$" "$out"
}
