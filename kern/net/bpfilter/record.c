// SPDX-License-Identifier: GPL-2.0-only
/*
 * record.c - of the record of a packet, what few rules ask for or few packets have
 *
 * Owns: transport headers that are cut off, not linear or of no protocol that a
 * match asks for; and all fields of struct bpfilter_packet that most tables do
 * without, those of IPv4 included.
 *
 * Promises: a program is told what the match of x_tables would see that asks for
 * it. Each field is told only where it is asked for, or costs next to nothing.
 *
 * Leaves to others: what nearly every packet needs (packet.c, record_ipv6.c).
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/time.h>
#include <linux/timekeeping.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include "record.h"

/**
 * bpfilter_record_rare_header() - a transport header that is cut off, not in the
 *	linear part of the packet, or of no protocol that a match asks for
 * @packet: the record
 * @skb: the packet
 * @protocol: of the header
 * @asked: how many bytes of it the match for the protocol looks at, 0 for none
 * @thoff: where it starts
 *
 * Return: what there is of it, as the descriptor has it; see struct
 * bpfilter_packet.
 */
u64 bpfilter_record_rare_header(struct bpfilter_packet *packet,
				const struct sk_buff *skb, u8 protocol,
				unsigned int asked, unsigned int thoff)
{
	bool whole = (int)(skb->len - thoff) >= (int)asked;
	bool tcp = whole && protocol == IPPROTO_TCP;
	const struct header *header;
	struct header copy;

	set_fields(packet, 0, 0, 0);
	packet->header = BPFILTER_HEADER_PRESENT;
	packet->ports = BPFILTER_HEADER_PRESENT;
	if (!asked)
		return 0;
	if (!whole)
		packet->header = BPFILTER_HEADER_MALFORMED;
	header = skb_header_pointer(skb, thoff, tcp ? sizeof(copy) :
				    offsetof(struct header, others), &copy);
	if (!header) {
		packet->header = BPFILTER_HEADER_MALFORMED;
		packet->ports = BPFILTER_HEADER_MALFORMED;
		return 0;
	}
	set_fields(packet, ntohs(header->source), ntohs(header->dest),
		   tcp ? header->tcp_flags : 0);
	return ports_of(header) | (whole ? BPFILTER_PACKET_TRANSPORT : 0);
}

/* mac_mt(); a program compares what is there. */
static void fill_mac(struct bpfilter_packet *packet, const struct sk_buff *skb)
{
	const u8 *source;
	u16 last;

	packet->field[BPFILTER_FIELD_MAC_FIRST] = 0;
	packet->field[BPFILTER_FIELD_MAC_LAST] = 0;
	if (!skb->dev || skb->dev->type != ARPHRD_ETHER ||
	    !skb_mac_header_was_set(skb) ||
	    skb_mac_header(skb) + ETH_HLEN > skb->data)
		return;
	source = eth_hdr(skb)->h_source;
	memcpy(&packet->field[BPFILTER_FIELD_MAC_FIRST], source, 4);
	memcpy(&last, source + 4, sizeof(last));
	packet->field[BPFILTER_FIELD_MAC_LAST] = last | BPFILTER_MAC_PRESENT;
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
/* What conntrack_mt() and state_mt() compare. */
static u32 connection(const struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	unsigned long status;
	u32 bits;

	if (!ct)
		return ctinfo == IP_CT_UNTRACKED ? XT_CONNTRACK_STATE_UNTRACKED :
						   XT_CONNTRACK_STATE_INVALID;

	bits = BPFILTER_CT_PRESENT | XT_CONNTRACK_STATE_BIT(ctinfo);
	if (CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL)
		bits |= BPFILTER_CT_ORIGINAL;
	status = READ_ONCE(ct->status);
	if (status & IPS_SRC_NAT)
		bits |= XT_CONNTRACK_STATE_SNAT;
	if (status & IPS_DST_NAT)
		bits |= XT_CONNTRACK_STATE_DNAT;
	return bits;
}
#else
static u32 connection(const struct sk_buff *skb)
{
	return 0;
}
#endif

static u32 connection_mark(const struct sk_buff *skb)
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (ct)
		return READ_ONCE(ct->mark);
#endif
	return 0;
}

static u32 realm(const struct sk_buff *skb)
{
#ifdef CONFIG_IP_ROUTE_CLASSID
	const struct dst_entry *dst = skb_dst(skb);

	if (dst)
		return dst->tclassid;
#endif
	return 0;
}

static u32 group(const struct net_device *dev)
{
	return dev ? READ_ONCE(dev->group) : 0;
}

/* time_mt() */
static void fill_time(struct bpfilter_packet *packet)
{
	s64 now = ktime_get_real_seconds();

	packet->time[0] = now;
	packet->time[1] = now - 60 * sys_tz.tz_minuteswest;
}

/**
 * bpfilter_record_rare() - the fields that the families have in common
 * @packet: the record
 * @skb: the packet
 * @state: the hook
 * @reads: what is asked for
 */
void bpfilter_record_rare(struct bpfilter_packet *packet,
			  const struct sk_buff *skb,
			  const struct nf_hook_state *state, u64 reads)
{
	u32 *field = packet->field;

	field[BPFILTER_FIELD_MARK] = skb->mark;
	field[BPFILTER_FIELD_CPU] = packet->cpu;
	if (reads & FIELD(CONNECTION))
		field[BPFILTER_FIELD_CONNECTION] = connection(skb);
	if (reads & FIELD(CONNMARK))
		field[BPFILTER_FIELD_CONNMARK] = connection_mark(skb);
	if (reads & (FIELD(MAC_FIRST) | FIELD(MAC_LAST)))
		fill_mac(packet, skb);
	if (reads & FIELD(IN_GROUP))
		field[BPFILTER_FIELD_IN_GROUP] = group(state->in);
	if (reads & FIELD(OUT_GROUP))
		field[BPFILTER_FIELD_OUT_GROUP] = group(state->out);
	if (reads & FIELD(REALM))
		field[BPFILTER_FIELD_REALM] = realm(skb);
	if (reads & BPFILTER_READS_TIME)
		fill_time(packet);
}

/* pkttype_mt(): a packet over the loopback interface is never unicast. */
static u32 packet_type(const struct sk_buff *skb)
{
	if (skb->pkt_type != PACKET_LOOPBACK)
		return skb->pkt_type;
	return ipv4_is_multicast(ip_hdr(skb)->daddr) ? PACKET_MULTICAST :
						       PACKET_BROADCAST;
}

/**
 * bpfilter_record_rare_ipv4() - all of these fields, of an IPv4 packet
 * @packet: the record
 * @skb: the packet
 * @state: the hook
 * @reads: what is asked for
 */
void bpfilter_record_rare_ipv4(struct bpfilter_packet *packet,
			       const struct sk_buff *skb,
			       const struct nf_hook_state *state, u64 reads)
{
	const struct iphdr *iph = ip_hdr(skb);
	u32 *field = packet->field;

	field[BPFILTER_FIELD_SADDR] = ntohl(iph->saddr);
	field[BPFILTER_FIELD_DADDR] = ntohl(iph->daddr);
	field[BPFILTER_FIELD_PROTOCOL] = iph->protocol;
	field[BPFILTER_FIELD_TTL] = iph->ttl;
	field[BPFILTER_FIELD_TOS] = iph->tos;
	if (reads & FIELD(LENGTH))
		field[BPFILTER_FIELD_LENGTH] = iph_totlen(skb, iph);
	if (reads & FIELD(PKTTYPE))
		field[BPFILTER_FIELD_PKTTYPE] = packet_type(skb);
	bpfilter_record_rare(packet, skb, state, reads);
}

/**
 * bpfilter_packet_reads() - what this kernel can tell a program of a packet
 *
 * Return: BPFILTER_READS_*.
 */
u64 bpfilter_packet_reads(void)
{
	u64 known = BPFILTER_READS_FIELDS | READS_DEVICES |
		    BPFILTER_READS_TRANSPORT | BPFILTER_READS_TIME;

	if (!IS_ENABLED(CONFIG_NF_CONNTRACK))
		known &= ~FIELD(CONNECTION);
	if (!IS_ENABLED(CONFIG_NF_CONNTRACK_MARK))
		known &= ~FIELD(CONNMARK);
	if (!IS_ENABLED(CONFIG_IP_ROUTE_CLASSID))
		known &= ~FIELD(REALM);
	return known;
}
