// SPDX-License-Identifier: GPL-2.0-only
/*
 * extensions.c - matches and targets that are the kernel's own
 *
 * Owns: the instances of x_tables' matches and targets that rules use because
 * the helper has no program for them; and their calls. They may be in modules,
 * which are held as ip_tables holds them.
 *
 * Promises: an instance is found, checked, called and destroyed as ip_tables
 * would do it for a rule of the table, with the same errnos. A program reaches the
 * instances of its own generation and nothing else.
 *
 * Leaves to others: which there are (registered.c), the life of a generation
 * (generation.c) and of a request (transaction.c), when an instance is called (the
 * program, packet.c), and which extensions are asked for here (the helper).
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bpfilter.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_bpf.h>
#include <linux/netfilter/xt_cgroup.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "internal.h"

/**
 * struct extension - a match or target as one rule uses it
 * @match: its registration, whose module is held
 * @target: likewise
 * @is_target: which of them it is
 * @follows: the rule is of IPv6 and asks for the protocol: so it is told where the
 *	chain of headers ends
 * @changes: it is a match that may change the packet
 * @is_special: @follows or @changes: a call does more than to ask it
 * @data: the rule's data, private parts of the extension included
 */
struct extension {
	union {
		struct xt_match *match;
		struct xt_target *target;
	};
	bool is_target;
	bool follows;
	bool changes;
	bool is_special;
	u8 data[] __aligned(__alignof__(struct _xt_align));
};

/**
 * struct bpfilter_extensions - all that the rules of one table use
 * @net: the namespace they were made for, which outlives them
 * @desc: the table
 * @num: how many there are
 * @room: for how many @list has room
 * @list: the instances; a program knows one by its place
 *
 * Grows while a request is worked on. From COMMIT on nothing changes: packets
 * read it without a lock.
 */
struct bpfilter_extensions {
	struct net *net;
	const struct bpfilter_table_desc *desc;
	u32 num;
	u32 room;
	struct extension **list;
};

/**
 * struct rule - a rule as the helper has sent it, and what is read of it here
 * @entry: struct ipt_entry or ip6t_entry, with its matches and its target
 * @ip: its first part, struct ipt_ip or ip6t_ip6
 * @len: bytes of the entry without its matches and its target
 * @target_offset: where the target is
 * @next_offset: where it ends
 * @comefrom: the hooks that reach it
 * @proto: the protocol that it asks for
 * @inv_proto: or for any but that
 * @follows: see struct extension
 */
struct rule {
	void *entry;
	const void *ip;
	u32 len;
	u32 target_offset;
	u32 next_offset;
	unsigned int comefrom;
	u16 proto;
	bool inv_proto;
	bool follows;
};

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

static void free_match(struct extension *ext,
		       const struct bpfilter_extensions *all)
{
	struct xt_mtdtor_param par = {
		.net = all->net,
		.match = ext->match,
		.matchinfo = ext->data,
		.family = all->desc->family,
	};

	if (par.match->destroy)
		par.match->destroy(&par);
	module_put(par.match->me);
}

static void free_target(struct extension *ext,
			const struct bpfilter_extensions *all)
{
	struct xt_tgdtor_param par = {
		.net = all->net,
		.target = ext->target,
		.targinfo = ext->data,
		.family = all->desc->family,
	};

	if (par.target->destroy)
		par.target->destroy(&par);
	module_put(par.target->me);
}

/* What is found without x_tables is none of these. */
static int check_match_par(struct xt_mtchk_param *par, unsigned int size,
			   const struct rule *rule)
{
	if (!IS_ENABLED(CONFIG_NETFILTER_XTABLES))
		return -ENOPROTOOPT;
	return xt_check_match(par, size, rule->proto, rule->inv_proto);
}

static int check_target_par(struct xt_tgchk_param *par, unsigned int size,
			    const struct rule *rule)
{
	if (!IS_ENABLED(CONFIG_NETFILTER_XTABLES))
		return -ENOPROTOOPT;
	return xt_check_target(par, size, rule->proto, rule->inv_proto);
}

static int check_match(struct extension *ext, struct bpfilter_call *call,
		       const struct bpfilter_extensions *all,
		       const struct rule *rule,
		       const struct xt_entry_match *m)
{
	unsigned int size = m->u.user.match_size - sizeof(*m);
	struct xt_mtchk_param par = {
		.net = all->net,
		.table = all->desc->name,
		.entryinfo = rule->ip,
		.matchinfo = ext->data,
		.hook_mask = rule->comefrom,
		.family = all->desc->family,
	};
	int err;

	ext->match = bpfilter_registered_match(call, par.family,
					       m->u.user.name,
					       m->u.user.revision);
	if (IS_ERR(ext->match))
		return PTR_ERR(ext->match);
	par.match = ext->match;
	if (asks_process(ext, size, call->cgroup_ns ==
			 current->nsproxy->cgroup_ns))
		err = -ENOPROTOOPT;
	else
		err = check_match_par(&par, size, rule);
	if (err)
		module_put(ext->match->me);
	return err;
}

#ifdef CONFIG_MODULES
static bool is_foreign(const struct module *module)
{
	return module && test_bit(TAINT_OOT_MODULE, &module->taints);
}
#else
static bool is_foreign(const struct module *module)
{
	return false;
}
#endif

/*
 * Rules behind it see what it has changed: socket, with --restore-skmark, the mark, and
 * cluster the packet type. No other match of the kernel's tree changes anything; of one
 * from outside of the tree nobody knows.
 */
static bool changes_packets(const struct xt_match *match)
{
	return !strcmp(match->name, "socket") ||
	       !strcmp(match->name, "cluster") || is_foreign(match->me);
}

/*
 * A target may look at the matches before it, in the form that they have in the
 * kernel. TCPMSS does, for one that is called tcp.
 */
static int translate_matches(const struct rule *rule)
{
	static struct xt_match tcp = { .name = "tcp" };
	static struct xt_match other = { .name = "" };
	struct xt_entry_match *m;
	unsigned int at;

	for (at = rule->len; at < rule->target_offset; at += m->u.match_size) {
		m = rule->entry + at;
		if (!IS_ALIGNED(at, XT_ALIGN(1)) ||
		    sizeof(*m) > rule->target_offset - at ||
		    m->u.match_size < sizeof(*m) ||
		    m->u.match_size > rule->target_offset - at)
			return -EINVAL;
		if (!strncmp(m->u.user.name, "tcp", sizeof(m->u.user.name)) &&
		    m->u.match_size >= sizeof(*m) + sizeof(struct xt_tcp))
			m->u.kernel.match = &tcp;
		else
			m->u.kernel.match = &other;
	}
	return 0;
}

static int check_target(struct extension *ext, struct bpfilter_call *call,
			const struct bpfilter_extensions *all,
			const struct rule *rule, const struct xt_entry_match *t)
{
	unsigned int size = t->u.user.match_size - sizeof(*t);
	const char *name = t->u.user.name;
	struct xt_tgchk_param par = {
		.net = all->net,
		.table = all->desc->name,
		.entryinfo = rule->entry,
		.targinfo = ext->data,
		.hook_mask = rule->comefrom,
		.family = all->desc->family,
	};
	bool builtin;
	int err;

	err = translate_matches(rule);
	if (err)
		return err;
	ext->target = bpfilter_registered_target(call, par.family, name,
						 t->u.user.revision, &builtin);
	if (IS_ERR(ext->target))
		return PTR_ERR(ext->target);
	par.target = ext->target;
	/*
	 * A built-in one is code of this module, and all generations go before the
	 * module does: it has no module to be held.
	 */
	if (builtin)
		err = bpfilter_builtin_check(&par, size);
	else
		err = check_target_par(&par, size, rule);
	if (err) {
		module_put(ext->target->me);
		return err;
	}
	/* Its lines name rules. */
	if (!strcmp(name, "TRACE"))
		err = bpfilter_tables_trace(all->net);
	if (err)
		free_target(ext, all);
	return err;
}

static void free_extension(struct extension *ext,
			   const struct bpfilter_extensions *all)
{
	if (ext->is_target)
		free_target(ext, all);
	else
		free_match(ext, all);
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
		free_extension(all->list[i], all);
	kvfree(all->list);
	kfree(all);
}

/**
 * bpfilter_extensions_table() - for which table they are
 * @all: the instances
 *
 * Return: the table.
 */
const struct bpfilter_table_desc *
bpfilter_extensions_table(const struct bpfilter_extensions *all)
{
	return all->desc;
}

/* Room for one more; makes @all if there is none. */
static int make_room(struct bpfilter_extensions **all, struct net *net,
		     const struct bpfilter_table_desc *desc)
{
	struct extension **list;
	u32 room;

	if (!*all) {
		*all = kzalloc(sizeof(**all), GFP_KERNEL_ACCOUNT);
		if (!*all)
			return -ENOMEM;
		(*all)->net = net;
		(*all)->desc = desc;
	}
	/* A request is about one table. */
	if ((*all)->desc != desc)
		return -EINVAL;
	if ((*all)->num < (*all)->room)
		return 0;
	if ((*all)->num > INT_MAX / 2)
		return -ENOMEM;
	room = max_t(u32, 16, (*all)->room * 2);
	list = kvrealloc((*all)->list, array_size(room, sizeof(*list)),
			 GFP_KERNEL_ACCOUNT);
	if (!list)
		return -ENOMEM;
	(*all)->list = list;
	(*all)->room = room;
	return 0;
}

/* What is read of an entry, of which the first bytes are there. */
static void read_rule(struct rule *rule, u8 family, void *entry)
{
	if (family == NFPROTO_IPV6) {
		const struct ip6t_entry *e = entry;

		*rule = (struct rule){
			.ip = &e->ipv6,
			.len = sizeof(*e),
			.target_offset = e->target_offset,
			.next_offset = e->next_offset,
			.comefrom = e->comefrom,
			.proto = e->ipv6.proto,
			.inv_proto = e->ipv6.invflags & IP6T_INV_PROTO,
			.follows = e->ipv6.flags & IP6T_F_PROTO,
		};
	} else {
		const struct ipt_entry *e = entry;

		*rule = (struct rule){
			.ip = &e->ip,
			.len = sizeof(*e),
			.target_offset = e->target_offset,
			.next_offset = e->next_offset,
			.comefrom = e->comefrom,
			.proto = e->ip.proto,
			.inv_proto = e->ip.invflags & IPT_INV_PROTO,
		};
	}
	rule->entry = entry;
}

/*
 * A copy of the whole entry, to be freed; the helper's memory may change meanwhile.
 * @offset is where the match or target is that is asked for.
 */
static int copy_rule(struct rule *rule, u8 family, const void __user *from,
		     u64 offset)
{
	union {
		struct ipt_entry ipv4;
		struct ip6t_entry ipv6;
	} head;
	struct xt_entry_match *m;
	u32 len, size;
	void *entry;

	size = family == NFPROTO_IPV6 ? sizeof(head.ipv6) : sizeof(head.ipv4);
	if (copy_from_user(&head, from, size))
		return -EFAULT;
	read_rule(rule, family, &head);
	len = rule->next_offset;
	if (offset < size || !IS_ALIGNED(offset, XT_ALIGN(1)) ||
	    len < sizeof(*m) || offset > len - sizeof(*m))
		return -EINVAL;
	entry = vmemdup_user(from, len);
	if (IS_ERR(entry))
		return PTR_ERR(entry);
	read_rule(rule, family, entry);
	m = entry + offset;
	if (rule->next_offset != len || m->u.user.match_size < sizeof(*m) ||
	    m->u.user.match_size > len - offset) {
		kvfree(entry);
		return -EINVAL;
	}
	return 0;
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
	if (!usersize)
		usersize = size;
	if (copy_to_user(to, ext->data, usersize) ||
	    clear_user(to + usersize, XT_ALIGN(size) - usersize))
		return -EFAULT;
	return 0;
}

/**
 * bpfilter_extensions_add() - find a match or target, and check it
 * @all: the instances so far, NULL before the first
 * @call: the call that has brought the rule
 * @asked: where in the helper's memory it is
 *
 * A match and a target have the same layout as far as it is read here.
 *
 * Context: the helper's process, under the transaction's lock; sleeps.
 * Return: the number of the instance; -ENOPROTOOPT if there is no such match or target,
 * or not for this caller; or the negative errno that ip_tables gives for such a rule;
 * with @call.load set, -EAGAIN.
 */
int bpfilter_extensions_add(struct bpfilter_extensions **all,
			    struct bpfilter_call *call,
			    const struct bpfilter_extension *asked)
{
	const struct bpfilter_table_desc *desc;
	const struct xt_entry_match *m;
	struct extension *ext;
	struct rule rule;
	u8 __user *data;
	u32 size;
	int err;

	desc = bpfilter_table_desc(asked->family, asked->table);
	if (!desc)
		return -EINVAL;
	err = copy_rule(&rule, desc->family, u64_to_user_ptr(asked->entry),
			asked->offset);
	if (err)
		return err;
	m = rule.entry + asked->offset;
	data = u64_to_user_ptr(asked->entry + asked->offset + sizeof(*m));
	/* The helper keeps the number behind the name. */
	err = -ENOPROTOOPT;
	if (strnlen(m->u.user.name, BPFILTER_NAME_MAX) == BPFILTER_NAME_MAX)
		goto free_entry;
	err = make_room(all, call->net, desc);
	if (err)
		goto free_entry;

	size = m->u.user.match_size - sizeof(*m);
	ext = kvzalloc(struct_size(ext, data, size), GFP_KERNEL_ACCOUNT);
	if (!ext) {
		err = -ENOMEM;
		goto free_entry;
	}
	memcpy(ext->data, m->data, size);
	ext->is_target = asked->offset == rule.target_offset;
	ext->follows = rule.follows;
	if (ext->is_target)
		err = check_target(ext, call, *all, &rule, m);
	else
		err = check_match(ext, call, *all, &rule, m);
	if (err)
		goto free_ext;
	ext->changes = !ext->is_target && changes_packets(ext->match);
	ext->is_special = ext->follows || ext->changes;
	if (give_data(ext, data)) {
		free_extension(ext, *all);
		err = -EFAULT;
		goto free_entry;
	}
	err = (*all)->num;
	(*all)->list[(*all)->num++] = ext;
	bpfilter_registered_note(desc->family, m->u.user.name, m->u.user.revision, ext->is_target);
	goto free_entry;

free_ext:
	kvfree(ext);
free_entry:
	kvfree(rule.entry);
	return err;
}

/* --- the packet path -------------------------------------------------------- */

/**
 * bpfilter_extensions_describe() - what matches and targets are told of a packet
 * @par: receives it
 * @skb: the packet
 * @state: the hook that it is at
 *
 * Once for a packet at a hook, as in ip_tables, and again behind each target, which
 * may have changed it.
 */
void bpfilter_extensions_describe(struct xt_action_param *par,
				  const struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	par->state = state;
	par->thoff = 0;
	par->fragoff = 0;
	/* Of IPv6 it is a matter of the rule. */
	if (state->pf == NFPROTO_IPV4) {
		par->thoff = ip_hdrlen(skb);
		par->fragoff = ntohs(ip_hdr(skb)->frag_off) & IP_OFFSET;
	}
}

static __always_inline enum bpfilter_called
call_extension(const struct extension *ext, struct bpfilter_packet *packet,
	       struct sk_buff *skb, struct xt_action_param *par,
	       unsigned int *verdict)
{
	bool yes;

	if (ext->is_target) {
		par->hotdrop = false;
		par->target = ext->target;
		par->targinfo = ext->data;
		*verdict = ext->target->target(skb, par);
		if (*verdict == XT_CONTINUE && !packet->hotdrop)
			return BPFILTER_CALLED_TARGET;
		if (packet->hotdrop && *verdict != NF_STOLEN)
			*verdict = NF_DROP;
		return BPFILTER_CALLED_VERDICT;
	}
	par->match = ext->match;
	par->matchinfo = ext->data;
	par->hotdrop = false;
	yes = ext->match->match(skb, par);
	if (par->hotdrop) {
		if (!yes) {
			*verdict = NF_DROP;
			return BPFILTER_CALLED_VERDICT;
		}
		packet->hotdrop = 1;
	}
	packet->answer = yes ? BPFILTER_ANSWER_YES : BPFILTER_ANSWER_NO;
	return BPFILTER_CALLED_MATCH;
}

/*
 * A call for which more has to be done, see struct extension.
 *
 * @follows: the extension is told where the chain of headers ends, as by
 * ip6_packet_match(). The chain can be followed, or the rule would have dropped the
 * packet before.
 *
 * Then both numbers are 0 again. ip6_tables leaves the fragment's offset to later rules
 * that do not ask for the protocol. That cannot be noticed: who reads it looks at the
 * transport header, and refuses rules without a protocol. A rule that has one and yet
 * does not ask for it, as no ip6tables makes it, is told 0.
 */
static noinline enum bpfilter_called
call_special(const struct extension *ext, struct bpfilter_packet *packet,
	     struct sk_buff *skb, struct xt_action_param *par,
	     unsigned int *verdict)
{
	unsigned short fragoff = 0;
	enum bpfilter_called called;
	unsigned int thoff = 0;

	if (ext->follows) {
		ipv6_find_hdr(skb, &thoff, -1, &fragoff, NULL);
		par->thoff = thoff;
		par->fragoff = fragoff;
	}
	called = call_extension(ext, packet, skb, par, verdict);
	if (ext->follows) {
		par->thoff = 0;
		par->fragoff = 0;
	}
	if (called == BPFILTER_CALLED_MATCH && ext->changes) {
		packet->answer |= BPFILTER_ANSWER_ANEW;
		return BPFILTER_CALLED_CHANGING_MATCH;
	}
	return called;
}

/**
 * bpfilter_extensions_call() - call the match or target that a program asks for
 * @all: those of its generation, or NULL
 * @packet: @packet->call says which; receives the answer of a match
 * @skb: the packet, which may be gone after a target
 * @par: what bpfilter_extensions_describe() has said of it
 * @verdict: receives what becomes of the packet, if that is clear
 *
 * A match may say yes and set hotdrop (sctp and dccp do where they invert a
 * check that failed on a broken packet). ipt_do_table() looks at hotdrop when it
 * is done with the rule: the rule's other matches are asked, it counts and its
 * target runs if they hold, and then the packet is dropped whatever the verdict.
 * What a target has taken is not there to be dropped.
 *
 * Return: what was called, or that there is a verdict.
 */
enum bpfilter_called
bpfilter_extensions_call(const struct bpfilter_extensions *all,
			 struct bpfilter_packet *packet, struct sk_buff *skb,
			 struct xt_action_param *par, unsigned int *verdict)
{
	const struct extension *ext;
	u32 call = READ_ONCE(packet->call);

	if (!all || call >= all->num) {
		pr_warn_once("a program calls extension %u, of %u\n", call,
			     all ? all->num : 0);
		*verdict = NF_DROP;
		return BPFILTER_CALLED_VERDICT;
	}
	ext = all->list[call];
	if (unlikely(ext->is_special))
		return call_special(ext, packet, skb, par, verdict);
	return call_extension(ext, packet, skb, par, verdict);
}
