// SPDX-License-Identifier: GPL-2.0-only
/*
 * stock.c - the hook point's place in a kernel that has none: a module outside of
 *	the kernel's tree
 *
 * Owns: the registration of iptables' socket options with netfilter, as ip_tables
 * registers them; and the names under which iptables has this module loaded.
 *
 * Promises: while a caller is inside the module it stays. netfilter holds a
 * reference for it: rmmod is refused, and an init that fails waits.
 *
 * Leaves to others: what the options mean, and who may use them (sockopt.c).
 *
 * Only one module can have these options. So it is either bpfilter or ip_tables and
 * ip6_tables, with all tables.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bpfilter.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include "internal.h"

static int set_ipv4(struct sock *sk, int optname, sockptr_t optval,
		    unsigned int optlen)
{
	return bpfilter_setsockopt(sk, NFPROTO_IPV4, optname, optval, optlen);
}

static int get_ipv4(struct sock *sk, int optname, void __user *optval, int *len)
{
	return bpfilter_getsockopt(sk, NFPROTO_IPV4, optname, optval, len);
}

static int set_ipv6(struct sock *sk, int optname, sockptr_t optval,
		    unsigned int optlen)
{
	return bpfilter_setsockopt(sk, NFPROTO_IPV6, optname, optval, optlen);
}

static int get_ipv6(struct sock *sk, int optname, void __user *optval, int *len)
{
	return bpfilter_getsockopt(sk, NFPROTO_IPV6, optname, optval, len);
}

/* The helper's own, from its first request on. */
static struct nf_sockopt_ops private_options = {
	.pf = PF_INET,
	.set_optmin = BPFILTER_SO_BASE,
	.set_optmax = BPFILTER_SO_MAX,
	.set = set_ipv4,
	.get_optmin = BPFILTER_SO_BASE,
	.get_optmax = BPFILTER_SO_MAX,
	.get = get_ipv4,
	.owner = THIS_MODULE,
};

/* Those of iptables and of ip6tables. */
static struct nf_sockopt_ops client_options[] = {
	{
		.pf = PF_INET,
		.set_optmin = BPFILTER_IPT_SO_SET_REPLACE,
		.set_optmax = BPFILTER_IPT_SET_MAX,
		.set = set_ipv4,
		.get_optmin = BPFILTER_IPT_SO_GET_INFO,
		.get_optmax = BPFILTER_IPT_GET_MAX,
		.get = get_ipv4,
		.owner = THIS_MODULE,
	},
#if IS_ENABLED(CONFIG_IPV6)
	{
		.pf = PF_INET6,
		.set_optmin = BPFILTER_IPT_SO_SET_REPLACE,
		.set_optmax = BPFILTER_IPT_SET_MAX,
		.set = set_ipv6,
		.get_optmin = BPFILTER_IPT_SO_GET_INFO,
		.get_optmax = BPFILTER_IP6T_GET_MAX,
		.get = get_ipv6,
		.owner = THIS_MODULE,
	},
#endif
};

/* Whether the helper's, and how many of the clients', are registered. */
static bool has_private;
static unsigned int clients;

static void leave_clients(void)
{
	while (clients)
		nf_unregister_sockopt(&client_options[--clients]);
}

static void tell_busy(u8 pf)
{
	if (pf == PF_INET)
		pr_err("ip_tables is loaded, or what answers in its place, and only one can answer iptables: remove it with its tables (rmmod iptable_nat iptable_mangle iptable_raw iptable_security iptable_filter ip_tables), then load bpfilter again\n");
	else
		pr_err("ip6_tables is loaded, or what answers in its place, and only one can answer ip6tables: remove it with its tables (rmmod ip6table_nat ip6table_mangle ip6table_raw ip6table_security ip6table_filter ip6_tables), then load bpfilter again\n");
}

static int serve(void)
{
	int err;

	while (clients < ARRAY_SIZE(client_options)) {
		err = nf_register_sockopt(&client_options[clients]);
		if (err == -EBUSY)
			tell_busy(client_options[clients].pf);
		if (err) {
			leave_clients();
			return err;
		}
		clients++;
	}
	return 0;
}

/**
 * bpfilter_stock_drain() - wait for the callers that are inside the module
 *
 * A module whose init fails is freed whoever is inside. Init itself holds one
 * reference. A kernel without MODULE_UNLOAD counts none.
 *
 * Context: no call comes any more, and all that wait for an answer have got one.
 */
void bpfilter_stock_drain(void)
{
#ifdef CONFIG_MODULE_UNLOAD
	while (module_refcount(THIS_MODULE) > 1)
		msleep(20);
#endif
}

/**
 * bpfilter_stock_init() - let the helper use its private options
 *
 * Also sees whether bpfilter_stock_serve() can succeed, before anything else is done.
 *
 * Return: 0 or a negative errno; -EBUSY where ip_tables or ip6_tables is loaded.
 */
int bpfilter_stock_init(void)
{
	int err;

	err = serve();
	if (err)
		goto drain;
	leave_clients();

	err = nf_register_sockopt(&private_options);
	if (err) {
		pr_err("socket options %d to %d of SOL_IP are not to be had: %d\n",
		       BPFILTER_SO_BASE, BPFILTER_SO_MAX - 1, err);
		goto drain;
	}
	has_private = true;
	return 0;

drain:
	bpfilter_stock_drain();
	return err;
}

/**
 * bpfilter_stock_serve() - answer iptables and ip6tables
 *
 * Return: 0, or -EBUSY where one of these has been loaded meanwhile.
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
	leave_clients();
	if (has_private)
		nf_unregister_sockopt(&private_options);
}

/* iptables asks for ip_tables; a kernel without it has this module loaded. */
MODULE_ALIAS("ip_tables");
MODULE_ALIAS("ip6_tables");
