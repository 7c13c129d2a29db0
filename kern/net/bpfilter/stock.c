// SPDX-License-Identifier: GPL-2.0-only
/*
 * stock.c - the hook point's place in a kernel that has none: a module outside of
 *	the kernel's tree
 *
 * Owns: the registration of iptables' socket options with netfilter, as ip_tables
 * registers them; and the names under which iptables has this module loaded.
 *
 * Promises: while a caller is inside the module it cannot be removed; netfilter
 * holds a reference for it.
 *
 * Leaves to others: what the options mean, and who may use them (sockopt.c).
 *
 * Only one module can have these options. So it is either bpfilter or ip_tables,
 * with all tables.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bpfilter.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include "internal.h"

static int get(struct sock *sk, int optname, void __user *optval, int *len)
{
	return bpfilter_getsockopt(sk, optname, optval, len);
}

/* The helper's own, from its first request on. */
static struct nf_sockopt_ops private_options = {
	.pf = PF_INET,
	.set_optmin = BPFILTER_SO_BASE,
	.set_optmax = BPFILTER_SO_MAX,
	.set = bpfilter_setsockopt,
	.get_optmin = BPFILTER_SO_BASE,
	.get_optmax = BPFILTER_SO_MAX,
	.get = get,
	.owner = THIS_MODULE,
};

static struct nf_sockopt_ops iptables_options = {
	.pf = PF_INET,
	.set_optmin = BPFILTER_IPT_SO_SET_REPLACE,
	.set_optmax = BPFILTER_IPT_SET_MAX,
	.set = bpfilter_setsockopt,
	.get_optmin = BPFILTER_IPT_SO_GET_INFO,
	.get_optmax = BPFILTER_IPT_GET_MAX,
	.get = get,
	.owner = THIS_MODULE,
};

/* Which of them are registered; init's and exit's. */
static bool has_private, has_iptables;

static int serve(void)
{
	int err = nf_register_sockopt(&iptables_options);

	if (err == -EBUSY)
		pr_err("ip_tables is loaded, or what answers in its place, and only one can answer iptables: remove it with its tables (rmmod iptable_nat iptable_mangle iptable_raw iptable_security iptable_filter ip_tables), then load bpfilter again\n");
	has_iptables = !err;
	return err;
}

/**
 * bpfilter_stock_init() - let the helper use its private options
 *
 * Also sees whether bpfilter_stock_serve() can succeed, before anything else is done.
 *
 * Return: 0 or a negative errno; -EBUSY where ip_tables is loaded.
 */
int bpfilter_stock_init(void)
{
	int err;

	err = serve();
	if (err)
		return err;
	nf_unregister_sockopt(&iptables_options);
	has_iptables = false;

	err = nf_register_sockopt(&private_options);
	if (err)
		pr_err("socket options %d to %d of SOL_IP are not to be had: %d\n",
		       BPFILTER_SO_BASE, BPFILTER_SO_MAX - 1, err);
	has_private = !err;
	return err;
}

/**
 * bpfilter_stock_serve() - answer iptables
 *
 * Return: 0, or -EBUSY where ip_tables has been loaded meanwhile.
 */
int bpfilter_stock_serve(void)
{
	return serve();
}

/**
 * bpfilter_stock_exit() - no call comes any more
 */
void bpfilter_stock_exit(void)
{
	if (has_iptables)
		nf_unregister_sockopt(&iptables_options);
	if (has_private)
		nf_unregister_sockopt(&private_options);
}

/* iptables asks for ip_tables; a kernel without it has this module loaded. */
MODULE_ALIAS("ip_tables");
