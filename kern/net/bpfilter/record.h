/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * record.h - struct bpfilter_packet, the record of a packet: what its parts share
 *
 *	packet.c	what IPv4 needs of nearly every packet
 *	record_ipv6.c	what IPv6 needs
 *	record.c	what few rules ask for, or few packets have
 */
#ifndef _NET_BPFILTER_RECORD_H
#define _NET_BPFILTER_RECORD_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/if.h>
#include <linux/in.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <linux/swab.h>
#include <linux/types.h>
#include <linux/unaligned.h>
#include "internal.h"

#define FIELD(name)	BIT_ULL(BPFILTER_FIELD_##name)

/* What needs a look at the transport header, and at nothing else. */
#define READS_HEADER_FIELDS (FIELD(SPORT) | FIELD(DPORT) | FIELD(TCP_FLAGS))
#define READS_TRANSPORT	(BPFILTER_READS_TRANSPORT | READS_HEADER_FIELDS)
#define READS_DEVICES	(BPFILTER_READS_IN | BPFILTER_READS_OUT)
/* All others, which few rules ask for. */
#define READS_RARE	((BPFILTER_READS_FIELDS | BPFILTER_READS_TIME) & \
			 ~READS_TRANSPORT)

/* How every transport header starts, and where TCP has its flags. */
struct header {
	__be16 source;
	__be16 dest;
	u8 others[9];
	u8 tcp_flags;
};

/* record.c */
u64 bpfilter_record_rare_header(struct bpfilter_packet *packet,
				const struct sk_buff *skb, u8 protocol,
				unsigned int asked, unsigned int thoff);
void bpfilter_record_rare(struct bpfilter_packet *packet,
			  const struct sk_buff *skb,
			  const struct nf_hook_state *state, u64 reads);
void bpfilter_record_rare_ipv4(struct bpfilter_packet *packet,
			       const struct sk_buff *skb,
			       const struct nf_hook_state *state, u64 reads);

/* record_ipv6.c */
#if IS_ENABLED(CONFIG_IPV6)
void bpfilter_record_ipv6(struct bpfilter_packet *packet,
			  const struct sk_buff *skb,
			  const struct nf_hook_state *state, u64 reads);
#else
static inline void bpfilter_record_ipv6(struct bpfilter_packet *packet,
					const struct sk_buff *skb,
					const struct nf_hook_state *state,
					u64 reads)
{
}
#endif

/* Fields that few rules ask for, as the descriptor has the ports. */
static inline void set_fields(struct bpfilter_packet *packet, u16 source,
			      u16 dest, u8 tcp_flags)
{
	packet->field[BPFILTER_FIELD_SPORT] = source;
	packet->field[BPFILTER_FIELD_DPORT] = dest;
	packet->field[BPFILTER_FIELD_TCP_FLAGS] = tcp_flags;
}

/* Both at once: what is the higher half in the header is the lower one there. */
static inline u64 ports_of(const struct header *header)
{
	BUILD_BUG_ON(BPFILTER_PACKET_SPORT + 16 != BPFILTER_PACKET_DPORT);
	return (u64)swahw32(get_unaligned_be32(header)) <<
	       BPFILTER_PACKET_SPORT;
}

/*
 * The transport header: what of it the descriptor has. @asked says how much of it
 * the match for the protocol looks at: a packet that has less is dropped by the
 * rule. 0 where there is no such match. Nearly always it is there, in the linear part
 * of the packet.
 */
static __always_inline u64 fill_header(struct bpfilter_packet *packet,
				       const struct sk_buff *skb, u8 protocol,
				       int asked, unsigned int thoff, u64 reads)
{
	const struct header *header = (const void *)skb->data + thoff;
	int there = skb_headlen(skb) - thoff;

	if (unlikely(!asked || there < asked))
		return bpfilter_record_rare_header(packet, skb, protocol,
						   asked, thoff);
	packet->header = BPFILTER_HEADER_PRESENT;
	packet->ports = BPFILTER_HEADER_PRESENT;
	if (reads & READS_HEADER_FIELDS)
		set_fields(packet, ntohs(header->source), ntohs(header->dest),
			   protocol == IPPROTO_TCP ? header->tcp_flags : 0);
	return ports_of(header) | BPFILTER_PACKET_TRANSPORT;
}

static inline void fill_name(u8 *name, const struct net_device *dev)
{
	BUILD_BUG_ON(sizeof_field(struct bpfilter_packet, input) != IFNAMSIZ);
	if (dev)
		memcpy(name, dev->name, IFNAMSIZ);
	else
		memset(name, 0, IFNAMSIZ);
}

static inline void fill_devices(struct bpfilter_packet *packet,
				const struct nf_hook_state *state)
{
	fill_name(packet->input, state->in);
	fill_name(packet->output, state->out);
}

#endif /* _NET_BPFILTER_RECORD_H */
