// SPDX-License-Identifier: GPL-2.0-only
/*
 * builtin_nat.c - SNAT, DNAT and MASQUERADE, where x_tables does not have them
 *
 * Owns: these three targets, each to the letter that of xt_nat.c or
 * xt_MASQUERADE.c. Without ip_tables' table nat these are in few kernels: nothing
 * else selects them.
 *
 * Promises: as builtin.c, of which it is a part.
 */
#include <linux/netfilter/x_tables.h>
#include <linux/string.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_nat.h>
#include <net/netfilter/nf_nat_masquerade.h>
#include "internal.h"

/* --- SNAT and DNAT: xt_nat.c ------------------------------------------------ */

static int check(const struct xt_tgchk_param *par)
{
	return nf_ct_netns_get(par->net, par->family);
}

static int check_v0(const struct xt_tgchk_param *par)
{
	const struct nf_nat_ipv4_multi_range_compat *mr = par->targinfo;

	return mr->rangesize == 1 ? check(par) : -EINVAL;
}

static void destroy(const struct xt_tgdtor_param *par)
{
	nf_ct_netns_put(par->net, par->family);
}

/* NAT asks its table for packets of a connection alone. */
static unsigned int translate(struct sk_buff *skb,
			      const struct nf_nat_range2 *range,
			      enum nf_nat_manip_type type)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (WARN_ON_ONCE(!ct))
		return NF_DROP;
	return nf_nat_setup_info(ct, range, type);
}

static unsigned int translate_v0(struct sk_buff *skb,
				 const struct xt_action_param *par,
				 enum nf_nat_manip_type type)
{
	const struct nf_nat_ipv4_multi_range_compat *mr = par->targinfo;
	const struct nf_nat_ipv4_range *only = &mr->range[0];
	struct nf_nat_range2 range = {
		.flags = only->flags,
		.min_addr.ip = only->min_ip,
		.max_addr.ip = only->max_ip,
		.min_proto = only->min,
		.max_proto = only->max,
	};

	return translate(skb, &range, type);
}

static unsigned int translate_v1(struct sk_buff *skb,
				 const struct xt_action_param *par,
				 enum nf_nat_manip_type type)
{
	struct nf_nat_range2 range = {};

	memcpy(&range, par->targinfo, sizeof(struct nf_nat_range));
	return translate(skb, &range, type);
}

static unsigned int snat_v0(struct sk_buff *skb,
			    const struct xt_action_param *par)
{
	return translate_v0(skb, par, NF_NAT_MANIP_SRC);
}

static unsigned int snat_v1(struct sk_buff *skb,
			    const struct xt_action_param *par)
{
	return translate_v1(skb, par, NF_NAT_MANIP_SRC);
}

static unsigned int snat_v2(struct sk_buff *skb,
			    const struct xt_action_param *par)
{
	return translate(skb, par->targinfo, NF_NAT_MANIP_SRC);
}

static unsigned int dnat_v0(struct sk_buff *skb,
			    const struct xt_action_param *par)
{
	return translate_v0(skb, par, NF_NAT_MANIP_DST);
}

static unsigned int dnat_v1(struct sk_buff *skb,
			    const struct xt_action_param *par)
{
	return translate_v1(skb, par, NF_NAT_MANIP_DST);
}

static unsigned int dnat_v2(struct sk_buff *skb,
			    const struct xt_action_param *par)
{
	return translate(skb, par->targinfo, NF_NAT_MANIP_DST);
}

/* --- MASQUERADE: xt_MASQUERADE.c -------------------------------------------- */

static int masquerade_check(const struct xt_tgchk_param *par)
{
	const struct nf_nat_ipv4_multi_range_compat *mr = par->targinfo;

	if (mr->range[0].flags & NF_NAT_RANGE_MAP_IPS)
		return -EINVAL;
	return check_v0(par);
}

static unsigned int masquerade(struct sk_buff *skb,
			       const struct xt_action_param *par)
{
	const struct nf_nat_ipv4_multi_range_compat *mr = par->targinfo;
	struct nf_nat_range2 range = {
		.flags = mr->range[0].flags,
		.min_proto = mr->range[0].min,
		.max_proto = mr->range[0].max,
	};

	return nf_nat_masquerade_ipv4(skb, xt_hooknum(par), &range,
				      xt_out(par));
}

#if IS_ENABLED(CONFIG_IPV6)
static int masquerade6_check(const struct xt_tgchk_param *par)
{
	const struct nf_nat_range *range = par->targinfo;

	if (range->flags & NF_NAT_RANGE_MAP_IPS)
		return -EINVAL;
	return check(par);
}

static unsigned int masquerade6(struct sk_buff *skb,
				const struct xt_action_param *par)
{
	struct nf_nat_range2 range = {};

	memcpy(&range, par->targinfo, sizeof(struct nf_nat_range));
	return nf_nat_masquerade_ipv6(skb, &range, xt_out(par));
}
#endif

/* --- all of them ------------------------------------------------------------ */

#define SNAT_HOOKS	(BIT(NF_INET_POST_ROUTING) | BIT(NF_INET_LOCAL_IN))
#define DNAT_HOOKS	(BIT(NF_INET_PRE_ROUTING) | BIT(NF_INET_LOCAL_OUT))

struct xt_target bpfilter_builtin_nat[BPFILTER_BUILTIN_NAT] = {
	{
		.name = "SNAT",
		.revision = 0,
		.family = NFPROTO_IPV4,
		.target = snat_v0,
		.targetsize = sizeof(struct nf_nat_ipv4_multi_range_compat),
		.table = "nat",
		.hooks = SNAT_HOOKS,
		.checkentry = check_v0,
		.destroy = destroy,
	},
	{
		.name = "SNAT",
		.revision = 1,
		.target = snat_v1,
		.targetsize = sizeof(struct nf_nat_range),
		.table = "nat",
		.hooks = SNAT_HOOKS,
		.checkentry = check,
		.destroy = destroy,
	},
	{
		.name = "SNAT",
		.revision = 2,
		.target = snat_v2,
		.targetsize = sizeof(struct nf_nat_range2),
		.table = "nat",
		.hooks = SNAT_HOOKS,
		.checkentry = check,
		.destroy = destroy,
	},
	{
		.name = "DNAT",
		.revision = 0,
		.family = NFPROTO_IPV4,
		.target = dnat_v0,
		.targetsize = sizeof(struct nf_nat_ipv4_multi_range_compat),
		.table = "nat",
		.hooks = DNAT_HOOKS,
		.checkentry = check_v0,
		.destroy = destroy,
	},
	{
		.name = "DNAT",
		.revision = 1,
		.target = dnat_v1,
		.targetsize = sizeof(struct nf_nat_range),
		.table = "nat",
		.hooks = DNAT_HOOKS,
		.checkentry = check,
		.destroy = destroy,
	},
	{
		.name = "DNAT",
		.revision = 2,
		.target = dnat_v2,
		.targetsize = sizeof(struct nf_nat_range2),
		.table = "nat",
		.hooks = DNAT_HOOKS,
		.checkentry = check,
		.destroy = destroy,
	},
	{
		.name = "MASQUERADE",
		.family = NFPROTO_IPV4,
		.target = masquerade,
		.targetsize = sizeof(struct nf_nat_ipv4_multi_range_compat),
		.table = "nat",
		.hooks = BIT(NF_INET_POST_ROUTING),
		.checkentry = masquerade_check,
		.destroy = destroy,
	},
#if IS_ENABLED(CONFIG_IPV6)
	{
		.name = "MASQUERADE",
		.family = NFPROTO_IPV6,
		.target = masquerade6,
		.targetsize = sizeof(struct nf_nat_range),
		.table = "nat",
		.hooks = BIT(NF_INET_POST_ROUTING),
		.checkentry = masquerade6_check,
		.destroy = destroy,
	},
#endif
};

/**
 * bpfilter_builtin_nat_init() - hear of addresses that go, for MASQUERADE
 *
 * Return: 0 or a negative errno.
 */
int bpfilter_builtin_nat_init(void)
{
	return nf_nat_masquerade_inet_register_notifiers();
}

/**
 * bpfilter_builtin_nat_exit() - do not hear of addresses that go any more
 */
void bpfilter_builtin_nat_exit(void)
{
	nf_nat_masquerade_inet_unregister_notifiers();
}
