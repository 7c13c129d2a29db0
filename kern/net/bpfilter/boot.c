// SPDX-License-Identifier: GPL-2.0-only
/*
 * boot.c - policies and rules from the first packet on
 *
 * Owns: the module parameters policy*, which say what becomes of packets before
 * there are rules; the boot rules, which CONFIG_BPFILTER_BOOT_RULES names; and the
 * parameter lock.
 *
 * Promises: where the policy is to drop, packets are dropped from init on, before
 * the helper is started, and until rules are in force: whatever fails until then.
 * Boot rules come into force whole, or not at all. Once the namespace has a lock
 * its served tables stay as they are. Without parameters and boot rules nothing of this
 * file has an effect.
 *
 * Leaves to others: the hooks (tables.c), which are registered early for a table
 * that drops; the verdict while there are no rules (packet.c); and the end of that
 * when rules come (generation.c).
 *
 * The helper knows nothing of all this. What comes into force does so by REPLACE,
 * the request that iptables-restore makes, in the order that iptables would use:
 * so iptables shows it, counts it and replaces it as any other rules.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bits.h>
#include <linux/bpfilter.h>
#include <linux/completion.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/net_namespace.h>
#include "internal.h"

/* --- the parameters ---------------------------------------------------------- */

static char *policy;
module_param(policy, charp, 0444);
MODULE_PARM_DESC(policy, "drop or accept: what becomes of packets, of IPv4 and IPv6, while there are no rules");

static char *policy_input;
module_param(policy_input, charp, 0444);
MODULE_PARM_DESC(policy_input, "Likewise for INPUT alone; goes before policy");

static char *policy_forward;
module_param(policy_forward, charp, 0444);
MODULE_PARM_DESC(policy_forward, "Likewise for FORWARD alone");

static char *policy_output;
module_param(policy_output, charp, 0444);
MODULE_PARM_DESC(policy_output, "Likewise for OUTPUT alone");

static bool policy_all_ns;
module_param(policy_all_ns, bool, 0444);
MODULE_PARM_DESC(policy_all_ns, "The policies are those of all network namespaces, not of the first alone");

static bool lock;
module_param(lock, bool, 0444);
MODULE_PARM_DESC(lock, "Nobody changes the tables that are served, of the first network namespace, once rules or policies are in force");

/* A bit for each hook whose policy is to drop. Does not change after init. */
static unsigned int drops __read_mostly;

/* No more changes in the first namespace. Set once, by init. */
static bool locked __read_mostly;

static int __init read_policy(const char *name, const char *value,
			      unsigned int hooks)
{
	if (!value)
		return 0;
	if (!strcasecmp(value, "accept")) {
		drops &= ~hooks;
		return 0;
	}
	drops |= hooks;
	if (!strcasecmp(value, "drop"))
		return 0;
	pr_err("%s=%s is neither drop nor accept\n", name, value);
	/* Nobody gets the errno of what is built in: what cannot be read drops. */
	return IS_BUILTIN(CONFIG_BPFILTER_UMH) ? 0 : -EINVAL;
}

/**
 * bpfilter_boot_init() - read the parameters
 *
 * Return: 0, or -EINVAL and the log says why.
 */
int __init bpfilter_boot_init(void)
{
	const struct {
		const char *name;
		const char *value;
		unsigned int hooks;
	} policies[] = {
		{ "policy", policy, BIT(NF_INET_LOCAL_IN) |
				    BIT(NF_INET_FORWARD) |
				    BIT(NF_INET_LOCAL_OUT) },
		{ "policy_input", policy_input, BIT(NF_INET_LOCAL_IN) },
		{ "policy_forward", policy_forward, BIT(NF_INET_FORWARD) },
		{ "policy_output", policy_output, BIT(NF_INET_LOCAL_OUT) },
	};
	int i, err;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		err = read_policy(policies[i].name, policies[i].value,
				  policies[i].hooks);
		if (err)
			return err;
	}
	return 0;
}

/**
 * bpfilter_boot_drops() - where a table without rules drops
 * @net: the namespace
 * @desc: which of its tables
 *
 * Return: a bit for each hook.
 */
unsigned int bpfilter_boot_drops(const struct net *net,
				 const struct bpfilter_table_desc *desc)
{
	if (desc->table != BPFILTER_TABLE_FILTER ||
	    !(policy_all_ns || net_eq(net, &init_net)))
		return 0;
	return drops & desc->hooks;
}

/**
 * bpfilter_boot_locks() - whether a call must not be carried out
 * @call: the call
 *
 * Return: true if it is to change a served table of a namespace that has a lock.
 */
bool bpfilter_boot_locks(const struct bpfilter_call *call)
{
	return READ_ONCE(locked) && call->req.is_set &&
	       net_eq(call->net, &init_net) && bpfilter_table_asked(call);
}

/* --- the policies as a table ------------------------------------------------- */

/* What a policy's target takes up: the structure ends earlier on 32 bits. */
#define POLICY_LEN	XT_ALIGN(sizeof(struct xt_standard_target))

/* How many bytes an entry has before its target. */
static u16 entry_len(const struct bpfilter_table_desc *desc)
{
	return desc->family == NFPROTO_IPV6 ? sizeof(struct ip6t_entry) :
					      sizeof(struct ipt_entry);
}

/* An entry that asks nothing, but for its target, which is returned. */
static void *put_entry(const struct bpfilter_table_desc *desc, void *to,
		       u16 target_len)
{
	u16 target_offset = entry_len(desc);
	u16 next_offset = target_offset + target_len;
	struct xt_entry_target *target = to + target_offset;

	if (desc->family == NFPROTO_IPV6) {
		struct ip6t_entry *entry = to;

		entry->target_offset = target_offset;
		entry->next_offset = next_offset;
	} else {
		struct ipt_entry *entry = to;

		entry->target_offset = target_offset;
		entry->next_offset = next_offset;
	}
	target->u.target_size = target_len;
	return target;
}

static void put_policy(const struct bpfilter_table_desc *desc, void *to,
		       unsigned int verdict)
{
	struct xt_standard_target *target;

	target = put_entry(desc, to, POLICY_LEN);
	target->verdict = -verdict - 1;
}

static void put_last(const struct bpfilter_table_desc *desc, void *to)
{
	struct xt_error_target *target;

	target = put_entry(desc, to, sizeof(*target));
	strscpy(target->target.u.user.name, XT_ERROR_TARGET,
		sizeof(target->target.u.user.name));
	strscpy(target->errorname, XT_ERROR_TARGET,
		sizeof(target->errorname));
}

/* What "iptables -P" would send for a table that nobody has changed. */
static struct bpfilter_replace *
pristine_replace(struct net *net, const struct bpfilter_table_desc *desc,
		 unsigned int *len)
{
	unsigned int policy_len = entry_len(desc) + POLICY_LEN;
	unsigned int policies = hweight32(desc->hooks);
	struct bpfilter_replace *replace;
	unsigned int hook, at = 0;

	*len = sizeof(*replace) + policies * policy_len + entry_len(desc) +
	       sizeof(struct xt_error_target);
	replace = kzalloc(*len, GFP_KERNEL_ACCOUNT);
	if (!replace)
		return NULL;
	strscpy(replace->name, desc->name, sizeof(replace->name));
	replace->valid_hooks = desc->hooks;
	replace->num_entries = policies + 1;
	replace->size = *len - sizeof(*replace);
	replace->num_counters = bpfilter_table_of(net, desc)->entries;
	for (hook = 0; hook < BPFILTER_HOOKS; hook++) {
		if (!(desc->hooks & BIT(hook)))
			continue;
		replace->hook_entry[hook] = at;
		replace->underflow[hook] = at;
		put_policy(desc, replace->entries + at,
			   drops & BIT(hook) ? NF_DROP : NF_ACCEPT);
		at += policy_len;
	}
	put_last(desc, replace->entries + at);
	return replace;
}

static struct bpfilter_call *new_replace(struct net *net, u8 family,
					 const void *optval, unsigned int len)
{
	/* No address: the old counters are nobody's. */
	const struct bpfilter_request req = {
		.len = len,
		.is_set = 1,
		.cmd = BPFILTER_IPT_SO_SET_REPLACE,
		.pid = task_pid_nr(current),
	};

	return bpfilter_call_new(net, family, &req,
				 KERNEL_SOCKPTR((void *)optval));
}

static struct bpfilter_call *new_policies(struct net *net,
					  const struct bpfilter_table_desc *desc)
{
	struct bpfilter_replace *replace;
	struct bpfilter_call *call;
	unsigned int len;

	replace = pristine_replace(net, desc, &len);
	if (!replace)
		return ERR_PTR(-ENOMEM);
	call = new_replace(net, desc->family, replace, len);
	kfree(replace);
	return call;
}

/**
 * bpfilter_boot_policies() - what has to be in force before a call
 * @call: the call, whose namespace pays for it
 *
 * A table without rules that drops must not be shown as one that accepts. Init
 * has brought its policies into force in the first namespace, unless something
 * failed; in others, the first call that is about the table does.
 *
 * Context: the mailbox's worker.
 * Return: the call that brings the policies into force, to be put; NULL if there
 * is no need for one; or an ERR_PTR.
 */
struct bpfilter_call *bpfilter_boot_policies(struct bpfilter_call *call)
{
	const struct bpfilter_table_desc *desc = bpfilter_table_asked(call);
	struct bpfilter_call *policies;
	struct mem_cgroup *old;

	/* A REPLACE brings others. */
	if (bpfilter_call_replaces(call))
		return NULL;
	if (!desc || !READ_ONCE(bpfilter_table_of(call->net, desc)->drops))
		return NULL;
	old = set_active_memcg(call->memcg);
	policies = new_policies(call->net, desc);
	set_active_memcg(old);
	return policies;
}

/* --- the boot rules ---------------------------------------------------------- */

/*
 * Returns the answer to a call, which the caller still has to put. Waits even if init
 * is killed: what comes next must know what has become of the call.
 */
static int __init make_call(struct bpfilter_call *call)
{
	int err;

	bpfilter_mailbox_submit(call);
	wait_for_completion(&call->done);
	err = call->status;
	if (!err)
		bpfilter_mailbox_audit(call);
	return err;
}

static int __init commit_table(const struct bpfilter_boot_table *table)
{
	struct bpfilter_modules modules = {};
	struct bpfilter_call *call;
	int err;

	do {
		call = new_replace(&init_net, table->family, table + 1,
				   table->len);
		if (IS_ERR(call))
			return PTR_ERR(call);
		call->modules = modules;
		err = make_call(call);
	} while (bpfilter_call_again(call, err, &modules));
	return err;
}

/* Tables start at a multiple of 8 bytes. */
static size_t __init room_of(const struct bpfilter_boot_table *table)
{
	return ALIGN((size_t)table->len, sizeof(u64));
}

static const struct bpfilter_boot_table *__init
next_table(const struct bpfilter_boot_table *table)
{
	return (const void *)(table + 1) + room_of(table);
}

/* The boot rules are checked before any of them is committed. */
static bool __init is_whole(const struct bpfilter_boot_rules *rules, size_t size)
{
	const struct bpfilter_boot_table *table = (const void *)(rules + 1);
	size_t left;
	u32 i;

	if (size < sizeof(*rules) || rules->magic != BPFILTER_BOOT_MAGIC ||
	    rules->size != size)
		return false;
	left = size - sizeof(*rules);
	for (i = 0; i < rules->tables; i++) {
		if (left < sizeof(*table))
			return false;
		left -= sizeof(*table);
		if (table->len < sizeof(struct bpfilter_replace) ||
		    table->len > left || room_of(table) > left)
			return false;
		left -= room_of(table);
		table = next_table(table);
	}
	return !left;
}

static int __init commit_tables(const struct bpfilter_boot_rules *rules)
{
	const struct bpfilter_boot_table *table = (const void *)(rules + 1);
	const struct bpfilter_table_desc *desc;
	int err;
	u32 i;

	for (i = 0; i < rules->tables; i++, table = next_table(table)) {
		desc = bpfilter_table_desc(table->family, table->table);
		if (!desc) {
			pr_err("boot rules: table %u of family %u is not served\n",
			       table->table, table->family);
			err = -EOPNOTSUPP;
			goto forget;
		}
		err = commit_table(table);
		if (err) {
			pr_err("boot rules: table %s: errno %d\n", desc->name,
			       -err);
			goto forget;
		}
	}
	return 0;

forget:
	table = (const void *)(rules + 1);
	while (i--) {
		desc = bpfilter_table_desc(table->family, table->table);
		bpfilter_transaction_forget(&init_net, desc);
		table = next_table(table);
	}
	return err;
}

/* Returns whether there are any, and they are in force. */
static bool __init commit_rules(void)
{
	const struct bpfilter_boot_rules *rules =
		(const void *)bpfilter_boot_rules_start;
	size_t size = bpfilter_boot_rules_end - bpfilter_boot_rules_start;
	int err = -EINVAL;

	if (!size)
		return false;
	if (is_whole(rules, size))
		err = commit_tables(rules);
	else
		pr_err("boot rules: %zu bytes that are no boot rules, or not all of them\n",
		       size);
	if (err) {
		pr_err("boot rules not in force: packets %s\n",
		       drops ? "meet the policies" : "pass");
		return false;
	}
	pr_info("boot rules in force: %u tables\n", rules->tables);
	return true;
}

static void __init commit_policies(u8 family)
{
	const struct bpfilter_table_desc *desc =
		bpfilter_table_desc(family, BPFILTER_TABLE_FILTER);
	struct bpfilter_call *call;
	int err;

	/* Not so where the boot rules have brought rules for it. */
	if (!desc || !bpfilter_table_of(&init_net, desc)->drops)
		return;
	call = new_policies(&init_net, desc);
	if (IS_ERR(call)) {
		err = PTR_ERR(call);
	} else {
		err = make_call(call);
		bpfilter_call_put(call);
	}
	if (err)
		pr_err("policies of table %s are not shown: errno %d\n",
		       desc->name, -err);
}

/**
 * bpfilter_boot_commit() - bring boot rules and policies into force
 * @err: 0, or why there is no helper
 *
 * Without a helper the policies are in force all the same, but nobody counts or
 * shows them before there is one.
 *
 * Context: init, with a helper but no clients.
 * Return: whether there is something in force that must stay though there is no
 * helper.
 */
bool __init bpfilter_boot_commit(int err)
{
	bool rules = false;

	if (err && drops)
		pr_err("no helper (errno %d): packets meet the policies\n",
		       -err);
	if (!err) {
		rules = commit_rules();
		commit_policies(NFPROTO_IPV4);
		commit_policies(NFPROTO_IPV6);
	}
	if (lock && (rules || drops))
		WRITE_ONCE(locked, true);
	else if (lock)
		pr_err("nothing is locked, as neither rules nor policies are in force\n");
	return drops;
}

/**
 * bpfilter_boot_stay() - keep the module where rules are locked
 *
 * Tables that go with their module would be changed.
 *
 * Context: the end of an init that has succeeded.
 */
void __init bpfilter_boot_stay(void)
{
	if (locked)
		__module_get(THIS_MODULE);
}
