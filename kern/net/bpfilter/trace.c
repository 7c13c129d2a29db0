// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace.c - which rules a traced packet matches, for the log
 *
 * Owns: of a generation, what the lines of the target TRACE name a rule by: its
 * chain and its number there; and these lines.
 *
 * Promises: the lines of ip_tables, trace_packet(). They cost memory and time only in
 * a namespace in which a rule has asked for TRACE.
 *
 * Leaves to others: that a program says with which rules a packet goes on (packet.c),
 * and from when on a namespace has this (tables.c).
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/netfilter/nf_log.h>
#include "internal.h"

/*
 * What an entry is, but for the head of a chain: that has a number from FIRST_NAME
 * on, which says where in the names its chain's is.
 */
#define PLAIN		0
#define UNCONDITIONAL	1 /* a verdict for all: it may be the end of a chain */
#define FIRST_NAME	2

/**
 * struct bpfilter_trace - what the entries of a generation are called
 * @num: how many entries there are
 * @entries: what each is
 * @names: of chains, each with its NUL
 */
struct bpfilter_trace {
	u32 num;
	u32 *entries;
	char *names;
};

/**
 * bpfilter_trace_free() - the generation goes
 * @trace: its names, or NULL
 */
void bpfilter_trace_free(struct bpfilter_trace *trace)
{
	if (!trace)
		return;
	kvfree(trace->entries);
	kvfree(trace->names);
	kfree(trace);
}

/* One entry of an image; of either family. */
struct entry {
	const struct xt_entry_target *target;
	u32 next_offset;
	bool asks_nothing;
};

/* False if this is no whole entry: the image is the helper's, and not trusted. */
static bool read_entry(struct entry *entry, u8 family, const void *at, size_t left)
{
	const struct ip6t_entry *e6 = at;
	const struct ipt_entry *e4 = at;
	size_t size, target_offset;
	const void *ip;

	size = family == NFPROTO_IPV6 ? sizeof(*e6) : sizeof(*e4);
	if (left < size)
		return false;
	if (family == NFPROTO_IPV6) {
		ip = memchr_inv(&e6->ipv6, 0, sizeof(e6->ipv6));
		target_offset = e6->target_offset;
		entry->next_offset = e6->next_offset;
	} else {
		ip = memchr_inv(&e4->ip, 0, sizeof(e4->ip));
		target_offset = e4->target_offset;
		entry->next_offset = e4->next_offset;
	}
	entry->target = at + target_offset;
	entry->asks_nothing = target_offset == size && !ip;
	return target_offset >= size && entry->next_offset <= left &&
	       IS_ALIGNED(entry->next_offset, XT_ALIGN(1)) &&
	       target_offset + sizeof(*entry->target) <= entry->next_offset;
}

static bool is_verdict(const struct xt_entry_target *target)
{
	const struct xt_standard_target *standard = (const void *)target;

	return !target->u.user.name[0] &&
	       target->u.target_size >= sizeof(*standard) &&
	       standard->verdict < 0;
}

/* What the names of chains need, and what each entry is, if there is room for it. */
static int name_entries(struct bpfilter_trace *trace, u8 family,
			const void *image, size_t left, size_t *names_len)
{
	const struct xt_error_target *error;
	struct entry entry;
	u32 i, what, target_len;

	*names_len = 0;
	for (i = 0; i < trace->num; i++) {
		if (!read_entry(&entry, family, image, left))
			return -EINVAL;
		target_len = entry.next_offset - ((void *)entry.target - image);
		if (entry.target->u.target_size > target_len)
			return -EINVAL;
		what = PLAIN;
		if (!strcmp(entry.target->u.user.name, XT_ERROR_TARGET)) {
			error = (const void *)entry.target;
			if (entry.target->u.target_size < sizeof(*error))
				return -EINVAL;
			what = FIRST_NAME + *names_len;
			if (trace->names)
				strscpy(trace->names + *names_len,
					error->errorname,
					sizeof(error->errorname));
			*names_len += strnlen(error->errorname,
					      sizeof(error->errorname) - 1) + 1;
		} else if (entry.asks_nothing && is_verdict(entry.target)) {
			what = UNCONDITIONAL;
		}
		trace->entries[i] = what;
		image += entry.next_offset;
		left -= entry.next_offset;
	}
	return 0;
}

/* The entries of a generation's image, to be freed. */
static void *read_image(const struct generation *gen, size_t *len)
{
	struct file *file = gen->file[FILE_IMAGE];
	loff_t size = i_size_read(file_inode(file));
	loff_t at = BPFILTER_IMAGE_ENTRIES;
	ssize_t got;
	void *image;

	if (size < at || size > INT_MAX)
		return ERR_PTR(-EINVAL);
	*len = size - at;
	image = kvmalloc(*len, GFP_KERNEL_ACCOUNT);
	if (!image)
		return ERR_PTR(-ENOMEM);
	got = kernel_read(file, image, *len, &at);
	if (got == *len)
		return image;
	kvfree(image);
	return ERR_PTR(got < 0 ? got : -EINVAL);
}

/**
 * bpfilter_trace_new() - what the entries of a generation are called
 * @gen: the generation; one that holds counters alone has no entries here
 *
 * Context: may sleep.
 * Return: the names, to be freed; or an ERR_PTR.
 */
struct bpfilter_trace *bpfilter_trace_new(const struct generation *gen)
{
	u8 family = gen->desc->family;
	struct bpfilter_trace *trace;
	size_t len, names_len;
	void *image;
	int err;

	trace = kzalloc(sizeof(*trace), GFP_KERNEL_ACCOUNT);
	if (!trace)
		return ERR_PTR(-ENOMEM);
	image = read_image(gen, &len);
	if (IS_ERR(image)) {
		bpfilter_trace_free(trace);
		return ERR_CAST(image);
	}
	err = -ENOMEM;
	trace->num = gen->committed.counters_row / sizeof(struct xt_counters);
	trace->entries = kvcalloc(trace->num, sizeof(*trace->entries),
				  GFP_KERNEL_ACCOUNT);
	if (!trace->entries)
		goto free;
	err = name_entries(trace, family, image, len, &names_len);
	if (err)
		goto free;
	err = -ENOMEM;
	/* strscpy() writes whole words. */
	trace->names = kvzalloc(names_len + XT_FUNCTION_MAXNAMELEN,
				GFP_KERNEL_ACCOUNT);
	if (!trace->names)
		goto free;
	err = name_entries(trace, family, image, len, &names_len);
	if (err)
		goto free;
	kvfree(image);
	return trace;

free:
	kvfree(image);
	bpfilter_trace_free(trace);
	return ERR_PTR(err);
}

static const char *const hook_names[] = {
	[NF_INET_PRE_ROUTING] = "PREROUTING",
	[NF_INET_LOCAL_IN] = "INPUT",
	[NF_INET_FORWARD] = "FORWARD",
	[NF_INET_LOCAL_OUT] = "OUTPUT",
	[NF_INET_POST_ROUTING] = "POSTROUTING",
};

/**
 * bpfilter_trace_log() - a traced packet matches a rule
 * @trace: the names of its generation
 * @desc: the table
 * @start: the position at which the hook's rules start
 * @position: that of the rule
 * @skb: the packet
 * @state: the hook
 *
 * Chains lie one behind the other, and the rules of the hook's own from @start on.
 */
void bpfilter_trace_log(const struct bpfilter_trace *trace,
			const struct bpfilter_table_desc *desc, u32 start,
			u32 position, const struct sk_buff *skb,
			const struct nf_hook_state *state)
{
	static const struct nf_loginfo loginfo = {
		.type = NF_LOG_TYPE_LOG,
		.u.log = {
			.level = 4,
			.logflags = NF_LOG_DEFAULT_MASK,
		},
	};
	const char *hook = hook_names[state->hook];
	const char *chain = hook;
	const char *what = "rule";
	unsigned int number = 0;
	u32 i;

	for (i = start; i <= position && i < trace->num; i++) {
		number++;
		if (trace->entries[i] >= FIRST_NAME) {
			chain = trace->names + trace->entries[i] - FIRST_NAME;
			number = 0;
		}
	}
	if (position < trace->num && trace->entries[position] == UNCONDITIONAL)
		what = chain == hook ? "policy" : "return";
	nf_log_trace(state->net, state->pf, state->hook, skb, state->in,
		     state->out, &loginfo, "TRACE: %s:%s:%s:%u ", desc->name,
		     chain, what, number);
}
