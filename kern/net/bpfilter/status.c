// SPDX-License-Identifier: GPL-2.0-only
/*
 * status.c - what people are told: /proc/net/bpfilter, and of refused rules the log
 *
 * Owns: the file, and what it shows: the numbers of each table of a namespace, the
 * last REPLACE that was refused, and the helper's process; and how much of the log
 * refusals may take.
 *
 * Promises: reading needs neither the helper nor the transaction's lock, so it does
 * not wait for a request. The file is root's, of the namespace that it shows; no
 * address is in it. Who has a network namespace of its own, and nothing else, cannot
 * fill the log: refusals of one kind are logged as often as a limit allows, and
 * other user namespaces have stricter limits, apart from those of the first one.
 *
 * Leaves to others: the texts and most of the numbers (the helper), and when they
 * count (transaction.c).
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bpf.h>
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/pid.h>
#include <linux/printk.h>
#include <linux/proc_fs.h>
#include <linux/ratelimit.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include "internal.h"

/* The families that there can be tables of, as the file's keys call them. */
static const struct {
	u8 family;
	const char *key;
} families[] = {
	{ NFPROTO_IPV4, "ip" },
	{ NFPROTO_IPV6, "ip6" },
};

/**
 * struct table_status - what is told of a table
 * @generation: how many generations have been in force since the table was pristine
 * @refusals: how many REPLACEs were refused
 * @insns: instructions of all programs
 * @summary: the helper's numbers
 * @refused: why the last one was refused, or NULL
 * @told: @refused has been logged, at @logged
 * @logged: in jiffies
 */
struct table_status {
	u64 generation;
	u64 refusals;
	u32 insns;
	struct bpfilter_summary summary;
	char *refused;
	bool told;
	unsigned long logged;
};

/**
 * struct status_net - one network namespace
 * @table: indexed as families, and by BPFILTER_TABLE_*; under status_lock
 */
struct status_net {
	struct table_status table[ARRAY_SIZE(families)][BPFILTER_TABLES];
};

static unsigned int status_net_id __read_mostly;
/* Protects all tables' numbers and texts, and @helper. Taken last. */
static DEFINE_MUTEX(status_lock);

/* The helper's process, NULL if there is none, and how often one was started. */
static struct {
	struct pid *pid;
	u64 starts;
} helper;

static struct table_status *status_of(const struct net *net,
				      const struct bpfilter_table_desc *desc)
{
	struct status_net *ours = net_generic(net, status_net_id);
	int i;

	for (i = 0; i < ARRAY_SIZE(families) - 1; i++) {
		if (families[i].family == desc->family)
			break;
	}
	return &ours->table[i][desc->table];
}

/* --- what others tell --------------------------------------------------------- */

/**
 * bpfilter_status_helper() - the helper has been started or stopped
 * @pid: its process, NULL for none
 */
void bpfilter_status_helper(struct pid *pid)
{
	struct pid *old;

	mutex_lock(&status_lock);
	old = helper.pid;
	helper.pid = get_pid(pid);
	if (pid)
		helper.starts++;
	mutex_unlock(&status_lock);
	put_pid(old);
}

static u32 instructions(const struct generation *gen)
{
	const struct bpf_prog *prog;
	u32 sum = 0;
	int i;

	for (i = 0; i < BPFILTER_HOOKS; i++) {
		prog = bpfilter_generation_own(gen, i);
		if (prog)
			sum += prog->len;
	}
	return sum;
}

/**
 * bpfilter_status_table() - what is in force from now on
 * @net: the namespace
 * @desc: which of its tables
 * @gen: the generation, NULL for a table that nobody has changed
 *
 * Context: under the transaction's lock.
 */
void bpfilter_status_table(const struct net *net,
			   const struct bpfilter_table_desc *desc,
			   const struct generation *gen)
{
	struct table_status *status = status_of(net, desc);

	mutex_lock(&status_lock);
	if (gen) {
		status->generation++;
		status->insns = instructions(gen);
		status->summary = gen->committed.summary;
	} else {
		status->generation = 0;
		status->insns = 0;
		memset(&status->summary, 0, sizeof(status->summary));
	}
	mutex_unlock(&status_lock);
}

/* --- refusals ------------------------------------------------------------------ */

/* The same text of the same table is logged again after this time. */
#define AGAIN	(60 * HZ)

/* For each kind of refusal. All user namespaces but the first share the second. */
#define LIMITS(interval, burst) {					\
	[0 ... BPFILTER_REFUSALS - 1] =					\
		RATELIMIT_STATE_INIT_FLAGS(limits, interval, burst,	\
					   RATELIMIT_MSG_ON_RELEASE),	\
}

static struct ratelimit_state limits[] = LIMITS(60 * HZ, 10);
static struct ratelimit_state limits_of_others[] = LIMITS(3600 * HZ, 10);

/**
 * bpfilter_status_refusal_ok() - whether a refusal can be shown
 * @refusal: from the helper, whose texts have names in them that a caller chose
 *
 * Return: true if it can.
 */
bool bpfilter_status_refusal_ok(const struct bpfilter_refusal *refusal)
{
	u32 i;

	if (!bpfilter_table_desc(refusal->family, refusal->table) ||
	    refusal->kind >= BPFILTER_REFUSALS ||
	    refusal->len > sizeof(refusal->text))
		return false;
	for (i = 0; i < refusal->len; i++) {
		if (!isascii(refusal->text[i]) || !isprint(refusal->text[i]))
			return false;
	}
	return true;
}

static void log_refusal(const struct net *net,
			const struct bpfilter_table_desc *desc,
			const char *text)
{
	const char *family = desc->family == NFPROTO_IPV6 ? "IPv6 " : "";

	if (net_eq(net, &init_net))
		pr_notice("%s%s: %s\n", family, desc->name, text);
	else
		pr_notice("%s%s: %s (net:[%u])\n", family, desc->name, text,
			  net->ns.inum);
}

/**
 * bpfilter_status_refused() - a REPLACE was answered with an error
 * @net: the namespace
 * @refusal: why, as bpfilter_status_refusal_ok() takes it
 */
void bpfilter_status_refused(const struct net *net,
			     const struct bpfilter_refusal *refusal)
{
	const struct bpfilter_table_desc *desc =
		bpfilter_table_desc(refusal->family, refusal->table);
	struct table_status *status = status_of(net, desc);
	struct ratelimit_state *limit;
	char *text, *old;
	bool again;

	text = kmemdup_nul(refusal->text, refusal->len, GFP_KERNEL);
	limit = net->user_ns == &init_user_ns ? &limits[refusal->kind] :
						&limits_of_others[refusal->kind];

	mutex_lock(&status_lock);
	status->refusals++;
	old = status->refused;
	if (!old || !text || strcmp(old, text))
		status->told = false;
	again = status->told && time_before(jiffies, status->logged + AGAIN);
	status->refused = text;
	if (text && !again && __ratelimit(limit)) {
		status->told = true;
		status->logged = jiffies;
		log_refusal(net, desc, text);
	}
	mutex_unlock(&status_lock);
	kfree(old);
}

/* --- /proc/net/bpfilter ---------------------------------------------------------- */

static void show_table(struct seq_file *seq, const char *family,
		       const struct bpfilter_table_desc *desc,
		       const struct table_status *status)
{
	const struct bpfilter_summary *summary = &status->summary;
	const struct {
		const char *key;
		u64 value;
	} numbers[] = {
		{ "generation", status->generation },
		{ "entries", summary->entries },
		{ "rules", summary->rules },
		{ "chains", summary->chains },
		{ "instructions", status->insns },
		{ "map_bytes", summary->map_bytes },
		{ "tuples", summary->tuples },
		{ "entries_in_tuples", summary->hashed },
		{ "entries_in_bitmaps", summary->entries - summary->hashed -
					summary->listed },
		{ "entries_listed", summary->listed },
		{ "refusals", status->refusals },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		seq_printf(seq, "%s.%s.%s %llu\n", family, desc->name,
			   numbers[i].key, numbers[i].value);
	if (status->refused)
		seq_printf(seq, "%s.%s.refused %s\n", family, desc->name,
			   status->refused);
}

/* 0 where the reader's procfs does not show it, and where it has ended. */
static pid_t helper_pid(struct seq_file *seq)
{
	struct super_block *sb = file_inode(seq->file)->i_sb;
	pid_t nr = 0;

	rcu_read_lock();
	if (pid_task(helper.pid, PIDTYPE_TGID))
		nr = pid_nr_ns(helper.pid, proc_pid_ns(sb));
	rcu_read_unlock();
	return nr;
}

/* Nobody refers to it without PROC_FS. */
static int __maybe_unused status_show(struct seq_file *seq, void *unused)
{
	struct net *net = seq_file_single_net(seq);
	const struct bpfilter_table_desc *desc;
	u32 i, table;

	mutex_lock(&status_lock);
	seq_printf(seq, "helper.pid %d\n", helper_pid(seq));
	seq_printf(seq, "helper.restarts %llu\n",
		   helper.starts ? helper.starts - 1 : 0);
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		for (table = 0; table < BPFILTER_TABLES; table++) {
			desc = bpfilter_table_desc(families[i].family, table);
			if (desc)
				show_table(seq, families[i].key, desc,
					   status_of(net, desc));
		}
	}
	mutex_unlock(&status_lock);
	return 0;
}

static int __net_init status_net_init(struct net *net)
{
	kuid_t uid = make_kuid(net->user_ns, 0);
	kgid_t gid = make_kgid(net->user_ns, 0);
	struct proc_dir_entry *proc;

	if (!IS_ENABLED(CONFIG_PROC_FS))
		return 0;
	proc = proc_create_net_single("bpfilter", 0400, net->proc_net,
				      status_show, NULL);
	if (!proc)
		return -ENOMEM;
	if (uid_valid(uid) && gid_valid(gid))
		proc_set_user(proc, uid, gid);
	return 0;
}

static void __net_exit status_net_exit(struct net *net)
{
	struct status_net *ours = net_generic(net, status_net_id);
	int i, table;

	if (IS_ENABLED(CONFIG_PROC_FS))
		remove_proc_entry("bpfilter", net->proc_net);
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		for (table = 0; table < BPFILTER_TABLES; table++)
			kfree(ours->table[i][table].refused);
	}
}

static struct pernet_operations status_net_ops = {
	.init = status_net_init,
	.exit = status_net_exit,
	.id = &status_net_id,
	.size = sizeof(struct status_net),
};

/**
 * bpfilter_status_init() - make the file of each namespace, now and to come
 *
 * Return: 0 or a negative errno.
 */
int bpfilter_status_init(void)
{
	return register_pernet_subsys(&status_net_ops);
}

/**
 * bpfilter_status_exit() - remove the files
 *
 * Context: no request may be in progress, and none may come; the helper is gone.
 */
void bpfilter_status_exit(void)
{
	unregister_pernet_subsys(&status_net_ops);
	bpfilter_status_helper(NULL);
}
