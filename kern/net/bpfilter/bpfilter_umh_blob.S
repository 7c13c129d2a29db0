/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpfilter_umh_blob.S - the helper's ELF and the boot rules as bytes of the kernel
 *	image
 *
 * The bytes lie in .init.rodata: helper.c copies the helper into a tmpfs of its own
 * during init, and boot.c the rules into memory that the helper works on.
 * Then they are freed with the other init memory.
 * The symbols are those that "objcopy -I binary" would make, _size among them, which
 * nothing here reads.
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

	.balign	16
	.globl	bpfilter_boot_rules_start
	.globl	bpfilter_boot_rules_end
bpfilter_boot_rules_start:
#ifdef BPFILTER_BOOT_RULES
	.incbin	BPFILTER_BOOT_RULES
#endif
bpfilter_boot_rules_end:
