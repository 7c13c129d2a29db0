// SPDX-License-Identifier: GPL-2.0-only
/*
 * reroute.c - packets that were made here and go another way after their rules
 *
 * Owns: the hook of the tables that may change what decides where such a packet goes:
 * mangle at LOCAL_OUT.
 *
 * Promises: a packet is routed anew where ipt_mangle_out() and ip6t_mangle_out()
 * would do it, and only there.
 *
 * Leaves to others: the rules (packet.c); nat, which does this by itself.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "internal.h"

static bool may_go(unsigned int ret)
{
	unsigned int verdict = ret & NF_VERDICT_MASK;

	return verdict != NF_DROP && verdict != NF_STOLEN;
}

static unsigned int reroute_ipv4(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);
	__be32 saddr = iph->saddr;
	__be32 daddr = iph->daddr;
	u32 mark = skb->mark;
	u8 tos = iph->tos;
	unsigned int ret;
	int err;

	ret = bpfilter_packet_hook(priv, skb, state);
	if (!may_go(ret))
		return ret;
	iph = ip_hdr(skb);
	if (iph->saddr == saddr && iph->daddr == daddr && skb->mark == mark &&
	    iph->tos == tos)
		return ret;
	err = ip_route_me_harder(state->net, state->sk, skb, RTN_UNSPEC);
	return err < 0 ? NF_DROP_ERR(err) : ret;
}

/* Version, traffic class and flow label. */
static __be32 first_word(const struct ipv6hdr *iph)
{
	return *(const __be32 *)iph;
}

static unsigned int reroute_ipv6(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	const struct ipv6hdr before = *ipv6_hdr(skb);
	const struct ipv6hdr *iph;
	u32 mark = skb->mark;
	unsigned int ret;
	int err;

	ret = bpfilter_packet_hook(priv, skb, state);
	if (!may_go(ret))
		return ret;
	iph = ipv6_hdr(skb);
	if (ipv6_addr_equal(&iph->saddr, &before.saddr) &&
	    ipv6_addr_equal(&iph->daddr, &before.daddr) &&
	    skb->mark == mark && iph->hop_limit == before.hop_limit &&
	    first_word(iph) == first_word(&before))
		return ret;
	err = nf_ip6_route_me_harder(state->net, state->sk, skb);
	return err < 0 ? NF_DROP_ERR(err) : ret;
}

/**
 * bpfilter_reroute_hook() - where the rules may change where a packet goes that was
 *	made here
 * @family: NFPROTO_*
 *
 * Return: the function to hook in the place of bpfilter_packet_hook().
 */
nf_hookfn *bpfilter_reroute_hook(u8 family)
{
	return family == NFPROTO_IPV6 ? reroute_ipv6 : reroute_ipv4;
}
