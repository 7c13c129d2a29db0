# SPDX-License-Identifier: GPL-2.0-only
SUMMARY = "bpfilter's helper, for the kernel that carries it"
DESCRIPTION = "A static executable without libc that makes BPF programs of iptables' rules. \
It is built before, by 'make umh ARCH=...' of bpfilter, as a build here has no network for cargo. \
Nothing of it is installed on the target: the kernel's image has it inside."
LICENSE = "GPL-2.0-only"
LIC_FILES_CHKSUM = "file://${BPFILTER_TOP}/LICENSE;md5=b234ee4d69f5fce4486a80fdaf4a4263"
PV = "${@bb.process.run(['${BPFILTER_TOP}/tools/module-source', '--version'])[0].strip()}"

inherit kernel-arch
# The CPU of the kernel, which need not be that of its programs.
PACKAGE_ARCH = "${MACHINE_ARCH}"
COMPATIBLE_HOST = "(x86_64|aarch64|arm).*-linux.*"
# Nothing here is compiled.
INHIBIT_DEFAULT_DEPS = "1"
do_configure[noexec] = "1"
do_compile[noexec] = "1"

# kernel-arch.bbclass says x86 of both of its CPUs.
BPFILTER_ARCH = "${@'x86_64' if d.getVar('ARCH') == 'x86' else d.getVar('ARCH')}"

BPFILTER_HELPER = "${@bb.process.run(['${BPFILTER_TOP}/tools/umh', '--path', d.getVar('BPFILTER_ARCH')])[0].strip()}"

do_install() {
	[ -f "${BPFILTER_HELPER}" ] || bbfatal "${BPFILTER_HELPER} is missing: run 'make umh ARCH=${BPFILTER_ARCH}' in ${BPFILTER_TOP}"
	install -D -m 0755 "${BPFILTER_HELPER}" ${D}${datadir}/bpfilter/bpfilter_umh
}
# A new helper makes a new kernel.
do_install[file-checksums] += "${BPFILTER_HELPER}:True"
FILES:${PN} = "${datadir}/bpfilter"
# Stripped, static and not linked by the compiler of this build: as it has to be.
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_SYSROOT_STRIP = "1"
INSANE_SKIP:${PN} = "already-stripped ldflags"
