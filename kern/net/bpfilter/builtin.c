// SPDX-License-Identifier: GPL-2.0-only
/*
 * builtin.c - targets that many rules need, where x_tables does not have them
 *
 * Owns: REJECT, LOG, MARK and TRACE, each as ipt_NAME.c, ip6t_NAME.c or xt_NAME.c has it,
 * and the check of a rule that uses one. Those of the table nat are in builtin_nat.c.
 *
 * Promises: the same rules are refused, with the same errno, and the same becomes
 * of a packet. A small kernel can do without x_tables and the modules around it.
 *
 * Leaves to others: whether x_tables' own is used instead, and the life of an
 * instance (extensions.c).
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/kmod.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_LOG.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <net/netfilter/ipv4/nf_reject.h>
#include <net/netfilter/ipv6/nf_reject.h>
#include <net/netfilter/nf_log.h>
#include "internal.h"

/* --- REJECT: ipt_REJECT.c --------------------------------------------------- */

/* The answer goes through LOCAL_OUT before this returns. */
static unsigned int reject(struct sk_buff *skb,
			   const struct xt_action_param *par)
{
	const struct ipt_reject_info *info = par->targinfo;
	int hook = xt_hooknum(par);

	switch (info->with) {
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
		nf_send_reset(xt_net(par), par->state->sk, skb, hook);
		break;
	case IPT_ICMP_ECHOREPLY:
		/* Refused with the rule. */
		break;
	}
	return NF_DROP;
}

static int reject_check(const struct xt_tgchk_param *par)
{
	const struct ipt_reject_info *info = par->targinfo;
	const struct ipt_entry *e = par->entryinfo;

	if (info->with == IPT_ICMP_ECHOREPLY)
		return -EINVAL;
	if (info->with == IPT_TCP_RESET &&
	    (e->ip.proto != IPPROTO_TCP || (e->ip.invflags & XT_INV_PROTO)))
		return -EINVAL;
	return 0;
}

/* --- REJECT of IPv6: ip6t_REJECT.c ------------------------------------------- */

/* Where IPv6 is a module, and this is not, x_tables' own is the only one. */
#if IS_REACHABLE(CONFIG_NF_REJECT_IPV6)
static unsigned int reject6(struct sk_buff *skb,
			    const struct xt_action_param *par)
{
	const struct ip6t_reject_info *info = par->targinfo;
	int hook = xt_hooknum(par);
	struct net *net = xt_net(par);

	switch (info->with) {
	case IP6T_ICMP6_NO_ROUTE:
		nf_send_unreach6(net, skb, ICMPV6_NOROUTE, hook);
		break;
	case IP6T_ICMP6_ADM_PROHIBITED:
		nf_send_unreach6(net, skb, ICMPV6_ADM_PROHIBITED, hook);
		break;
	case IP6T_ICMP6_NOT_NEIGHBOUR:
		nf_send_unreach6(net, skb, ICMPV6_NOT_NEIGHBOUR, hook);
		break;
	case IP6T_ICMP6_ADDR_UNREACH:
		nf_send_unreach6(net, skb, ICMPV6_ADDR_UNREACH, hook);
		break;
	case IP6T_ICMP6_PORT_UNREACH:
		nf_send_unreach6(net, skb, ICMPV6_PORT_UNREACH, hook);
		break;
	case IP6T_TCP_RESET:
		nf_send_reset6(net, par->state->sk, skb, hook);
		break;
	case IP6T_ICMP6_POLICY_FAIL:
		nf_send_unreach6(net, skb, ICMPV6_POLICY_FAIL, hook);
		break;
	case IP6T_ICMP6_REJECT_ROUTE:
		nf_send_unreach6(net, skb, ICMPV6_REJECT_ROUTE, hook);
		break;
	case IP6T_ICMP6_ECHOREPLY:
		/* Refused with the rule. */
		break;
	}
	return NF_DROP;
}

static int reject6_check(const struct xt_tgchk_param *par)
{
	const struct ip6t_reject_info *info = par->targinfo;
	const struct ip6t_entry *e = par->entryinfo;

	if (info->with == IP6T_ICMP6_ECHOREPLY)
		return -EINVAL;
	if (info->with == IP6T_TCP_RESET &&
	    (!(e->ipv6.flags & IP6T_F_PROTO) ||
	     e->ipv6.proto != IPPROTO_TCP ||
	     (e->ipv6.invflags & XT_INV_PROTO)))
		return -EINVAL;
	return 0;
}
#endif

/* --- LOG: xt_LOG.c ---------------------------------------------------------- */

static unsigned int log_packet(struct sk_buff *skb,
			       const struct xt_action_param *par)
{
	const struct xt_log_info *info = par->targinfo;
	struct nf_loginfo li = {
		.type = NF_LOG_TYPE_LOG,
		.u.log.level = info->level,
		.u.log.logflags = info->logflags,
	};

	nf_log_packet(xt_net(par), xt_family(par), xt_hooknum(par), skb,
		      xt_in(par), xt_out(par), &li, "%s", info->prefix);
	return XT_CONTINUE;
}

static int log_check(const struct xt_tgchk_param *par)
{
	const struct xt_log_info *info = par->targinfo;
	int err;

	if (info->level > LOGLEVEL_DEBUG ||
	    info->prefix[sizeof(info->prefix) - 1] != '\0')
		return -EINVAL;
	err = nf_logger_find_get(par->family, NF_LOG_TYPE_LOG);
	if (err) {
		request_module("%s", "nf_log_syslog");
		err = nf_logger_find_get(par->family, NF_LOG_TYPE_LOG);
	}
	return err;
}

static void log_destroy(const struct xt_tgdtor_param *par)
{
	nf_logger_put(par->family, NF_LOG_TYPE_LOG);
}

/* --- MARK: xt_mark.c -------------------------------------------------------- */

static unsigned int mark(struct sk_buff *skb, const struct xt_action_param *par)
{
	const struct xt_mark_tginfo2 *info = par->targinfo;

	skb->mark = (skb->mark & ~info->mask) ^ info->mark;
	return XT_CONTINUE;
}

/* --- TRACE: xt_TRACE.c ------------------------------------------------------- */

#if BPFILTER_TRACES
static unsigned int trace(struct sk_buff *skb, const struct xt_action_param *par)
{
	skb->nf_trace = 1;
	return XT_CONTINUE;
}

static int trace_check(const struct xt_tgchk_param *par)
{
	return nf_logger_find_get(par->family, NF_LOG_TYPE_LOG);
}
#endif

/* --- finding and checking them ---------------------------------------------- */

static struct xt_target builtin[] = {
	{
		.name = "REJECT",
		.family = NFPROTO_IPV4,
		.target = reject,
		.targetsize = sizeof(struct ipt_reject_info),
		.table = "filter",
		.hooks = BIT(NF_INET_LOCAL_IN) | BIT(NF_INET_FORWARD) |
			 BIT(NF_INET_LOCAL_OUT),
		.checkentry = reject_check,
	},
#if IS_REACHABLE(CONFIG_NF_REJECT_IPV6)
	{
		.name = "REJECT",
		.family = NFPROTO_IPV6,
		.target = reject6,
		.targetsize = sizeof(struct ip6t_reject_info),
		.table = "filter",
		.hooks = BIT(NF_INET_LOCAL_IN) | BIT(NF_INET_FORWARD) |
			 BIT(NF_INET_LOCAL_OUT),
		.checkentry = reject6_check,
	},
#endif
	/* For both families. */
	{
		.name = "LOG",
		.target = log_packet,
		.targetsize = sizeof(struct xt_log_info),
		.checkentry = log_check,
		.destroy = log_destroy,
	},
	{
		.name = "MARK",
		.revision = 2,
		.target = mark,
		.targetsize = sizeof(struct xt_mark_tginfo2),
	},
#if BPFILTER_TRACES
	{
		.name = "TRACE",
		.target = trace,
		.table = "raw",
		.checkentry = trace_check,
		.destroy = log_destroy,
	},
#endif
};

/* All of them, those of nat behind the others; NULL behind the last. */
static struct xt_target *at(unsigned int i)
{
	if (i < ARRAY_SIZE(builtin))
		return &builtin[i];
#ifdef BPFILTER_BUILTIN_NAT
	i -= ARRAY_SIZE(builtin);
	if (i < BPFILTER_BUILTIN_NAT)
		return &bpfilter_builtin_nat[i];
#endif
	return NULL;
}

static bool is_for(const struct xt_target *target, u8 family)
{
	return target->family == NFPROTO_UNSPEC || target->family == family;
}

/**
 * bpfilter_builtin_find() - find a target
 * @family: NFPROTO_*
 * @name: its name
 * @revision: its revision
 * @named: receives whether there is one of the name, of whatever revision
 *
 * Return: the target, or NULL.
 */
struct xt_target *bpfilter_builtin_find(u8 family, const char *name,
					u8 revision, bool *named)
{
	struct xt_target *target;
	unsigned int i;

	*named = false;
	for (i = 0; (target = at(i)); i++) {
		if (!is_for(target, family) || strcmp(target->name, name))
			continue;
		*named = true;
		if (target->revision == revision)
			return target;
	}
	return NULL;
}

/**
 * bpfilter_builtin_check() - xt_check_target(), so far as these targets need it
 * @par: the rule, its table, and the target
 * @size: of its data in the rule
 *
 * Return: 0 or a negative errno.
 */
int bpfilter_builtin_check(struct xt_tgchk_param *par, unsigned int size)
{
	const struct xt_target *target = par->target;

	if (XT_ALIGN(target->targetsize) != size ||
	    (target->table && strcmp(target->table, par->table)) ||
	    (target->hooks && (par->hook_mask & ~target->hooks)))
		return -EINVAL;
	return target->checkentry ? target->checkentry(par) : 0;
}

/**
 * bpfilter_builtin_show() - print the names of the targets for a family
 * @seq: where to
 * @family: NFPROTO_*
 */
void bpfilter_builtin_show(struct seq_file *seq, u8 family)
{
	const struct xt_target *target;
	unsigned int i;

	for (i = 0; (target = at(i)); i++) {
		if (is_for(target, family))
			seq_printf(seq, "%s\n", target->name);
	}
}
