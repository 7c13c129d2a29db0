// SPDX-License-Identifier: GPL-2.0-only
/*
 * tables.c - which tables there are, and where each is hooked
 *
 * Owns: all that differs from table to table, a row of table_desc for each; the
 * module parameters that say which are served; what each network namespace has
 * of each; the registration of packet hooks; and what the audit system and /proc
 * are told of a table.
 *
 * Promises: a table is hooked when it gets its first rules or policies, not
 * before unless it is to drop until then (boot.c), and is unhooked when it has none
 * any more. NAT alone stays until the namespace goes: its hooks are those that
 * translate what connections are there already, and rules that go must not break
 * them. A table that is not served is left to ip_tables.
 *
 * Leaves to others: what a table's rules are (generation.c), and a packet's way
 * through them (packet.c).
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/atomic.h>
#include <linux/audit.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/bpfilter.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_nat.h>
#include <net/netns/generic.h>
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
};

/* --- which of them are served ----------------------------------------------- */

static char *tables;
module_param(tables, charp, 0444);
MODULE_PARM_DESC(tables, "Names of the tables to serve, with commas between them; default: all");

/* As iptable_raw has it. */
static bool raw_before_defrag;
module_param(raw_before_defrag, bool, 0444);
MODULE_PARM_DESC(raw_before_defrag, "Ask the table raw before defragmentation");

/* A bit for each row; does not change once init has read the parameter. */
static unsigned int served __read_mostly = GENMASK(ARRAY_SIZE(table_desc) - 1, 0);

static const struct bpfilter_table_desc *desc_named(const char *name)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(table_desc); i++) {
		if (!strcmp(table_desc[i].name, name))
			return &table_desc[i];
	}
	return NULL;
}

static int read_tables(void)
{
	const struct bpfilter_table_desc *desc;
	char *copy, *rest, *name;
	int err = 0;

	if (!tables)
		return 0;
	copy = kstrdup(tables, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	served = 0;
	for (rest = copy; (name = strsep(&rest, ",")); ) {
		desc = desc_named(name);
		if (!desc) {
			pr_err("tables=%s: this kernel has no table \"%s\"\n",
			       tables, name);
			err = -EINVAL;
			break;
		}
		served |= BIT(desc - table_desc);
	}
	kfree(copy);
	return err;
}

static bool is_served(const struct bpfilter_table_desc *desc)
{
	return served & BIT(desc - table_desc);
}

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
			return is_served(desc) ? desc : NULL;
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

	if (!call->req.is_set &&
	    call->req.cmd >= BPFILTER_IPT_SO_GET_REVISION_MATCH)
		return NULL;
	if (call->optval.len < sizeof(name))
		return NULL;
	/* All other structures start with it. ip_tables ends it in this way, too. */
	memcpy(name, call->optval.head, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	desc = desc_named(name);
	return desc && is_served(desc) ? desc : NULL;
}

/* --- the tables of a namespace ----------------------------------------------- */

/**
 * struct bpfilter_net - one network namespace
 * @uses: how many of its tables have been used
 * @table: in the order of table_desc
 */
struct bpfilter_net {
	atomic_t uses;
	struct bpfilter_table table[ARRAY_SIZE(table_desc)];
};

static unsigned int bpfilter_net_id __read_mostly;

static struct bpfilter_net *bpfilter_net(const struct net *net)
{
	return net_generic(net, bpfilter_net_id);
}

/**
 * bpfilter_table_of() - a table of a namespace
 * @net: the namespace
 * @desc: which of its tables
 *
 * Return: the table.
 */
struct bpfilter_table *bpfilter_table_of(const struct net *net,
					 const struct bpfilter_table_desc *desc)
{
	return &bpfilter_net(net)->table[desc - table_desc];
}

/* The entries of a table that nobody has changed: its policies and the end. */
static u32 pristine_entries(const struct bpfilter_table_desc *desc)
{
	return hweight32(desc->hooks) + 1;
}

/* --- hooks ------------------------------------------------------------------- */

static int priority(const struct bpfilter_table_desc *desc, unsigned int hook)
{
	if (desc->table == BPFILTER_TABLE_RAW && raw_before_defrag)
		return NF_IP_PRI_RAW_BEFORE_DEFRAG;
	return desc->priority[hook];
}

/* Kept until the namespace goes: who lists hooks may still look at them. */
static int make_ops(struct bpfilter_table *table,
		    const struct bpfilter_table_desc *desc)
{
	struct nf_hook_ops *ops;
	unsigned int hook;

	if (table->ops)
		return 0;
	ops = kcalloc(hweight32(desc->hooks), sizeof(*ops), GFP_KERNEL);
	if (!ops)
		return -ENOMEM;
	table->ops = ops;
	for (hook = 0; hook < BPFILTER_HOOKS; hook++) {
		if (!(desc->hooks & BIT(hook)))
			continue;
		ops->hook = bpfilter_packet_hook;
		if (desc->reroute && hook == NF_INET_LOCAL_OUT)
			ops->hook = bpfilter_packet_hook_reroute;
		ops->priv = table;
		ops->pf = desc->family;
		ops->hooknum = hook;
		ops->priority = priority(desc, hook);
		ops++;
	}
	return 0;
}

#if IS_ENABLED(CONFIG_NF_NAT)
static void nat_unregister(struct net *net, const struct nf_hook_ops *ops,
			   unsigned int n)
{
	while (n--)
		nf_nat_ipv4_unregister_fn(net, &ops[n]);
}

/* NAT has hooks of its own, and asks for what a first packet needs. */
static int nat_register(struct net *net, const struct nf_hook_ops *ops,
			unsigned int n)
{
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		err = nf_nat_ipv4_register_fn(net, &ops[i]);
		if (err) {
			nat_unregister(net, ops, i);
			return err;
		}
	}
	return 0;
}
#else
static void nat_unregister(struct net *net, const struct nf_hook_ops *ops,
			   unsigned int n)
{
}

static int nat_register(struct net *net, const struct nf_hook_ops *ops,
			unsigned int n)
{
	return -EOPNOTSUPP;
}
#endif

/* In how many namespaces NAT has been given rules. */
static atomic_t translating = ATOMIC_INIT(0);

/**
 * bpfilter_table_hook() - have packets go through a table
 * @net: the namespace
 * @desc: which of its tables
 *
 * Context: under the transaction's lock.
 * Return: 0, also where they do already, or a negative errno.
 */
int bpfilter_table_hook(struct net *net, const struct bpfilter_table_desc *desc)
{
	struct bpfilter_table *table = bpfilter_table_of(net, desc);
	unsigned int n = hweight32(desc->hooks);
	int err;

	if (table->hooked)
		return 0;
	err = make_ops(table, desc);
	if (err)
		return err;
	if (desc->nat)
		err = nat_register(net, table->ops, n);
	else
		err = nf_register_net_hooks(net, table->ops, n);
	if (err)
		return err;
	table->hooked = true;
	if (desc->nat)
		atomic_inc(&translating);
	return 0;
}

static void unhook(struct net *net, const struct bpfilter_table_desc *desc)
{
	struct bpfilter_table *table = bpfilter_table_of(net, desc);
	unsigned int n = hweight32(desc->hooks);

	if (!table->hooked)
		return;
	table->hooked = false;
	if (desc->nat) {
		nat_unregister(net, table->ops, n);
		atomic_dec(&translating);
	} else {
		nf_unregister_net_hooks(net, table->ops, n);
	}
}

/**
 * bpfilter_table_unhook() - a table has no rules any more
 * @net: the namespace
 * @desc: which of its tables
 *
 * Without the hooks of NAT what was translated would go on under its real
 * addresses. They stay, and accept.
 *
 * Context: under the transaction's lock.
 */
void bpfilter_table_unhook(struct net *net,
			   const struct bpfilter_table_desc *desc)
{
	if (!desc->nat && !bpfilter_table_of(net, desc)->drops)
		unhook(net, desc);
}

/**
 * bpfilter_table_reset() - make a table's numbers those that it starts with
 * @net: the namespace
 * @desc: which of its tables
 *
 * Context: under the transaction's lock, or the namespace starts.
 */
void bpfilter_table_reset(struct net *net,
			  const struct bpfilter_table_desc *desc)
{
	struct bpfilter_table *table = bpfilter_table_of(net, desc);

	table->entries = pristine_entries(desc);
	WRITE_ONCE(table->drops, bpfilter_boot_drops(net, desc));
}

/* --- what is told of a table -------------------------------------------------- */

/**
 * bpfilter_table_used() - a request has succeeded
 * @call: the request
 */
void bpfilter_table_used(const struct bpfilter_call *call)
{
	const struct bpfilter_table_desc *desc = bpfilter_table_asked(call);
	struct bpfilter_table *table;
	int use;

	if (!desc)
		return;
	table = bpfilter_table_of(call->net, desc);
	if (READ_ONCE(table->used))
		return;
	use = atomic_inc_return(&bpfilter_net(call->net)->uses);
	if (!cmpxchg(&table->used, 0, use))
		audit_log_nfcfg(desc->name, desc->family,
				pristine_entries(desc), AUDIT_XT_OP_REGISTER,
				GFP_KERNEL);
}

/**
 * bpfilter_table_audit() - ip_tables' record of a REPLACE
 * @call: the REPLACE
 *
 * Context: the process that has replaced it. May wait for the audit system.
 */
void bpfilter_table_audit(const struct bpfilter_call *call)
{
	const struct bpfilter_table_desc *desc = bpfilter_table_asked(call);

	if (desc)
		audit_log_nfcfg(desc->name, desc->family, call->entries_before,
				AUDIT_XT_OP_REPLACE, GFP_KERNEL);
}

/**
 * bpfilter_tables_show() - print the names of the IPv4 tables in use, which is
 *	from their first successful request on; the last one first, as ip_tables
 *	does
 * @seq: where to
 * @net: the namespace
 */
void bpfilter_tables_show(struct seq_file *seq, struct net *net)
{
	struct bpfilter_net *ours = bpfilter_net(net);
	int use, i;

	for (use = atomic_read(&ours->uses); use > 0; use--) {
		for (i = 0; i < ARRAY_SIZE(table_desc); i++) {
			if (table_desc[i].family == NFPROTO_IPV4 &&
			    READ_ONCE(ours->table[i].used) == use)
				seq_printf(seq, "%s\n", table_desc[i].name);
		}
	}
}

/*
 * Rules that ip_tables has loaded before stay in force beside ours, and iptables
 * does not show them any more.
 */
#if IS_ENABLED(CONFIG_IP_NF_IPTABLES_LEGACY)
static void tell_doubled(struct net *net, const struct bpfilter_table_desc *desc)
{
	struct xt_table *other;
	u32 entries;

	/* The second alone would make a table that is not there. */
	if (!xt_find_table(net, desc->family, desc->name))
		return;
	other = xt_find_table_lock(net, desc->family, desc->name);
	if (IS_ERR(other))
		return;
	entries = other->private->number;
	xt_table_unlock(other);
	module_put(other->me);
	if (entries != pristine_entries(desc))
		pr_warn("ip_tables' table %s has rules, %u entries: they stay in force, but iptables shows and changes bpfilter's\n",
			desc->name, entries);
}
#else
static void tell_doubled(struct net *net, const struct bpfilter_table_desc *desc)
{
}
#endif

/* --- namespaces ---------------------------------------------------------------- */

static int __net_init bpfilter_net_init(struct net *net)
{
	const struct bpfilter_table_desc *desc;
	int i, err;

	err = bpfilter_proc_net_init(net);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(table_desc); i++) {
		desc = &table_desc[i];
		bpfilter_table_reset(net, desc);
		if (bpfilter_table_of(net, desc)->drops)
			err = bpfilter_table_hook(net, desc);
		if (err)
			goto unhook;
		if (is_served(desc))
			tell_doubled(net, desc);
	}
	return 0;

unhook:
	while (i--)
		unhook(net, &table_desc[i]);
	for (i = 0; i < ARRAY_SIZE(table_desc); i++)
		kfree(bpfilter_table_of(net, &table_desc[i])->ops);
	bpfilter_proc_net_exit(net);
	return err;
}

/* A grace period lies between this and bpfilter_net_exit(). */
static void __net_exit bpfilter_net_pre_exit(struct net *net)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(table_desc); i++) {
		unhook(net, &table_desc[i]);
		bpfilter_generation_release(net, &table_desc[i], NULL);
	}
}

static void __net_exit bpfilter_net_exit(struct net *net)
{
	const struct bpfilter_table_desc *desc;
	struct bpfilter_table *table;
	int i;

	bpfilter_proc_net_exit(net);
	for (i = 0; i < ARRAY_SIZE(table_desc); i++) {
		desc = &table_desc[i];
		table = bpfilter_table_of(net, desc);
		if (table->used)
			audit_log_nfcfg(desc->name, desc->family,
					table->entries,
					AUDIT_XT_OP_UNREGISTER, GFP_KERNEL);
		/* No packet and no request reaches the namespace any more. */
		bpfilter_generation_free(table->active);
		kfree(table->ops);
	}
}

static struct pernet_operations bpfilter_net_ops = {
	.init = bpfilter_net_init,
	.pre_exit = bpfilter_net_pre_exit,
	.exit = bpfilter_net_exit,
	.id = &bpfilter_net_id,
	.size = sizeof(struct bpfilter_net),
};

/**
 * bpfilter_tables_init() - be there for every namespace, now and to come
 *
 * Return: 0 or a negative errno; -EINVAL, the parameter names a table that there
 * is not, or leaves out one that it must not.
 */
int bpfilter_tables_init(void)
{
	const struct bpfilter_table_desc *desc;
	int i, err;

	err = read_tables();
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(table_desc); i++) {
		desc = &table_desc[i];
		if (!is_served(desc) && bpfilter_boot_drops(&init_net, desc)) {
			pr_err("tables=%s: table %s has a policy, and must be served\n",
			       tables, desc->name);
			return -EINVAL;
		}
	}
	return register_pernet_subsys(&bpfilter_net_ops);
}

/**
 * bpfilter_tables_exit() - remove all hooks and generations
 *
 * Context: no request may be in progress, and none may come.
 */
void bpfilter_tables_exit(void)
{
	int nets = atomic_read(&translating);

	if (nets)
		pr_notice("no address translation any more in %d network namespaces: connections that need it end, unless nftables or ip_tables translates there\n",
			  nets);
	unregister_pernet_subsys(&bpfilter_net_ops);
}
