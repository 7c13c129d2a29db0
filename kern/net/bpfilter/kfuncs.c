// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfuncs.c - matches and targets of ip_tables that a program cannot be
 *
 * Owns: the kfuncs for programs of type NETFILTER. Each is the match or target
 * function of the xt_*.c or ipt_*.c that it is named after, to the letter: it
 * gets the rule's data in the layout that iptables uses, and says what that
 * function would. Built in with the framework, not with the module, so that
 * they are in the BTF of the kernel proper and outlive every program.
 *
 * Promises: the packet and the hook are the program's own (KF_TRUSTED_ARGS);
 * nothing else is believed. Data lies in a map that may change at any time, so
 * it is read once and checked. A program may be run for other families, at
 * other hooks, or by BPF_PROG_TEST_RUN without a network: there a target drops
 * and a match fails. None of them sleeps.
 *
 * A kfunc is there only if all that it stands on is in the kernel proper. Who
 * finds it in BTF may use it; who does not refuses the rule.
 */
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/init.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_LOG.h>
#include <linux/netfilter/xt_NFLOG.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/skbuff.h>
#include <linux/time.h>
#include <linux/timekeeping.h>
#include <net/netfilter/ipv4/nf_reject.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_log.h>
#include <net/route.h>
#include "internal.h"

#define HAVE_NFLOG	IS_BUILTIN(CONFIG_NETFILTER_NETLINK_LOG)
#define HAVE_CONNMARK	(IS_BUILTIN(CONFIG_NF_CONNTRACK) && \
			 IS_ENABLED(CONFIG_NF_CONNTRACK_MARK))

/* Where the filter table is asked, and a network is there to be asked. */
static bool at_filter_hook(const struct nf_hook_state *state)
{
	return state->net && state->pf == NFPROTO_IPV4 &&
	       state->hook >= NF_INET_LOCAL_IN &&
	       state->hook <= NF_INET_LOCAL_OUT;
}

/*
 * @info lies in a map, which may be written to at any time. What is checked must
 * be what is used, so all of it is read here, once: the compiler may not go back
 * to it behind the barrier.
 */
static __always_inline void read_info(void *once, const void *info, size_t len)
{
	memcpy(once, info, len);
	barrier();
}

__bpf_kfunc_start_defs();

/**
 * bpf_xt_reject() - REJECT: answer a packet that is then dropped
 * @skb: the packet
 * @state: the hook that it is at
 * @info: the kind of answer
 *
 * The answer to a packet goes through LOCAL_OUT before this returns.
 *
 * Return: NF_DROP.
 */
__bpf_kfunc u32 bpf_xt_reject(struct sk_buff *skb,
			      const struct nf_hook_state *state,
			      const struct ipt_reject_info *info)
{
	int hook = state->hook;

	if (!at_filter_hook(state))
		return NF_DROP;

	switch (READ_ONCE(info->with)) {
	case IPT_ICMP_NET_UNREACHABLE:
		nf_send_unreach(skb, ICMP_NET_UNREACH, hook);
		break;
	case IPT_ICMP_HOST_UNREACHABLE:
		nf_send_unreach(skb, ICMP_HOST_UNREACH, hook);
		break;
	case IPT_ICMP_PROT_UNREACHABLE:
		nf_send_unreach(skb, ICMP_PROT_UNREACH, hook);
		break;
	case IPT_ICMP_PORT_UNREACHABLE:
		nf_send_unreach(skb, ICMP_PORT_UNREACH, hook);
		break;
	case IPT_ICMP_NET_PROHIBITED:
		nf_send_unreach(skb, ICMP_NET_ANO, hook);
		break;
	case IPT_ICMP_HOST_PROHIBITED:
		nf_send_unreach(skb, ICMP_HOST_ANO, hook);
		break;
	case IPT_ICMP_ADMIN_PROHIBITED:
		nf_send_unreach(skb, ICMP_PKT_FILTERED, hook);
		break;
	case IPT_TCP_RESET:
		nf_send_reset(state->net, state->sk, skb, hook);
		break;
	case IPT_ICMP_ECHOREPLY:
		/* Refused with the rule. */
		break;
	}
	return NF_DROP;
}

/**
 * bpf_xt_log() - LOG: a line about a packet in the kernel's log
 * @skb: the packet
 * @state: the hook that it is at
 * @info: the line's level, prefix and contents
 *
 * Return: XT_CONTINUE.
 */
__bpf_kfunc u32 bpf_xt_log(struct sk_buff *skb,
			   const struct nf_hook_state *state,
			   const struct xt_log_info *info)
{
	struct nf_loginfo li = { .type = NF_LOG_TYPE_LOG };
	struct xt_log_info once;

	read_info(&once, info, sizeof(once));
	if (!at_filter_hook(state) || once.level > LOGLEVEL_DEBUG)
		return NF_DROP;

	li.u.log.level = once.level;
	li.u.log.logflags = once.logflags;

	nf_log_packet(state->net, NFPROTO_IPV4, state->hook, skb, state->in,
		      state->out, &li, "%.*s", (int)sizeof(once.prefix) - 1,
		      once.prefix);
	return XT_CONTINUE;
}

#if HAVE_NFLOG
/**
 * bpf_xt_nflog() - NFLOG: a packet goes to a listener of nfnetlink_log
 * @skb: the packet
 * @state: the hook that it is at
 * @info: the listener's group, and what it gets
 *
 * Return: XT_CONTINUE.
 */
__bpf_kfunc u32 bpf_xt_nflog(struct sk_buff *skb,
			     const struct nf_hook_state *state,
			     const struct xt_nflog_info *info)
{
	struct nf_loginfo li = { .type = NF_LOG_TYPE_ULOG };
	struct xt_nflog_info once;

	if (!at_filter_hook(state))
		return NF_DROP;

	read_info(&once, info, sizeof(once));
	li.u.ulog.copy_len = once.len;
	li.u.ulog.group = once.group;
	li.u.ulog.qthreshold = once.threshold;
	if (once.flags & XT_NFLOG_F_COPY_LEN)
		li.u.ulog.flags |= NF_LOG_F_COPY_LEN;

	nf_log_packet(state->net, NFPROTO_IPV4, state->hook, skb, state->in,
		      state->out, &li, "%.*s", (int)sizeof(once.prefix) - 1,
		      once.prefix);
	return XT_CONTINUE;
}
#endif

/**
 * bpf_xt_set_mark() - MARK: change a packet's mark
 * @skb: the packet
 * @state: the hook that it is at
 * @info: the bits to clear, and those to flip then
 *
 * Return: XT_CONTINUE.
 */
__bpf_kfunc u32 bpf_xt_set_mark(struct sk_buff *skb,
				const struct nf_hook_state *state,
				const struct xt_mark_tginfo2 *info)
{
	if (!at_filter_hook(state))
		return NF_DROP;

	skb->mark = (skb->mark & ~READ_ONCE(info->mask)) ^
		    READ_ONCE(info->mark);
	return XT_CONTINUE;
}

#if HAVE_CONNMARK
static u32 shift(u32 mark, const struct xt_connmark_tginfo2 *info)
{
	return info->shift_dir == D_SHIFT_RIGHT ? mark >> info->shift_bits :
						  mark << info->shift_bits;
}

static void set_connmark(struct nf_conn *ct, u32 mark)
{
	if (READ_ONCE(ct->mark) == mark)
		return;
	WRITE_ONCE(ct->mark, mark);
	nf_conntrack_event_cache(IPCT_MARK, ct);
}

/**
 * bpf_xt_connmark() - CONNMARK: carry a mark between packet and connection
 * @skb: the packet
 * @state: the hook that it is at
 * @info: from where to where, and which bits
 *
 * Return: XT_CONTINUE.
 */
__bpf_kfunc u32 bpf_xt_connmark(struct sk_buff *skb,
				const struct nf_hook_state *state,
				const struct xt_connmark_tginfo2 *info)
{
	struct xt_connmark_tginfo2 once;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;
	u32 mark;

	read_info(&once, info, sizeof(once));
	if (!at_filter_hook(state) || once.shift_bits >= 32)
		return NF_DROP;
	ct = nf_ct_get(skb, &ctinfo);
	if (!ct)
		return XT_CONTINUE;

	switch (once.mode) {
	case XT_CONNMARK_SET:
		mark = (READ_ONCE(ct->mark) & ~once.ctmask) ^ once.ctmark;
		set_connmark(ct, shift(mark, &once));
		break;
	case XT_CONNMARK_SAVE:
		mark = shift(skb->mark & once.nfmask, &once);
		set_connmark(ct, (READ_ONCE(ct->mark) & ~once.ctmask) ^ mark);
		break;
	case XT_CONNMARK_RESTORE:
		mark = shift(READ_ONCE(ct->mark) & once.ctmask, &once);
		skb->mark = (skb->mark & ~once.nfmask) ^ mark;
		break;
	}
	return XT_CONTINUE;
}
#endif

static bool is_of_type(const struct nf_hook_state *state, u32 flags,
		       __be32 addr, u16 types)
{
	const struct net_device *dev = NULL;

	if (flags & XT_ADDRTYPE_LIMIT_IFACE_IN)
		dev = state->in;
	else if (flags & XT_ADDRTYPE_LIMIT_IFACE_OUT)
		dev = state->out;
	return types & (1 << inet_dev_addr_type(state->net, dev, addr));
}

/**
 * bpf_xt_addrtype() - addrtype: what the routing table makes of an address
 * @skb: the packet
 * @state: the hook that it is at
 * @info: the types asked for, of which addresses
 *
 * Return: whether the packet matches.
 */
__bpf_kfunc bool bpf_xt_addrtype(struct sk_buff *skb,
				 const struct nf_hook_state *state,
				 const struct xt_addrtype_info_v1 *info)
{
	struct xt_addrtype_info_v1 once;
	const struct iphdr *iph;

	if (!at_filter_hook(state))
		return false;

	read_info(&once, info, sizeof(once));
	iph = ip_hdr(skb);
	if (once.source &&
	    is_of_type(state, once.flags, iph->saddr, once.source) ==
	    !!(once.flags & XT_ADDRTYPE_INVERT_SOURCE))
		return false;
	if (once.dest &&
	    is_of_type(state, once.flags, iph->daddr, once.dest) ==
	    !!(once.flags & XT_ADDRTYPE_INVERT_DEST))
		return false;
	return true;
}

/**
 * bpf_xt_wall_clock() - the time that the match time asks for
 * @local: nonzero for the time zone of the kernel, zero for UTC
 *
 * Return: seconds since 1970.
 */
__bpf_kfunc s64 bpf_xt_wall_clock(u32 local)
{
	s64 now = ktime_get_real_seconds();

	return local ? now - 60 * sys_tz.tz_minuteswest : now;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(bpfilter_kfunc_ids)
BTF_ID_FLAGS(func, bpf_xt_reject, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_xt_log, KF_TRUSTED_ARGS)
#if HAVE_NFLOG
BTF_ID_FLAGS(func, bpf_xt_nflog, KF_TRUSTED_ARGS)
#endif
BTF_ID_FLAGS(func, bpf_xt_set_mark, KF_TRUSTED_ARGS)
#if HAVE_CONNMARK
BTF_ID_FLAGS(func, bpf_xt_connmark, KF_TRUSTED_ARGS)
#endif
BTF_ID_FLAGS(func, bpf_xt_addrtype, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_xt_wall_clock)
BTF_KFUNCS_END(bpfilter_kfunc_ids)

static const struct btf_kfunc_id_set bpfilter_kfuncs = {
	.owner = THIS_MODULE,
	.set = &bpfilter_kfunc_ids,
};

static int __init bpfilter_kfuncs_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_NETFILTER,
					 &bpfilter_kfuncs);
}
late_initcall(bpfilter_kfuncs_init);
