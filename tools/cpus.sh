# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# The CPUs that the helper is built for. Sourced.
#
# Owns: the names that each of them has elsewhere. They are called as the kernel
# calls them (ARCH) where that has a name for one of them alone.

# All of them.
cpus=(x86_64 arm64 arm)

# cpu_of_machine: the one of this machine.
cpu_of_machine() {
	case $(uname -m) in
	x86_64) echo x86_64 ;;
	aarch64) echo arm64 ;;
	armv7l | armv8l) echo arm ;;
	*)
		echo "error: no helper for the CPU of this machine, $(uname -m), yet: see docs/adding.md" >&2
		return 1
		;;
	esac
}

# cpu NAME: sets
#   rust     Rust's name of the target. With an operating system, as Rust has
#            no finished core of these CPUs without one for everybody; nothing
#            of that is linked
#   gnu      GNU's, with which the names of cross compilers and binutils start
#   debian   Debian's name of the architecture
#   qemu     QEMU's
#   machine  readelf's, a pattern
#   xz       how scripts/xz_wrap.sh of the kernel compresses its images
#   compat   the CPU, of these or i386, whose programs its kernels run, too; empty
#            if there is none; compat_debian is Debian's name of it
# and of the test machine with it, vm/boot:
#   board    QEMU's machine and CPU; the one that Debian's kernels for it know
#   threads  multi or single: whether QEMU runs two CPUs at the same time when a
#            distribution's kernel boots on them. One on x86 that rewrites its own
#            code is not always seen right by the other CPU then. One on 32-bit ARM
#            must have them: while it write-protects itself it tells the other CPU of
#            each page, and that one spins, for a turn of QEMU's each time
#   console  the kernel's console, QEMU's first serial port
#   port     QEMU's device of a serial port
#   ports    the names of two of them beside the console
#   told     what the kernel is told: on x86 not to try whether its timer interrupts it.
#            It waits for some ticks only, which QEMU on a busy machine may be late with
cpu() {
	case $1 in
	x86_64)
		rust=x86_64-unknown-linux-gnu gnu=x86_64-linux-gnu debian=amd64 qemu=x86_64 machine='.*X86-64'
		xz=(--x86 --lzma2=dict=128MiB)
		compat=i386 compat_debian=i386
		board=(-machine pc,hpet=off -cpu max) threads=single
		console=ttyS0 port=isa-serial ports=(ttyS1 ttyS2) told=no_timer_check
		;;
	arm64)
		rust=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu debian=arm64 qemu=aarch64 machine=AArch64
		xz=(--arm64 --lzma2=lp=2,lc=2,dict=128MiB)
		compat=arm compat_debian=armhf
		board=(-machine virt -cpu cortex-a72) threads=single
		console=ttyAMA0 port=pci-serial ports=(ttyS0 ttyS1) told=''
		;;
	arm)
		rust=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf debian=armhf qemu=arm machine=ARM
		xz=(--arm --lzma2=lp=2,lc=2,dict=128MiB)
		compat='' compat_debian=''
		board=(-machine virt,highmem=off -cpu cortex-a15) threads=multi
		console=ttyAMA0 port=pci-serial ports=(ttyS0 ttyS1) told=''
		;;
	*)
		echo "error: no helper for the CPU '$1': there are ${cpus[*]}" >&2
		return 1
		;;
	esac
}
