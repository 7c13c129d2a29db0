// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpfilter_kern.c - the bpfilter module: init and exit
 *
 * Owns: the order in which the parts start and stop.
 *
 * Promises: when init fails, nothing of it is left; it does not fail for want of a
 * helper where packets are to be dropped until there are rules. When exit returns,
 * the helper is gone, no hook is attached and no caller is inside.
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
	.revision = bpfilter_registered_revision,
	.private_set = bpfilter_private_set,
	.private_get = bpfilter_private_get,
};

/* The helper can be started; set by init. */
static bool has_mailbox;

static int __init start_helper(void)
{
	const char *elf = _binary_net_bpfilter_bpfilter_umh_start;
	size_t len = _binary_net_bpfilter_bpfilter_umh_end - elf;
	int err;

	err = bpfilter_mailbox_init(elf, len);
	if (err)
		return err;
	has_mailbox = true;
	bpfilter_register_ops(&starting_ops);
	return bpfilter_mailbox_start();
}

static void stop(void)
{
	bpfilter_stock_exit();
	bpfilter_unregister_ops();
	if (has_mailbox)
		bpfilter_mailbox_exit();
	bpfilter_tables_exit();
	bpfilter_status_exit();
	bpfilter_proc_exit();
	bpfilter_registered_forget();
	bpfilter_builtin_nat_exit();
	bpfilter_stock_drain();
}

static int __init bpfilter_init(void)
{
	int err;

	err = bpfilter_boot_init();
	if (err)
		return err;
	err = bpfilter_stock_init();
	if (err)
		return err;
	err = bpfilter_builtin_nat_init();
	if (err)
		goto stock;
	err = bpfilter_status_init();
	if (err)
		goto builtin;
	err = bpfilter_tables_init();
	if (err)
		goto status;
	err = start_helper();
	if (!bpfilter_boot_commit(err) && err) {
		/* The log says why. */
		if (err == -ETIMEDOUT)
			err = -EFAULT;
		goto stop;
	}
	/* May fail: until then no call gets so far that it waits for its memory. */
	err = bpfilter_stock_serve();
	if (err)
		goto stop;
	/* Without a helper every call tries to start one. */
	if (has_mailbox)
		bpfilter_register_ops(&ops);
	bpfilter_boot_stay();
	return 0;

stop:
	stop();
	return err;
status:
	bpfilter_status_exit();
builtin:
	bpfilter_builtin_nat_exit();
stock:
	bpfilter_stock_exit();
	bpfilter_stock_drain();
	return err;
}

static void __exit bpfilter_exit(void)
{
	stop();
}

/*
 * Where it is built in, this is behind all matches and targets of x_tables, and
 * before the first device comes up: that of ip= is in late_initcall.
 */
device_initcall_sync(bpfilter_init);
module_exit(bpfilter_exit);
MODULE_DESCRIPTION("iptables' tables as BPF programs");
MODULE_LICENSE("GPL");
