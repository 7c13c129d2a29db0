// SPDX-License-Identifier: GPL-2.0-only
/*
 * generation.c - the rules of a table, and how they replace each other
 *
 * Owns: generations (programs, counters, table image): taking one from the helper,
 * making it the active one of its table, going back, giving one to the next
 * helper; and a table's hold on connection tracking.
 *
 * Promises: one pointer names the generation of all hooks of a table, so that no
 * packet sees two of them on one hook, and no hook an older one than another.
 * After a swap no packet runs in the old generation any more: its counters are
 * final. The helper's life does not matter here.
 *
 * Leaves to others: which tables there are, and their hooks (tables.c); a packet's
 * way through a generation (packet.c); when to swap, settle or revert
 * (transaction.c); and the contents of the counter map and the table image (the
 * helper).
 *
 * Everything that is called here is exported to modules, bpf_map_get() in a
 * namespace of its own.
 */
#include <linux/bitops.h>
#include <linux/bpf.h>
#include <linux/cpumask.h>
#include <linux/file.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/net_namespace.h>
#include "internal.h"

MODULE_INFO(import_ns, "BPF_INTERNAL");

/* --- what a generation needs of its namespace ------------------------------- */

static bool is_hooked(const struct generation *gen)
{
	return gen && gen->hooked;
}

static bool needs_conntrack(const struct generation *gen)
{
	return gen && (gen->committed.flags & BPFILTER_GEN_CONNTRACK);
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
static int conntrack_get(struct net *net, u8 family)
{
	return nf_ct_netns_get(net, family);
}

static void conntrack_put(struct net *net, u8 family)
{
	nf_ct_netns_put(net, family);
}
#else
static int conntrack_get(struct net *net, u8 family)
{
	return -EOPNOTSUPP;
}

static void conntrack_put(struct net *net, u8 family)
{
}
#endif

/* Takes what @gen needs to be active, if the table has not got it yet. */
static int acquire(struct net *net, const struct generation *gen)
{
	struct bpfilter_table *table = bpfilter_table_of(net, gen->desc);
	int err;

	if (needs_conntrack(gen) && !table->conntrack) {
		err = conntrack_get(net, gen->desc->family);
		if (err)
			return err;
		table->conntrack = true;
	}
	return is_hooked(gen) ? bpfilter_table_hook(net, gen->desc) : 0;
}

/**
 * bpfilter_generation_release() - give back what the rules do not need
 * @net: the namespace
 * @desc: which of its tables
 * @gen: the active generation, or NULL
 *
 * Context: under the transaction's lock, or the namespace goes.
 */
void bpfilter_generation_release(struct net *net,
				 const struct bpfilter_table_desc *desc,
				 const struct generation *gen)
{
	struct bpfilter_table *table = bpfilter_table_of(net, desc);

	if (!is_hooked(gen))
		bpfilter_table_unhook(net, desc);
	if (table->conntrack && !needs_conntrack(gen)) {
		conntrack_put(net, desc->family);
		table->conntrack = false;
	}
}

/* The policy of a hook, if packets get to it at once and none of them is traced. */
static const struct bpfilter_program *policy_of(const struct generation *gen,
						unsigned int hook)
{
	if (!gen || gen->trace || !gen->program[hook].counters)
		return NULL;
	return &gen->program[hook];
}

/* Packets look for the generation then. */
static void withdraw_policies(struct bpfilter_table *table)
{
	unsigned int i;

	for (i = 0; i < BPFILTER_HOOKS; i++)
		WRITE_ONCE(table->hook[i].policy, NULL);
}

/*
 * Returns when no packet runs in the generation that was active. No packet gets to a
 * policy of it after one has seen the new generation: the policies go first, and come
 * last.
 */
static void activate(struct bpfilter_table *table, struct generation *gen)
{
	unsigned int i;

	lockdep_assert(bpfilter_transaction_held());
	withdraw_policies(table);
	/* A packet that sees a pointer sees what it points to. */
	smp_store_release(&table->active, gen);
	for (i = 0; i < BPFILTER_HOOKS; i++)
		/* As above. */
		smp_store_release(&table->hook[i].policy, policy_of(gen, i));
	bpfilter_packets_wait();
}

/* --- making and freeing a generation ---------------------------------------- */

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
		if (gen->program[i].prog)
			bpf_prog_put((struct bpf_prog *)gen->program[i].prog);
	}
	if (gen->packets)
		bpf_map_put(gen->packets);
	if (gen->counters)
		bpf_map_put(gen->counters);
	for (i = 0; i < FILES; i++) {
		if (gen->file[i])
			fput(gen->file[i]);
	}
	bpfilter_trace_free(gen->trace);
	bpfilter_extensions_free(gen->extensions);
	bpfilter_charge_free(gen->charge);
	kfree(gen);
}

static int get_file_of(struct generation *gen, int index, int fd)
{
	gen->file[index] = fget(fd);
	return gen->file[index] ? 0 : -EBADF;
}

/* An array of one element, of that size at least. Receives where it lies. */
static struct bpf_map *get_array(int fd, u64 size, void **value)
{
	struct bpf_map *map = bpf_map_get(fd);
	u64 addr;
	int err;

	if (IS_ERR(map))
		return map;
	err = -EINVAL;
	if (map->map_type != BPF_MAP_TYPE_ARRAY || map->max_entries != 1 ||
	    map->value_size < size)
		goto put;
	err = map->ops->map_direct_value_addr(map, &addr, 0);
	if (err)
		goto put;
	*value = (void *)(unsigned long)addr;
	return map;

put:
	bpf_map_put(map);
	return ERR_PTR(err);
}

/*
 * Memory for a packet on each CPU at each level. Programs are trusted to stay in
 * their part of it; that the kernel half's own writes do is checked here.
 */
static int get_packets(struct generation *gen,
		       const struct bpfilter_generation *fds)
{
	u64 packets = (u64)nr_cpu_ids * BPFILTER_LEVELS;
	struct bpf_map *map;
	void *value;
	int i;

	if (fds->packet_size < sizeof(struct bpfilter_packet) ||
	    !IS_ALIGNED(fds->packet_size, 64))
		return -EINVAL;
	map = get_array(fds->packets, packets * fds->packet_size, &value);
	if (IS_ERR(map))
		return PTR_ERR(map);
	gen->packets = map;
	for (i = 0; i < BPFILTER_HOOKS; i++) {
		gen->program[i].packets = value;
		gen->program[i].packet_size = fds->packet_size;
	}
	return get_file_of(gen, FILE_PACKETS, fds->packets);
}

static int get_counters(struct generation *gen,
			const struct bpfilter_generation *fds)
{
	const u32 pair = 2 * sizeof(u64);
	struct bpfilter_program *program;
	struct bpf_map *map;
	void *value;
	int i;

	if (!IS_ALIGNED(fds->counters_row, pair))
		return -EINVAL;
	map = get_array(fds->counters, (u64)nr_cpu_ids * fds->counters_row,
			&value);
	if (IS_ERR(map))
		return PTR_ERR(map);
	gen->counters = map;
	for (i = 0; i < BPFILTER_HOOKS; i++) {
		if (!(gen->desc->hooks & BIT(i)) || fds->prog[i] != -1)
			continue;
		if (fds->underflow[i] >= fds->counters_row / pair)
			return -EINVAL;
		program = &gen->program[i];
		program->counters = value + (size_t)fds->underflow[i] * pair;
		program->row = fds->counters_row;
		program->policy = fds->policy[i] == BPFILTER_ACCEPT ?
				  NF_ACCEPT : NF_DROP;
	}
	return 0;
}

static int get_program(struct generation *gen, int hook, int fd)
{
	struct bpf_prog *prog;

	prog = bpf_prog_get_type_dev(fd, BPF_PROG_TYPE_SCHED_CLS, false);
	if (IS_ERR(prog))
		return PTR_ERR(prog);
	gen->program[hook].prog = prog;
	return get_file_of(gen, hook, fd);
}

/*
 * A program or a policy for each hook of the table, and neither for the others;
 * or nothing at all.
 */
static int get_programs(struct generation *gen,
			const struct bpfilter_generation *fds)
{
	unsigned int programs = 0, policies = 0;
	int i, err;

	for (i = 0; i < BPFILTER_HOOKS; i++) {
		if (fds->prog[i] != -1)
			programs |= BIT(i);
		if (fds->policy[i] == BPFILTER_DROP ||
		    fds->policy[i] == BPFILTER_ACCEPT)
			policies |= BIT(i);
		else if (fds->policy[i] != -1)
			return -EINVAL;
	}
	if (!programs != (fds->packets == -1) || (programs & policies))
		return -EINVAL;
	if (!(programs | policies))
		return 0;
	if ((programs | policies) != gen->desc->hooks)
		return -EINVAL;
	gen->hooked = true;
	for (i = 0; i < BPFILTER_HOOKS; i++) {
		if (!(programs & BIT(i)))
			continue;
		err = get_program(gen, i, fds->prog[i]);
		if (err)
			return err;
	}
	err = get_counters(gen, fds);
	if (!err && programs)
		err = get_packets(gen, fds);
	return err;
}

/**
 * bpfilter_generation_own() - the program of a hook, if it is not one that an
 *	earlier hook has, too
 * @gen: the generation
 * @hook: the hook
 *
 * Return: the program or NULL.
 */
const struct bpf_prog *bpfilter_generation_own(const struct generation *gen,
					       int hook)
{
	int i;

	for (i = 0; i < hook; i++) {
		if (gen->program[i].prog == gen->program[hook].prog)
			return NULL;
	}
	return gen->program[hook].prog;
}

static int charge_programs(struct generation *gen, struct mem_cgroup *memcg)
{
	const struct bpf_prog *progs[BPFILTER_HOOKS];
	struct bpfilter_charge *charge;
	int i;

	for (i = 0; i < BPFILTER_HOOKS; i++)
		progs[i] = bpfilter_generation_own(gen, i);
	/* Where all hooks are policies, no program has the counters. */
	charge = bpfilter_charge_programs(memcg, progs, gen->counters);
	if (IS_ERR(charge))
		return PTR_ERR(charge);
	gen->charge = charge;
	return 0;
}

static int take_numbers(struct generation *gen,
			const struct bpfilter_generation *fds)
{
	int i;

	if (fds->flags & ~BPFILTER_GEN_CONNTRACK)
		return -EINVAL;
	gen->desc = bpfilter_table_desc(fds->family, fds->table);
	if (!gen->desc)
		return -EINVAL;
	gen->committed = *fds;
	for (i = 0; i < BPFILTER_HOOKS; i++) {
		if (fds->reads[i] & ~bpfilter_packet_reads())
			return -EINVAL;
		gen->program[i].reads = fds->reads[i];
		gen->program[i].position = fds->hook_entry[i];
		gen->program[i].underflow = fds->underflow[i];
	}
	return 0;
}

/**
 * bpfilter_generation_get() - take what the helper commits
 * @fds: descriptors of the current process
 * @memcg: who pays for the memory
 * @extensions: what the programs ask of x_tables, or NULL; the generation's
 *	from now on, if there is one
 *
 * Return: a new generation, or an ERR_PTR.
 */
struct generation *
bpfilter_generation_get(const struct bpfilter_generation *fds,
			struct mem_cgroup *memcg,
			struct bpfilter_extensions **extensions)
{
	struct generation *gen;
	int i, err;

	gen = kzalloc(sizeof(*gen), GFP_KERNEL_ACCOUNT);
	if (!gen)
		return ERR_PTR(-ENOMEM);
	err = take_numbers(gen, fds);
	if (!err && *extensions &&
	    bpfilter_extensions_table(*extensions) != gen->desc)
		err = -EINVAL;
	if (!err)
		err = get_programs(gen, fds);
	if (!err)
		err = get_file_of(gen, FILE_COUNTERS, fds->counters);
	if (!err)
		err = get_file_of(gen, FILE_IMAGE, fds->image);
	if (!err)
		err = charge_programs(gen, memcg);
	if (err) {
		bpfilter_generation_free(gen);
		return ERR_PTR(err);
	}
	gen->extensions = *extensions;
	*extensions = NULL;
	for (i = 0; i < BPFILTER_HOOKS; i++)
		gen->program[i].extensions = gen->extensions;
	return gen;
}

/* As the trace calls them. */
static int name_rules(struct generation *gen)
{
	struct bpfilter_trace *trace = bpfilter_trace_new(gen);

	if (IS_ERR(trace))
		return PTR_ERR(trace);
	/* Packets may be there already; pairs with trace_of(). */
	smp_store_release(&gen->trace, trace);
	return 0;
}

/**
 * bpfilter_generation_name() - give the rules of a table's active generation names
 * @table: the table, which may have no generation
 *
 * Context: under the transaction's lock, sleeps.
 * Return: 0 or a negative errno.
 */
int bpfilter_generation_name(struct bpfilter_table *table)
{
	struct generation *gen = table->active;
	int err;

	if (!gen || gen->trace)
		return 0;
	err = name_rules(gen);
	if (!err)
		withdraw_policies(table);
	return err;
}

/**
 * bpfilter_generation_swap() - make a generation the active one of its table
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
	struct bpfilter_table *table = bpfilter_table_of(net, gen->desc);
	int err;

	*old = table->active;
	if (bpfilter_tables_traced(net)) {
		err = name_rules(gen);
		if (err)
			return err;
	}
	err = acquire(net, gen);
	if (err) {
		bpfilter_generation_release(net, gen->desc, *old);
		return err;
	}
	activate(table, gen);
	return 0;
}

/**
 * bpfilter_generation_settle() - the active generation stays
 * @net: the namespace
 * @gen: the active generation
 * @old: what it replaced, freed here
 *
 * Context: under the transaction's lock.
 */
void bpfilter_generation_settle(struct net *net, struct generation *gen,
				struct generation *old)
{
	if (is_hooked(gen))
		WRITE_ONCE(bpfilter_table_of(net, gen->desc)->drops, 0);
	bpfilter_generation_release(net, gen->desc, gen);
	bpfilter_generation_free(old);
}

/**
 * bpfilter_generation_revert() - go back, and free what was active
 * @net: the namespace
 * @gen: the active generation, freed here
 * @old: what becomes active again, or NULL
 *
 * Context: under the transaction's lock.
 */
void bpfilter_generation_revert(struct net *net, struct generation *gen,
				struct generation *old)
{
	activate(bpfilter_table_of(net, gen->desc), old);
	bpfilter_generation_release(net, gen->desc, old);
	bpfilter_generation_free(gen);
}

/**
 * bpfilter_generation_recover() - give the current process the active
 *	generation of a table
 * @net: the namespace
 * @optval: a struct bpfilter_generation that says which table; receives one with
 *	new descriptors, which are opened all or none
 *
 * Context: under the transaction's lock.
 * Return: 0 or a negative errno; -ENOENT, nothing was committed; -EOPNOTSUPP, the
 * table is not served.
 */
int bpfilter_generation_recover(struct net *net, char __user *optval)
{
	const struct bpfilter_table_desc *desc;
	struct bpfilter_generation out;
	const struct generation *gen;
	int fd[FILES];
	int i, n, err;

	if (copy_from_user(&out, optval, sizeof(out)))
		return -EFAULT;
	desc = bpfilter_table_desc(out.family, out.table);
	if (!desc)
		return -EOPNOTSUPP;
	gen = bpfilter_table_of(net, desc)->active;
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

	out = gen->committed;
	memcpy(out.prog, fd, sizeof(out.prog));
	out.counters = fd[FILE_COUNTERS];
	out.image = fd[FILE_IMAGE];
	out.packets = fd[FILE_PACKETS];
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
