// SPDX-License-Identifier: GPL-2.0-only
/*
 * tables.c - the tables of each network namespace, and their hooks
 *
 * Owns: what each network namespace has of each table; the registration of packet
 * hooks; and what the audit system and /proc are told of a table.
 *
 * Promises: a table is hooked when it gets its first rules or policies, not
 * before unless it is to drop until then (boot.c), and is unhooked when it has none
 * any more. NAT alone stays until the namespace goes: its hooks are those that
 * translate what connections are there already, and rules that go must not break
 * them.
 *
 * Leaves to others: which tables there are (desc.c), what a table's rules are
 * (generation.c), and a packet's way through them (packet.c).
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/atomic.h>
#include <linux/audit.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/bpfilter.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_nat.h>
#include <net/netns/generic.h>
#include "internal.h"

/* --- the tables of a namespace ----------------------------------------------- */

/**
 * struct bpfilter_net - one network namespace
 * @uses: how many of its tables have been used
 * @traced: a rule has asked for TRACE; under the transaction's lock
 * @nats: how many of its tables nat are hooked; under that lock, or the namespace goes
 * @table: indexed by bpfilter_desc_index()
 */
struct bpfilter_net {
	atomic_t uses;
	bool traced;
	unsigned int nats;
	struct bpfilter_table table[BPFILTER_DESCS];
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
	return &bpfilter_net(net)->table[bpfilter_desc_index(desc)];
}

/* The entries of a table that nobody has changed: its policies and the end. */
static u32 pristine_entries(const struct bpfilter_table_desc *desc)
{
	return hweight32(desc->hooks) + 1;
}

/* --- hooks ------------------------------------------------------------------- */

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
			ops->hook = bpfilter_reroute_hook(desc->family);
		table->hook[hook].table = table;
		ops->priv = &table->hook[hook];
		ops->pf = desc->family;
		ops->hooknum = hook;
		ops->priority = bpfilter_desc_priority(desc, hook);
		ops++;
	}
	return 0;
}

#if IS_ENABLED(CONFIG_NF_NAT)
static int nat_register_one(struct net *net, const struct nf_hook_ops *ops)
{
	if (IS_ENABLED(CONFIG_IPV6) && ops->pf == NFPROTO_IPV6)
		return nf_nat_ipv6_register_fn(net, ops);
	return nf_nat_ipv4_register_fn(net, ops);
}

static void nat_unregister(struct net *net, const struct nf_hook_ops *ops,
			   unsigned int n)
{
	while (n--) {
		if (IS_ENABLED(CONFIG_IPV6) && ops[n].pf == NFPROTO_IPV6)
			nf_nat_ipv6_unregister_fn(net, &ops[n]);
		else
			nf_nat_ipv4_unregister_fn(net, &ops[n]);
	}
}

/* NAT has hooks of its own, and asks for what a first packet needs. */
static int nat_register(struct net *net, const struct nf_hook_ops *ops,
			unsigned int n)
{
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		err = nat_register_one(net, &ops[i]);
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

/* In how many namespaces a table nat, of either family, is hooked. */
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
	if (desc->nat && !bpfilter_net(net)->nats++)
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
		if (!--bpfilter_net(net)->nats)
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
 * bpfilter_tables_traced() - whether rules must have names
 * @net: the namespace
 *
 * Context: under the transaction's lock.
 * Return: whether a rule has ever asked for TRACE there.
 */
bool bpfilter_tables_traced(const struct net *net)
{
	return bpfilter_net(net)->traced;
}

/**
 * bpfilter_tables_trace() - a rule asks for TRACE: all rules of a namespace get names,
 *	and those to come
 * @net: the namespace
 *
 * Context: under the transaction's lock, sleeps.
 * Return: 0 or a negative errno.
 */
int bpfilter_tables_trace(struct net *net)
{
	const struct bpfilter_table_desc *desc;
	int i, err;

	for (i = 0; (desc = bpfilter_desc_at(i)); i++) {
		err = bpfilter_generation_name(bpfilter_table_of(net, desc));
		if (err)
			return err;
	}
	bpfilter_net(net)->traced = true;
	return 0;
}

/**
 * bpfilter_tables_show() - print the names of a family's tables in use, which is
 *	from their first successful request on; the last one first, as ip_tables
 *	does
 * @seq: where to
 * @net: the namespace
 * @family: NFPROTO_*
 */
void bpfilter_tables_show(struct seq_file *seq, struct net *net, u8 family)
{
	struct bpfilter_net *ours = bpfilter_net(net);
	const struct bpfilter_table_desc *desc;
	int use, i;

	for (use = atomic_read(&ours->uses); use > 0; use--) {
		for (i = 0; (desc = bpfilter_desc_at(i)); i++) {
			if (desc->family == family &&
			    READ_ONCE(ours->table[i].used) == use)
				seq_printf(seq, "%s\n", desc->name);
		}
	}
}

/*
 * Rules that ip_tables or ip6_tables has loaded before stay in force beside ours,
 * and iptables does not show them any more.
 */
#if IS_ENABLED(CONFIG_IP_NF_IPTABLES_LEGACY) || \
	IS_ENABLED(CONFIG_IP6_NF_IPTABLES_LEGACY)
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
		pr_warn("%s' table %s has rules, %u entries: they stay in force, but iptables shows and changes bpfilter's\n",
			desc->family == NFPROTO_IPV6 ? "ip6_tables" : "ip_tables",
			desc->name, entries);
}
#else
static void tell_doubled(struct net *net, const struct bpfilter_table_desc *desc)
{
}
#endif

/* --- namespaces ---------------------------------------------------------------- */

static void unhook_all(struct net *net)
{
	const struct bpfilter_table_desc *desc;
	int i;

	for (i = 0; (desc = bpfilter_desc_at(i)); i++)
		unhook(net, desc);
}

static int __net_init bpfilter_net_init(struct net *net)
{
	const struct bpfilter_table_desc *desc;
	int i, err;

	err = bpfilter_proc_net_init(net);
	if (err)
		return err;
	for (i = 0; (desc = bpfilter_desc_at(i)); i++) {
		bpfilter_table_reset(net, desc);
		if (bpfilter_table_of(net, desc)->drops)
			err = bpfilter_table_hook(net, desc);
		if (err)
			goto unhook;
		if (bpfilter_desc_served(desc))
			tell_doubled(net, desc);
	}
	return 0;

unhook:
	unhook_all(net);
	/* Packets may be in these hooks, of which what they work on goes now. */
	synchronize_net();
	for (i = 0; (desc = bpfilter_desc_at(i)); i++)
		kfree(bpfilter_table_of(net, desc)->ops);
	bpfilter_proc_net_exit(net);
	return err;
}

/* A grace period lies between this and bpfilter_net_exit(). */
static void __net_exit bpfilter_net_pre_exit(struct net *net)
{
	const struct bpfilter_table_desc *desc;
	int i;

	unhook_all(net);
	for (i = 0; (desc = bpfilter_desc_at(i)); i++)
		bpfilter_generation_release(net, desc, NULL);
}

static void __net_exit bpfilter_net_exit(struct net *net)
{
	const struct bpfilter_table_desc *desc;
	struct bpfilter_table *table;
	int i;

	bpfilter_proc_net_exit(net);
	for (i = 0; (desc = bpfilter_desc_at(i)); i++) {
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
 * Return: 0 or a negative errno.
 */
int bpfilter_tables_init(void)
{
	int err = bpfilter_descs_init();

	return err ? err : register_pernet_subsys(&bpfilter_net_ops);
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
