// SPDX-License-Identifier: GPL-2.0-only
/*
 * desc.c - which tables there are, and which of them are served
 *
 * Owns: all that differs from table to table, a row of table_desc for each; and
 * the module parameters that say which are served, and when they are asked.
 *
 * Promises: what is here does not change once init has read the parameters. A table
 * that is not served is found nowhere: it is left to ip_tables and ip6_tables.
 *
 * Leaves to others: what a namespace has of each table (tables.c).
 *
 * The core of the helper has the same table of tables, and a test compares the two.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bits.h>
#include <linux/bpfilter.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "internal.h"

static const struct bpfilter_table_desc table_desc[] = {
	{
		.family = NFPROTO_IPV4,
		.table = BPFILTER_TABLE_RAW,
		.name = "raw",
		.hooks = BIT(NF_INET_PRE_ROUTING) | BIT(NF_INET_LOCAL_OUT),
		.priority = {
			[NF_INET_PRE_ROUTING] = NF_IP_PRI_RAW,
			[NF_INET_LOCAL_OUT] = NF_IP_PRI_RAW,
		},
	},
	{
		.family = NFPROTO_IPV4,
		.table = BPFILTER_TABLE_MANGLE,
		.name = "mangle",
		.hooks = BIT(NF_INET_PRE_ROUTING) | BIT(NF_INET_LOCAL_IN) |
			 BIT(NF_INET_FORWARD) | BIT(NF_INET_LOCAL_OUT) |
			 BIT(NF_INET_POST_ROUTING),
		.priority = {
			[NF_INET_PRE_ROUTING] = NF_IP_PRI_MANGLE,
			[NF_INET_LOCAL_IN] = NF_IP_PRI_MANGLE,
			[NF_INET_FORWARD] = NF_IP_PRI_MANGLE,
			[NF_INET_LOCAL_OUT] = NF_IP_PRI_MANGLE,
			[NF_INET_POST_ROUTING] = NF_IP_PRI_MANGLE,
		},
		.reroute = true,
	},
#if IS_ENABLED(CONFIG_NF_NAT)
	{
		.family = NFPROTO_IPV4,
		.table = BPFILTER_TABLE_NAT,
		.name = "nat",
		.hooks = BIT(NF_INET_PRE_ROUTING) | BIT(NF_INET_LOCAL_IN) |
			 BIT(NF_INET_LOCAL_OUT) | BIT(NF_INET_POST_ROUTING),
		.priority = {
			[NF_INET_PRE_ROUTING] = NF_IP_PRI_NAT_DST,
			[NF_INET_LOCAL_IN] = NF_IP_PRI_NAT_SRC,
			[NF_INET_LOCAL_OUT] = NF_IP_PRI_NAT_DST,
			[NF_INET_POST_ROUTING] = NF_IP_PRI_NAT_SRC,
		},
		.nat = true,
	},
#endif
	{
		.family = NFPROTO_IPV4,
		.table = BPFILTER_TABLE_FILTER,
		.name = "filter",
		.hooks = BIT(NF_INET_LOCAL_IN) | BIT(NF_INET_FORWARD) |
			 BIT(NF_INET_LOCAL_OUT),
		.priority = {
			[NF_INET_LOCAL_IN] = NF_IP_PRI_FILTER,
			[NF_INET_FORWARD] = NF_IP_PRI_FILTER,
			[NF_INET_LOCAL_OUT] = NF_IP_PRI_FILTER,
		},
	},
	{
		.family = NFPROTO_IPV4,
		.table = BPFILTER_TABLE_SECURITY,
		.name = "security",
		.hooks = BIT(NF_INET_LOCAL_IN) | BIT(NF_INET_FORWARD) |
			 BIT(NF_INET_LOCAL_OUT),
		.priority = {
			[NF_INET_LOCAL_IN] = NF_IP_PRI_SECURITY,
			[NF_INET_FORWARD] = NF_IP_PRI_SECURITY,
			[NF_INET_LOCAL_OUT] = NF_IP_PRI_SECURITY,
		},
	},
#if IS_ENABLED(CONFIG_IPV6)
	{
		.family = NFPROTO_IPV6,
		.table = BPFILTER_TABLE_RAW,
		.name = "raw",
		.hooks = BIT(NF_INET_PRE_ROUTING) | BIT(NF_INET_LOCAL_OUT),
		.priority = {
			[NF_INET_PRE_ROUTING] = NF_IP6_PRI_RAW,
			[NF_INET_LOCAL_OUT] = NF_IP6_PRI_RAW,
		},
	},
	{
		.family = NFPROTO_IPV6,
		.table = BPFILTER_TABLE_MANGLE,
		.name = "mangle",
		.hooks = BIT(NF_INET_PRE_ROUTING) | BIT(NF_INET_LOCAL_IN) |
			 BIT(NF_INET_FORWARD) | BIT(NF_INET_LOCAL_OUT) |
			 BIT(NF_INET_POST_ROUTING),
		.priority = {
			[NF_INET_PRE_ROUTING] = NF_IP6_PRI_MANGLE,
			[NF_INET_LOCAL_IN] = NF_IP6_PRI_MANGLE,
			[NF_INET_FORWARD] = NF_IP6_PRI_MANGLE,
			[NF_INET_LOCAL_OUT] = NF_IP6_PRI_MANGLE,
			[NF_INET_POST_ROUTING] = NF_IP6_PRI_MANGLE,
		},
		.reroute = true,
	},
#if IS_ENABLED(CONFIG_NF_NAT)
	{
		.family = NFPROTO_IPV6,
		.table = BPFILTER_TABLE_NAT,
		.name = "nat",
		.hooks = BIT(NF_INET_PRE_ROUTING) | BIT(NF_INET_LOCAL_IN) |
			 BIT(NF_INET_LOCAL_OUT) | BIT(NF_INET_POST_ROUTING),
		.priority = {
			[NF_INET_PRE_ROUTING] = NF_IP6_PRI_NAT_DST,
			[NF_INET_LOCAL_IN] = NF_IP6_PRI_NAT_SRC,
			[NF_INET_LOCAL_OUT] = NF_IP6_PRI_NAT_DST,
			[NF_INET_POST_ROUTING] = NF_IP6_PRI_NAT_SRC,
		},
		.nat = true,
	},
#endif
	{
		.family = NFPROTO_IPV6,
		.table = BPFILTER_TABLE_FILTER,
		.name = "filter",
		.hooks = BIT(NF_INET_LOCAL_IN) | BIT(NF_INET_FORWARD) |
			 BIT(NF_INET_LOCAL_OUT),
		.priority = {
			[NF_INET_LOCAL_IN] = NF_IP6_PRI_FILTER,
			[NF_INET_FORWARD] = NF_IP6_PRI_FILTER,
			[NF_INET_LOCAL_OUT] = NF_IP6_PRI_FILTER,
		},
	},
	{
		.family = NFPROTO_IPV6,
		.table = BPFILTER_TABLE_SECURITY,
		.name = "security",
		.hooks = BIT(NF_INET_LOCAL_IN) | BIT(NF_INET_FORWARD) |
			 BIT(NF_INET_LOCAL_OUT),
		.priority = {
			[NF_INET_LOCAL_IN] = NF_IP6_PRI_SECURITY,
			[NF_INET_FORWARD] = NF_IP6_PRI_SECURITY,
			[NF_INET_LOCAL_OUT] = NF_IP6_PRI_SECURITY,
		},
	},
#endif
};

static_assert(ARRAY_SIZE(table_desc) <= BPFILTER_DESCS);

/* --- which of them are served ----------------------------------------------- */

static char *tables;
module_param(tables, charp, 0444);
MODULE_PARM_DESC(tables, "Names of the tables to serve, of both families, with commas between them; default: all");

/* As iptable_raw and ip6table_raw have it. */
static bool raw_before_defrag;
module_param(raw_before_defrag, bool, 0444);
MODULE_PARM_DESC(raw_before_defrag, "Ask the table raw before defragmentation");

/* A bit for each row; does not change once init has read the parameter. */
static unsigned int served __read_mostly = GENMASK(ARRAY_SIZE(table_desc) - 1, 0);

/* Those of the families that have a table of the name, a bit for each row. */
static unsigned int rows_named(const char *name)
{
	unsigned int rows = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(table_desc); i++) {
		if (!strcmp(table_desc[i].name, name))
			rows |= BIT(i);
	}
	return rows;
}

/**
 * bpfilter_descs_init() - read the parameters
 *
 * Return: 0 or a negative errno; -EINVAL, the parameter names a table that there
 * is not, or leaves out one that it must not.
 */
int bpfilter_descs_init(void)
{
	char *copy, *rest, *name;
	unsigned int rows;
	int i, err = 0;

	if (!tables)
		return 0;
	copy = kstrdup(tables, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	served = 0;
	for (rest = copy; (name = strsep(&rest, ",")); ) {
		rows = rows_named(name);
		if (!rows) {
			pr_err("tables=%s: this kernel has no table \"%s\": names are raw, mangle, nat, filter, security, with commas and no spaces\n",
			       tables, name);
			err = -EINVAL;
			break;
		}
		served |= rows;
	}
	kfree(copy);
	for (i = 0; !err && i < ARRAY_SIZE(table_desc); i++) {
		if (!(served & BIT(i)) &&
		    bpfilter_boot_drops(&init_net, &table_desc[i])) {
			pr_err("tables=%s: table %s has a policy, and must be served: name it in tables=, or leave out the policy\n",
			       tables, table_desc[i].name);
			err = -EINVAL;
		}
	}
	return err;
}

/**
 * bpfilter_desc_at() - all tables that this kernel can have
 * @i: the number of one, from 0 on
 *
 * Return: the table; NULL behind the last.
 */
const struct bpfilter_table_desc *bpfilter_desc_at(unsigned int i)
{
	return i < ARRAY_SIZE(table_desc) ? &table_desc[i] : NULL;
}

/**
 * bpfilter_desc_index() - the number of a table
 * @desc: the table
 *
 * Return: less than BPFILTER_DESCS.
 */
unsigned int bpfilter_desc_index(const struct bpfilter_table_desc *desc)
{
	return desc - table_desc;
}

/**
 * bpfilter_desc_served() - whether a table is served
 * @desc: the table
 *
 * Return: true if it is so.
 */
bool bpfilter_desc_served(const struct bpfilter_table_desc *desc)
{
	return served & BIT(bpfilter_desc_index(desc));
}

/**
 * bpfilter_desc_priority() - when a table is asked
 * @desc: the table
 * @hook: one of its hooks
 *
 * Return: its priority there.
 */
int bpfilter_desc_priority(const struct bpfilter_table_desc *desc,
			   unsigned int hook)
{
	BUILD_BUG_ON((int)NF_IP_PRI_RAW_BEFORE_DEFRAG !=
		     (int)NF_IP6_PRI_RAW_BEFORE_DEFRAG);
	if (desc->table == BPFILTER_TABLE_RAW && raw_before_defrag)
		return NF_IP_PRI_RAW_BEFORE_DEFRAG;
	return desc->priority[hook];
}

/* --- finding one ------------------------------------------------------------ */

/**
 * bpfilter_table_desc() - find a table
 * @family: NFPROTO_*
 * @table: BPFILTER_TABLE_*
 *
 * Return: the table, NULL if it is not served.
 */
const struct bpfilter_table_desc *bpfilter_table_desc(u32 family, u32 table)
{
	const struct bpfilter_table_desc *desc;
	int i;

	for (i = 0; i < ARRAY_SIZE(table_desc); i++) {
		desc = &table_desc[i];
		if (desc->family == family && desc->table == table)
			return bpfilter_desc_served(desc) ? desc : NULL;
	}
	return NULL;
}

/**
 * bpfilter_table_asked() - the table that a call is about
 * @call: the call
 *
 * Return: the table, NULL if it names none that is served.
 */
const struct bpfilter_table_desc *
bpfilter_table_asked(const struct bpfilter_call *call)
{
	const struct bpfilter_table_desc *desc;
	char name[XT_TABLE_MAXNAMELEN];
	int i;

	if (bpfilter_call_asks_revision(call))
		return NULL;
	if (call->optval.len < sizeof(name))
		return NULL;
	/* All other structures start with it. ip_tables ends it in this way, too. */
	memcpy(name, call->optval.head, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (i = 0; i < ARRAY_SIZE(table_desc); i++) {
		desc = &table_desc[i];
		if (desc->family == call->optval.family &&
		    !strcmp(desc->name, name))
			return bpfilter_desc_served(desc) ? desc : NULL;
	}
	return NULL;
}
