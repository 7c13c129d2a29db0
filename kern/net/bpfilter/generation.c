// SPDX-License-Identifier: GPL-2.0-only
/*
 * generation.c - the committed rules of each network namespace, and its hooks
 *
 * Owns: per namespace one generation (programs, counters, table image), the
 * packet hooks that run its programs, the namespace's hold on connection
 * tracking, and what the audit system is told of its table.
 *
 * Promises: one pointer names the generation of all three hooks, so that no
 * packet sees two of them on one hook, and no hook an older one than another.
 * After a swap no packet runs in the old generation any more: its counters are
 * final. A namespace without programs has no hooks. Whatever a namespace holds
 * goes with it, or with the module. The helper's life does not matter here.
 *
 * Leaves to others: when to swap, settle or revert (transaction.c), and the
 * contents of the counter map and the table image (the helper).
 */
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/bottom_half.h>
#include <linux/file.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/netfilter/nf_bpf_link.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include "internal.h"

/* The entries of a table that nobody has changed: three policies and the end. */
#define PRISTINE_ENTRIES	4

/* The files of a generation, in the order of struct bpfilter_generation. */
#define FILE_COUNTERS	BPFILTER_HOOKS
#define FILE_TABLE	(BPFILTER_HOOKS + 1)
#define FILES		(BPFILTER_HOOKS + 2)

/**
 * struct generation - what one COMMIT brought; does not change
 * @prog: the programs, indexed by BPFILTER_HOOK_*; all NULL, or none
 * @file: what the descriptors named, to make new ones; NULL for no program
 * @extensions: what the programs ask of x_tables, or NULL
 * @flags: BPFILTER_GEN_*
 */
struct generation {
	struct bpf_prog *prog[BPFILTER_HOOKS];
	struct file *file[FILES];
	struct bpfilter_extensions *extensions;
	u32 flags;
};

/**
 * struct bpfilter_net - one network namespace
 * @active: the generation, or NULL before the first COMMIT. Read by packets
 *	under RCU; written under the transaction's lock, which a namespace that
 *	goes needs no more: then pernet_ops_rwsem is held
 * @ops: the hooks; registered while @hooked
 * @hooked: under the transaction's lock
 * @conntrack: connection tracking is held; under the transaction's lock
 * @used: a request for the table succeeded here; set once, no lock
 * @entries: how many entries the table has; under the transaction's lock
 */
struct bpfilter_net {
	struct generation __rcu *active;
	struct nf_hook_ops ops[BPFILTER_HOOKS];
	bool hooked;
	bool conntrack;
	bool used;
	u32 entries;
};

static unsigned int bpfilter_net_id __read_mostly;

static struct bpfilter_net *bpfilter_net(const struct net *net)
{
	return net_generic(net, bpfilter_net_id);
}

/* Whoever holds the transaction's lock is the only writer. */
static struct generation *active_locked(const struct bpfilter_net *bn)
{
	return rcu_dereference_protected(bn->active,
					 bpfilter_transaction_held());
}

static bool has_programs(const struct generation *gen)
{
	return gen && gen->prog[0];
}

static bool needs_conntrack(const struct generation *gen)
{
	return gen && (gen->flags & BPFILTER_GEN_CONNTRACK);
}

/*
 * What a target says is the verdict if it has ended the packet's way. Runs may
 * be nested: a target may send packets of its own.
 */
static unsigned int run_with(const struct bpfilter_extensions *extensions,
			     const struct bpf_prog *prog,
			     const struct bpf_nf_ctx *ctx)
{
	struct bpfilter_run run = {
		.state = ctx->state,
		.extensions = extensions,
	};
	struct bpfilter_run *outer = bpfilter_run_begin(&run);
	unsigned int verdict = bpf_prog_run(prog, ctx);

	bpfilter_run_end(outer);
	if (run.ended)
		verdict = run.verdict;
	/* What a target has taken is not there to be dropped. */
	if (run.hotdrop && verdict != NF_STOLEN)
		return NF_DROP;
	return verdict;
}

/*
 * Runs inside the read side of netfilter's RCU. The counters are plain per-CPU
 * memory: a packet of LOCAL_OUT must not be interrupted by one of LOCAL_IN,
 * so bottom halves are off, as in ip_tables.
 */
static unsigned int bpfilter_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	const struct bpfilter_net *bn = priv;
	const struct bpf_nf_ctx ctx = {
		.state = state,
		.skb = skb,
	};
	const struct generation *gen;
	const struct bpf_prog *prog;
	unsigned int verdict;

	gen = rcu_dereference(bn->active);
	if (!has_programs(gen))
		return NF_ACCEPT;

	prog = gen->prog[state->hook - NF_INET_LOCAL_IN];
	local_bh_disable();
	if (gen->extensions)
		verdict = run_with(gen->extensions, prog, &ctx);
	else
		verdict = bpf_prog_run(prog, &ctx);
	local_bh_enable();
	return verdict;
}

static const struct nf_hook_ops hook_template[BPFILTER_HOOKS] = {
	[BPFILTER_HOOK_LOCAL_IN] = {
		.hook = bpfilter_hook,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = NF_IP_PRI_FILTER,
	},
	[BPFILTER_HOOK_FORWARD] = {
		.hook = bpfilter_hook,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_FORWARD,
		.priority = NF_IP_PRI_FILTER,
	},
	[BPFILTER_HOOK_LOCAL_OUT] = {
		.hook = bpfilter_hook,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_OUT,
		.priority = NF_IP_PRI_FILTER,
	},
};

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
static int conntrack_get(struct net *net)
{
	return nf_ct_netns_get(net, NFPROTO_IPV4);
}

static void conntrack_put(struct net *net)
{
	nf_ct_netns_put(net, NFPROTO_IPV4);
}
#else
static int conntrack_get(struct net *net)
{
	return -EOPNOTSUPP;
}

static void conntrack_put(struct net *net)
{
}
#endif

/* Takes what @gen needs to be active, if the namespace has not got it yet. */
static int net_acquire(struct net *net, const struct generation *gen)
{
	struct bpfilter_net *bn = bpfilter_net(net);
	int err;

	if (needs_conntrack(gen) && !bn->conntrack) {
		err = conntrack_get(net);
		if (err)
			return err;
		bn->conntrack = true;
	}
	/* Stays on, as connbytes leaves it. */
	if (gen->flags & BPFILTER_GEN_ACCOUNTING)
		nf_ct_set_acct(net, true);
	if (has_programs(gen) && !bn->hooked) {
		err = nf_register_net_hooks(net, bn->ops, BPFILTER_HOOKS);
		if (err)
			return err;
		bn->hooked = true;
	}
	return 0;
}

/* Gives back what @gen, the active generation or NULL, does not need. */
static void net_release(struct net *net, const struct generation *gen)
{
	struct bpfilter_net *bn = bpfilter_net(net);

	if (bn->hooked && !has_programs(gen)) {
		nf_unregister_net_hooks(net, bn->ops, BPFILTER_HOOKS);
		bn->hooked = false;
	}
	if (bn->conntrack && !needs_conntrack(gen)) {
		conntrack_put(net);
		bn->conntrack = false;
	}
}

/*
 * Returns when no packet runs in the generation that was active. Expedited, as
 * every edit of a rule waits for this: tens of microseconds, not milliseconds.
 */
static void net_activate(struct bpfilter_net *bn, struct generation *gen)
{
	rcu_assign_pointer(bn->active, gen);
	synchronize_rcu_expedited();
}

/**
 * bpfilter_generation_free() - drop all that a generation holds
 * @gen: a generation that no packet can see, or NULL
 */
void bpfilter_generation_free(struct generation *gen)
{
	int i;

	if (!gen)
		return;
	for (i = 0; i < BPFILTER_HOOKS; i++) {
		if (gen->prog[i])
			bpf_prog_put(gen->prog[i]);
	}
	for (i = 0; i < FILES; i++) {
		if (gen->file[i])
			fput(gen->file[i]);
	}
	bpfilter_extensions_free(gen->extensions);
	kfree(gen);
}

static int get_file_of(struct generation *gen, int index, int fd)
{
	gen->file[index] = fget(fd);
	return gen->file[index] ? 0 : -EBADF;
}

static int get_programs(struct generation *gen, const __s32 *fds)
{
	struct bpf_prog *prog;
	int i, err;

	if (fds[0] == -1 && fds[1] == -1 && fds[2] == -1)
		return 0;

	for (i = 0; i < BPFILTER_HOOKS; i++) {
		if (fds[i] < 0)
			return -EINVAL;
		prog = bpf_prog_get_type_dev(fds[i], BPF_PROG_TYPE_NETFILTER,
					     false);
		if (IS_ERR(prog))
			return PTR_ERR(prog);
		gen->prog[i] = prog;
		err = get_file_of(gen, i, fds[i]);
		if (err)
			return err;
	}
	return 0;
}

/**
 * bpfilter_generation_get() - take what the helper commits
 * @fds: descriptors of the current process
 * @extensions: what the programs ask of x_tables, or NULL; the generation's
 *	from now on, if there is one
 *
 * Return: a new generation, or an ERR_PTR.
 */
struct generation *
bpfilter_generation_get(const struct bpfilter_generation *fds,
			struct bpfilter_extensions **extensions)
{
	struct generation *gen;
	int err;

	if (fds->flags & ~BPFILTER_GEN_ALL)
		return ERR_PTR(-EINVAL);

	gen = kzalloc(sizeof(*gen), GFP_KERNEL);
	if (!gen)
		return ERR_PTR(-ENOMEM);
	gen->flags = fds->flags;

	err = get_programs(gen, fds->prog);
	if (!err)
		err = get_file_of(gen, FILE_COUNTERS, fds->counters);
	if (!err)
		err = get_file_of(gen, FILE_TABLE, fds->table);
	if (err) {
		bpfilter_generation_free(gen);
		return ERR_PTR(err);
	}
	gen->extensions = *extensions;
	*extensions = NULL;
	return gen;
}

/**
 * bpfilter_generation_swap() - make a generation the active one
 * @net: the namespace
 * @gen: the generation, which from now on belongs to the namespace
 * @old: receives what was active, NULL if nothing was. The caller keeps it and
 *	calls bpfilter_generation_settle() or bpfilter_generation_revert()
 *
 * Hooks and conntrack that only @old needs stay until then, so that going back
 * cannot fail.
 *
 * Context: under the transaction's lock; sleeps until no packet runs in @old.
 * Return: 0, or a negative errno and nothing has changed.
 */
int bpfilter_generation_swap(struct net *net, struct generation *gen,
			     struct generation **old)
{
	struct bpfilter_net *bn = bpfilter_net(net);
	int err;

	*old = active_locked(bn);
	err = net_acquire(net, gen);
	if (err) {
		net_release(net, *old);
		return err;
	}
	net_activate(bn, gen);
	return 0;
}

/**
 * bpfilter_generation_settle() - the active generation stays
 * @net: the namespace
 * @old: what it replaced, freed here
 *
 * Context: under the transaction's lock.
 */
void bpfilter_generation_settle(struct net *net, struct generation *old)
{
	net_release(net, active_locked(bpfilter_net(net)));
	bpfilter_generation_free(old);
}

/**
 * bpfilter_generation_revert() - go back, and free what was active
 * @net: the namespace
 * @old: what becomes active again, or NULL
 *
 * Context: under the transaction's lock.
 */
void bpfilter_generation_revert(struct net *net, struct generation *old)
{
	struct bpfilter_net *bn = bpfilter_net(net);
	struct generation *gen = active_locked(bn);

	net_activate(bn, old);
	net_release(net, old);
	bpfilter_generation_free(gen);
}

/**
 * bpfilter_generation_recover() - give the current process the active
 *	generation
 * @net: the namespace
 * @optval: receives a struct bpfilter_generation with new descriptors, which
 *	are opened all or none
 *
 * Context: under the transaction's lock.
 * Return: 0 or a negative errno; -ENOENT, nothing was committed.
 */
int bpfilter_generation_recover(struct net *net, char __user *optval)
{
	struct generation *gen = active_locked(bpfilter_net(net));
	struct bpfilter_generation out = {};
	int fd[FILES];
	int i, n, err;

	if (!gen)
		return -ENOENT;

	for (n = 0; n < FILES; n++) {
		fd[n] = -1;
		if (!gen->file[n])
			continue;
		fd[n] = get_unused_fd_flags(O_CLOEXEC);
		if (fd[n] < 0) {
			err = fd[n];
			goto unreserve;
		}
	}

	memcpy(out.prog, fd, sizeof(out.prog));
	out.counters = fd[FILE_COUNTERS];
	out.table = fd[FILE_TABLE];
	out.flags = gen->flags;
	if (copy_to_user(optval, &out, sizeof(out))) {
		err = -EFAULT;
		goto unreserve;
	}

	for (i = 0; i < FILES; i++) {
		if (gen->file[i])
			fd_install(fd[i], get_file(gen->file[i]));
	}
	return 0;

unreserve:
	for (i = 0; i < n; i++) {
		if (fd[i] >= 0)
			put_unused_fd(fd[i]);
	}
	return err;
}

/**
 * bpfilter_table_used() - the table has been used in a namespace
 * @net: the namespace
 */
void bpfilter_table_used(struct net *net)
{
	if (!READ_ONCE(bpfilter_net(net)->used) &&
	    !xchg(&bpfilter_net(net)->used, true))
		audit_log_nfcfg("filter", NFPROTO_IPV4, PRISTINE_ENTRIES,
				AUDIT_XT_OP_REGISTER, GFP_KERNEL);
}

/**
 * bpfilter_table_replaced() - the table of a namespace is another one
 * @net: the namespace
 * @entries: how many entries the new one has
 *
 * Context: under the transaction's lock.
 * Return: how many the old one had.
 */
u32 bpfilter_table_replaced(struct net *net, u32 entries)
{
	struct bpfilter_net *bn = bpfilter_net(net);
	u32 old = bn->entries;

	bn->entries = entries;
	return old;
}

/**
 * bpfilter_table_audit() - ip_tables' record of a REPLACE
 * @entries_before: how many entries the old table had
 *
 * Context: the process that has replaced it. May wait for the audit system.
 */
void bpfilter_table_audit(u32 entries_before)
{
	audit_log_nfcfg("filter", NFPROTO_IPV4, entries_before,
			AUDIT_XT_OP_REPLACE, GFP_KERNEL);
}

/**
 * bpfilter_table_in_use() - whether it has
 * @net: the namespace
 *
 * Return: true from the first successful request on.
 */
bool bpfilter_table_in_use(struct net *net)
{
	return READ_ONCE(bpfilter_net(net)->used);
}

/**
 * bpfilter_table_entries() - how many entries the table of a namespace has
 * @net: the namespace
 *
 * Context: under the transaction's lock.
 * Return: their number.
 */
u32 bpfilter_table_entries(struct net *net)
{
	return bpfilter_net(net)->entries;
}

static int __net_init bpfilter_net_init(struct net *net)
{
	struct bpfilter_net *bn = bpfilter_net(net);
	int i;

	bn->entries = PRISTINE_ENTRIES;
	memcpy(bn->ops, hook_template, sizeof(hook_template));
	for (i = 0; i < BPFILTER_HOOKS; i++)
		bn->ops[i].priv = bn;
	return bpfilter_proc_net_init(net);
}

/* A grace period lies between this and bpfilter_net_exit(). */
static void __net_exit bpfilter_net_pre_exit(struct net *net)
{
	net_release(net, NULL);
}

static void __net_exit bpfilter_net_exit(struct net *net)
{
	struct bpfilter_net *bn = bpfilter_net(net);
	struct generation *gen;

	bpfilter_proc_net_exit(net);
	if (bn->used)
		audit_log_nfcfg("filter", NFPROTO_IPV4, bn->entries,
				AUDIT_XT_OP_UNREGISTER, GFP_KERNEL);
	/* No packet and no request reaches the namespace any more. */
	gen = rcu_dereference_protected(bn->active,
					lockdep_is_held(&pernet_ops_rwsem));
	bpfilter_generation_free(gen);
}

static struct pernet_operations bpfilter_net_ops = {
	.init = bpfilter_net_init,
	.pre_exit = bpfilter_net_pre_exit,
	.exit = bpfilter_net_exit,
	.id = &bpfilter_net_id,
	.size = sizeof(struct bpfilter_net),
};

/**
 * bpfilter_generation_init() - be there for every namespace, now and to come
 *
 * Return: 0 or a negative errno.
 */
int bpfilter_generation_init(void)
{
	return register_pernet_subsys(&bpfilter_net_ops);
}

/**
 * bpfilter_generation_exit() - remove all hooks and generations
 *
 * Context: no request may be in progress, and none may come.
 */
void bpfilter_generation_exit(void)
{
	unregister_pernet_subsys(&bpfilter_net_ops);
}
