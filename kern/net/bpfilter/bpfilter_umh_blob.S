/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpfilter_umh_blob.S - the helper's ELF as bytes of the kernel image
 *
 * The bytes lie in .init.rodata: umd_load_blob() copies them into a tmpfs of
 * its own during init, after which they are freed with the other init memory.
 * The symbols are those that "objcopy -I binary" would make.
 */
#include <linux/init.h>

	__INITRODATA
	.balign	16
	.globl	_binary_net_bpfilter_bpfilter_umh_start
	.globl	_binary_net_bpfilter_bpfilter_umh_end
	.globl	_binary_net_bpfilter_bpfilter_umh_size
_binary_net_bpfilter_bpfilter_umh_start:
	.incbin	BPFILTER_UMH_ELF
_binary_net_bpfilter_bpfilter_umh_end:
	.set	_binary_net_bpfilter_bpfilter_umh_size, \
		_binary_net_bpfilter_bpfilter_umh_end - \
		_binary_net_bpfilter_bpfilter_umh_start
