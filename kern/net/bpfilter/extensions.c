// SPDX-License-Identifier: GPL-2.0-only
/*
 * extensions.c - matches and targets that are the kernel's own
 *
 * Owns: the instances of x_tables' matches and targets that rules use because
 * the helper has no program for them; and the two kfuncs by which programs ask
 * them. Built in with the framework, as kfuncs.c; what is called may be in
 * modules, which are held as ip_tables holds them.
 *
 * Promises: an instance is found, checked, called and destroyed as ip_tables
 * would do it for a rule of the table "filter", with the same errnos. A kfunc
 * reaches the instances of the generation whose program calls it, from the hook
 * at which it runs, and nothing else, whoever else calls it.
 *
 * Leaves to others: the life of a generation (generation.c) and of a request
 * (transaction.c), and which extensions are asked for here (the helper).
 */
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/ip.h>
#include <linux/kmod.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_bpf.h>
#include <linux/netfilter/xt_cgroup.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/ip.h>
#include "internal.h"

/**
 * struct extension - a match or target as one rule uses it
 * @match: its registration, whose module is held
 * @target: likewise
 * @is_target: which of them it is
 * @data: the rule's data, private parts of the extension included
 */
struct extension {
	union {
		struct xt_match *match;
		struct xt_target *target;
	};
	bool is_target;
	u8 data[] __aligned(__alignof__(struct _xt_align));
};

/**
 * struct bpfilter_extensions - all that the rules of one table use
 * @net: the namespace they were made for, which outlives them
 * @num: how many there are
 * @room: for how many @list has room
 * @list: the instances; a program knows one by its place
 *
 * Grows while a request is worked on. From COMMIT on nothing changes: packets
 * read it without a lock.
 */
struct bpfilter_extensions {
	struct net *net;
	u32 num;
	u32 room;
	struct extension **list;
};

/* The program that runs on this CPU, as long as bottom halves are off for it. */
DEFINE_PER_CPU(struct bpfilter_run *, bpfilter_run);
EXPORT_PER_CPU_SYMBOL_GPL(bpfilter_run);

/* The longest name with its NUL that leaves the helper room for a number. */
#define NAME_MAX_LEN	24

/*
 * What a program is told: a match says no, or yes, or that the packet is to be
 * dropped: at once, or when the rule that asks has been carried out.
 */
#define ANSWER_NO	0
#define ANSWER_YES	1
#define ANSWER_DROP	2
#define ANSWER_YES_DROP	3

/* --- the names that rules have used -----------------------------------------*/

struct known {
	struct list_head list;
	bool is_target;
	u8 revision;
	char name[XT_EXTENSION_MAXNAMELEN];
};

static LIST_HEAD(known);
static DEFINE_MUTEX(known_lock); /* protects known */

/* Forgets what there is no memory for: it is only shown. */
static void note(const char *name, u8 revision, bool is_target)
{
	struct known *old, *new;

	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return;
	new->is_target = is_target;
	new->revision = revision;
	strscpy(new->name, name, sizeof(new->name));

	mutex_lock(&known_lock);
	list_for_each_entry(old, &known, list) {
		if (old->is_target == is_target && old->revision == revision &&
		    !strcmp(old->name, new->name)) {
			kfree(new);
			goto unlock;
		}
	}
	list_add_tail(&new->list, &known);
unlock:
	mutex_unlock(&known_lock);
}

/**
 * bpfilter_extensions_show() - print the names that rules have found in
 *	x_tables, as long as it has them
 * @seq: where to
 * @targets: targets, not matches
 */
void bpfilter_extensions_show(struct seq_file *seq, bool targets)
{
	struct known *one;
	int best;

	mutex_lock(&known_lock);
	list_for_each_entry(one, &known, list) {
		if (one->is_target == targets &&
		    xt_find_revision(NFPROTO_IPV4, one->name, one->revision,
				     targets, &best) && best >= 0)
			seq_printf(seq, "%s\n", one->name);
	}
	mutex_unlock(&known_lock);
}
EXPORT_SYMBOL_GPL(bpfilter_extensions_show);

/**
 * bpfilter_extensions_revision() - GET_REVISION_MATCH and _TARGET
 * @optval: the caller's struct xt_get_revision
 * @len: its length
 * @is_target: which of the two
 *
 * Return: 0 or the negative errno that ip_tables gives.
 */
int bpfilter_extensions_revision(const char __user *optval, int len,
				 bool is_target)
{
	struct xt_get_revision rev;
	int best;

	if (len != sizeof(rev))
		return -EINVAL;
	if (copy_from_user(&rev, optval, sizeof(rev)))
		return -EFAULT;
	rev.name[sizeof(rev.name) - 1] = '\0';

	try_then_request_module(xt_find_revision(NFPROTO_IPV4, rev.name,
						 rev.revision, is_target,
						 &best),
				"ipt_%s", rev.name);
	return min(best, 0);
}

/* --- making and freeing instances ------------------------------------------ */

/*
 * Those that look at the process that calls them, here always the helper and
 * not the one whose rule it is: what they would find is not what was meant.
 */
static bool asks_process(const struct extension *ext, unsigned int size,
			 bool same_cgroup_ns)
{
	const struct xt_match *match = ext->match;
	const struct xt_bpf_info_v1 *bpf = (const void *)ext->data;
	const struct xt_cgroup_info_v1 *cgroup = (const void *)ext->data;

	if (!strcmp(match->name, "owner"))
		return true;
	if (!strcmp(match->name, "bpf") && match->revision == 1)
		return size >= sizeof(*bpf) &&
		       (bpf->mode == XT_BPF_MODE_FD_PINNED ||
			bpf->mode == XT_BPF_MODE_FD_ELF);
	/* Revision 2 starts in the same way. */
	if (!strcmp(match->name, "cgroup") && match->revision > 0)
		return size >= offsetof(struct xt_cgroup_info_v1, path) &&
		       cgroup->has_path && !same_cgroup_ns;
	return false;
}

/*
 * The targets that leave of a packet what programs do not read again: marks,
 * lengths and data they do. SYNPROXY takes it, or changes nothing.
 */
static const char * const targets[] = {
	"AUDIT", "CLASSIFY", "CONNMARK", "HMARK", "IDLETIMER", "LED", "LOG",
	"MARK", "NFLOG", "NFQUEUE", "RATEEST", "SET", "SYNPROXY", "TCPMSS",
	"TEE",
};

static void free_match(struct extension *ext, struct net *net)
{
	struct xt_mtdtor_param par = {
		.net = net,
		.match = ext->match,
		.matchinfo = ext->data,
		.family = NFPROTO_IPV4,
	};

	if (par.match->destroy)
		par.match->destroy(&par);
	module_put(par.match->me);
}

static void free_target(struct extension *ext, struct net *net)
{
	struct xt_tgdtor_param par = {
		.net = net,
		.target = ext->target,
		.targinfo = ext->data,
		.family = NFPROTO_IPV4,
	};

	if (par.target->destroy)
		par.target->destroy(&par);
	module_put(par.target->me);
}

static int check_match(struct extension *ext, struct net *net,
		       const struct ipt_entry *e,
		       const struct xt_entry_match *m, bool same_cgroup_ns)
{
	unsigned int size = m->u.user.match_size - sizeof(*m);
	struct xt_mtchk_param par = {
		.net = net,
		.table = "filter",
		.entryinfo = &e->ip,
		.matchinfo = ext->data,
		.hook_mask = e->comefrom,
		.family = NFPROTO_IPV4,
	};
	int err;

	ext->match = xt_request_find_match(NFPROTO_IPV4, m->u.user.name,
					   m->u.user.revision);
	if (IS_ERR(ext->match))
		return PTR_ERR(ext->match);
	par.match = ext->match;
	if (asks_process(ext, size, same_cgroup_ns))
		err = -ENOENT;
	else
		err = xt_check_match(&par, size, e->ip.proto,
				     e->ip.invflags & IPT_INV_PROTO);
	if (err)
		module_put(ext->match->me);
	return err;
}

/*
 * A target may look at the matches before it, in the form that they have in the
 * kernel. TCPMSS does, for one that is called tcp.
 */
static int translate_matches(struct ipt_entry *e)
{
	static struct xt_match tcp = { .name = "tcp" };
	static struct xt_match other = { .name = "" };
	struct xt_entry_match *m;
	unsigned int at;

	for (at = sizeof(*e); at < e->target_offset; at += m->u.match_size) {
		m = (void *)e + at;
		if (!IS_ALIGNED(at, XT_ALIGN(1)) ||
		    sizeof(*m) > e->target_offset - at ||
		    m->u.match_size < sizeof(*m) ||
		    m->u.match_size > e->target_offset - at)
			return -EINVAL;
		if (!strncmp(m->u.user.name, "tcp", sizeof(m->u.user.name)) &&
		    m->u.match_size >= sizeof(*m) + sizeof(struct xt_tcp))
			m->u.kernel.match = &tcp;
		else
			m->u.kernel.match = &other;
	}
	return 0;
}

static int check_target(struct extension *ext, struct net *net,
			struct ipt_entry *e, const struct xt_entry_match *t)
{
	unsigned int size = t->u.user.match_size - sizeof(*t);
	struct xt_tgchk_param par = {
		.net = net,
		.table = "filter",
		.entryinfo = e,
		.targinfo = ext->data,
		.hook_mask = e->comefrom,
		.family = NFPROTO_IPV4,
	};
	int err;

	err = translate_matches(e);
	if (err)
		return err;
	ext->target = xt_request_find_target(NFPROTO_IPV4, t->u.user.name,
					     t->u.user.revision);
	if (IS_ERR(ext->target))
		return PTR_ERR(ext->target);
	par.target = ext->target;
	err = xt_check_target(&par, size, e->ip.proto,
			      e->ip.invflags & IPT_INV_PROTO);
	if (err) {
		module_put(ext->target->me);
		return err;
	}
	if (match_string(targets, ARRAY_SIZE(targets), ext->target->name) < 0) {
		free_target(ext, net);
		return -ENOENT;
	}
	return 0;
}

static void free_extension(struct extension *ext, struct net *net)
{
	if (ext->is_target)
		free_target(ext, net);
	else
		free_match(ext, net);
	kvfree(ext);
}

/**
 * bpfilter_extensions_free() - destroy instances, as a rule that goes does
 * @all: what no packet can reach, or NULL
 *
 * Context: may sleep.
 */
void bpfilter_extensions_free(struct bpfilter_extensions *all)
{
	u32 i;

	if (!all)
		return;
	for (i = 0; i < all->num; i++)
		free_extension(all->list[i], all->net);
	kvfree(all->list);
	kfree(all);
}
EXPORT_SYMBOL_GPL(bpfilter_extensions_free);

/* Room for one more; makes @all if there is none. */
static int make_room(struct bpfilter_extensions **all, struct net *net)
{
	struct extension **list;
	u32 room;

	if (!*all) {
		*all = kzalloc(sizeof(**all), GFP_KERNEL);
		if (!*all)
			return -ENOMEM;
		(*all)->net = net;
	}
	if ((*all)->num < (*all)->room)
		return 0;
	if ((*all)->num > INT_MAX / 2)
		return -ENOMEM;
	room = max_t(u32, 16, (*all)->room * 2);
	list = kvrealloc((*all)->list, array_size(room, sizeof(*list)),
			 GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	(*all)->list = list;
	(*all)->room = room;
	return 0;
}

/* A copy of the whole entry; the helper's memory may change meanwhile. */
static struct ipt_entry *copy_entry(const void __user *from, u64 offset)
{
	struct ipt_entry head, *e;
	struct xt_entry_match *m;
	u32 len;

	if (copy_from_user(&head, from, sizeof(head)))
		return ERR_PTR(-EFAULT);
	len = head.next_offset;
	if (offset < sizeof(*e) || !IS_ALIGNED(offset, XT_ALIGN(1)) ||
	    len < sizeof(*m) || offset > len - sizeof(*m))
		return ERR_PTR(-EINVAL);
	e = vmemdup_user(from, len);
	if (IS_ERR(e))
		return e;
	m = (void *)e + offset;
	if (m->u.user.match_size < sizeof(*m) ||
	    m->u.user.match_size > len - offset) {
		kvfree(e);
		return ERR_PTR(-EINVAL);
	}
	return e;
}

/* What GET_ENTRIES gives back: not what the extension keeps to itself. */
static int give_data(const struct extension *ext, u8 __user *to)
{
	unsigned int size, usersize;

	if (ext->is_target) {
		size = ext->target->targetsize;
		usersize = ext->target->usersize;
	} else {
		size = ext->match->matchsize;
		usersize = ext->match->usersize;
	}
	return xt_data_to_user(to, ext->data, usersize, size, XT_ALIGN(size));
}

/**
 * bpfilter_extensions_add() - find a match or target, and check it
 * @all: the instances so far, NULL before the first
 * @net: the namespace that the rule is for
 * @same_cgroup_ns: whether the helper sees the caller's control groups
 * @asked: where in the helper's memory it is
 *
 * A match and a target have the same layout as far as it is read here.
 *
 * Context: the helper's process; sleeps, and may load a module.
 * Return: the number of the instance, or the negative errno that ip_tables gives
 * for such a rule.
 */
int bpfilter_extensions_add(struct bpfilter_extensions **all, struct net *net,
			    bool same_cgroup_ns,
			    const struct bpfilter_extension *asked)
{
	const struct xt_entry_match *m;
	struct extension *ext;
	struct ipt_entry *e;
	u8 __user *data;
	u32 size;
	int err;

	e = copy_entry(u64_to_user_ptr(asked->entry), asked->offset);
	if (IS_ERR(e))
		return PTR_ERR(e);
	m = (void *)e + asked->offset;
	data = u64_to_user_ptr(asked->entry + asked->offset + sizeof(*m));
	/* The helper keeps the number behind the name. */
	err = -ENOENT;
	if (strnlen(m->u.user.name, NAME_MAX_LEN) == NAME_MAX_LEN)
		goto free_entry;
	err = make_room(all, net);
	if (err)
		goto free_entry;

	size = m->u.user.match_size - sizeof(*m);
	ext = kvzalloc(struct_size(ext, data, size), GFP_KERNEL_ACCOUNT);
	if (!ext) {
		err = -ENOMEM;
		goto free_entry;
	}
	memcpy(ext->data, m->data, size);
	ext->is_target = asked->offset == e->target_offset;
	if (ext->is_target)
		err = check_target(ext, net, e, m);
	else
		err = check_match(ext, net, e, m, same_cgroup_ns);
	if (err)
		goto free_ext;
	if (give_data(ext, data)) {
		free_extension(ext, net);
		err = -EFAULT;
		goto free_entry;
	}
	err = (*all)->num;
	(*all)->list[(*all)->num++] = ext;
	note(m->u.user.name, m->u.user.revision, ext->is_target);
	goto free_entry;

free_ext:
	kvfree(ext);
free_entry:
	kvfree(e);
	return err;
}
EXPORT_SYMBOL_GPL(bpfilter_extensions_add);

/* --- the packet path -------------------------------------------------------- */

/*
 * The instance that a program asks for, if it is one of a generation and runs
 * now, at this hook. Else there is none: programs of others, or a program that
 * BPF_PROG_TEST_RUN runs. The hook's state is on the stack of who runs it,
 * which tells a run from those that it is nested in.
 */
static const struct extension *find_extension(struct bpfilter_run **run,
					      const struct nf_hook_state *state,
					      const u32 *index, bool is_target)
{
	const struct extension *ext;
	u32 i = READ_ONCE(*index);

	if (!softirq_count())
		return NULL;
	*run = this_cpu_read(bpfilter_run);
	if (!*run || (*run)->state != state || i >= (*run)->extensions->num)
		return NULL;
	ext = (*run)->extensions->list[i];
	return ext->is_target == is_target ? ext : NULL;
}

static void describe(struct xt_action_param *par, const struct sk_buff *skb,
		     const struct nf_hook_state *state)
{
	par->state = state;
	par->thoff = ip_hdrlen(skb);
	par->fragoff = ntohs(ip_hdr(skb)->frag_off) & IP_OFFSET;
	par->hotdrop = false;
}

__bpf_kfunc_start_defs();

/**
 * bpf_xt_match() - ask a match about a packet
 * @skb: the packet
 * @state: the hook that it is at
 * @index: which match
 *
 * A match may say yes and set hotdrop (sctp and dccp do where they invert a
 * check that failed on a broken packet). ipt_do_table() looks at hotdrop when it
 * is done with the rule: the rule's other matches are asked, it counts and its
 * target runs if they hold, and then the packet is dropped whatever the verdict.
 *
 * Return: ANSWER_*.
 */
__bpf_kfunc u32 bpf_xt_match(struct sk_buff *skb,
			     const struct nf_hook_state *state,
			     const u32 *index)
{
	const struct extension *ext;
	struct xt_action_param par;
	struct bpfilter_run *run;

	ext = find_extension(&run, state, index, false);
	if (!ext)
		return ANSWER_NO;
	describe(&par, skb, state);
	par.match = ext->match;
	par.matchinfo = ext->data;
	if (!ext->match->match(skb, &par))
		return par.hotdrop ? ANSWER_DROP : ANSWER_NO;
	if (!par.hotdrop)
		return ANSWER_YES;
	run->hotdrop = true;
	return ANSWER_YES_DROP;
}

/**
 * bpf_xt_target() - have a target do what it does
 * @skb: the packet, which may be gone after this
 * @state: the hook that it is at
 * @index: which target
 *
 * The verifier does not know that this may change the packet and move its
 * data. What a program has read of them before, and dynptrs, it must make
 * anew; ours do, and no others are served.
 *
 * What a program cannot return is kept for the hook that runs it.
 *
 * Return: XT_CONTINUE; or 2, the program must end and leave the packet alone.
 */
__bpf_kfunc u32 bpf_xt_target(struct sk_buff *skb,
			      const struct nf_hook_state *state,
			      const u32 *index)
{
	const struct extension *ext;
	struct xt_action_param par;
	struct bpfilter_run *run;
	unsigned int verdict;

	ext = find_extension(&run, state, index, true);
	if (!ext)
		return ANSWER_DROP;
	describe(&par, skb, state);
	par.target = ext->target;
	par.targinfo = ext->data;
	verdict = ext->target->target(skb, &par);
	if (verdict == XT_CONTINUE)
		return XT_CONTINUE;
	run->verdict = verdict;
	run->ended = true;
	/* Nothing is asked about this packet any more. */
	run->state = NULL;
	return ANSWER_DROP;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(bpfilter_extension_ids)
BTF_ID_FLAGS(func, bpf_xt_match, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_xt_target, KF_TRUSTED_ARGS)
BTF_KFUNCS_END(bpfilter_extension_ids)

static const struct btf_kfunc_id_set bpfilter_extension_kfuncs = {
	.owner = THIS_MODULE,
	.set = &bpfilter_extension_ids,
};

static int __init bpfilter_extensions_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_NETFILTER,
					 &bpfilter_extension_kfuncs);
}
late_initcall(bpfilter_extensions_init);
