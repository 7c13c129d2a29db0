// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpfilter_kern.c - the bpfilter module: init and exit
 *
 * Owns: the order in which the parts start and stop.
 *
 * Promises: when init fails, nothing of it is left; when exit returns, the
 * helper is gone, no hook is attached and no caller is inside.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bpfilter.h>
#include <linux/init.h>
#include <linux/module.h>
#include "internal.h"

/* The helper uses private options while it starts. */
static const struct bpfilter_ops starting_ops = {
	.private_set = bpfilter_private_set,
	.private_get = bpfilter_private_get,
};

static const struct bpfilter_ops ops = {
	.submit = bpfilter_mailbox_submit,
	.audit = bpfilter_mailbox_audit,
	.revision = bpfilter_extensions_revision,
	.private_set = bpfilter_private_set,
	.private_get = bpfilter_private_get,
};

static int __init bpfilter_init(void)
{
	const char *elf = _binary_net_bpfilter_bpfilter_umh_start;
	size_t len = _binary_net_bpfilter_bpfilter_umh_end - elf;
	int err;

	err = bpfilter_tables_init();
	if (err)
		return err;
	err = bpfilter_mailbox_init(elf, len);
	if (err)
		goto tables;

	bpfilter_register_ops(&starting_ops);
	err = bpfilter_mailbox_start();
	if (err)
		goto mailbox;
	bpfilter_register_ops(&ops);
	return 0;

mailbox:
	bpfilter_unregister_ops();
	bpfilter_mailbox_exit();
tables:
	bpfilter_tables_exit();
	bpfilter_proc_exit();
	bpfilter_extensions_forget();
	return err;
}

static void __exit bpfilter_exit(void)
{
	bpfilter_unregister_ops();
	bpfilter_mailbox_exit();
	bpfilter_tables_exit();
	bpfilter_proc_exit();
	bpfilter_extensions_forget();
}

module_init(bpfilter_init);
module_exit(bpfilter_exit);
MODULE_DESCRIPTION("iptables' tables as BPF programs");
MODULE_LICENSE("GPL");
