// SPDX-License-Identifier: GPL-2.0-only
/*
 * record_ipv6.c - the record of an IPv6 packet
 *
 * Owns: what a program is told of an IPv6 packet: where its chain of headers ends,
 * and what of it differs from IPv4.
 *
 * Promises: as record.c. The chain is followed only for programs that ask for what
 * is at its end, and then in the way of ip6_packet_match().
 */
#include <linux/icmpv6.h>
#include <linux/if_packet.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/dsfield.h>
#include <net/ipv6.h>
#include "record.h"

/* In header_len: an extension header, behind which the chain goes on. */
#define CHAIN	0xff

/*
 * As fill_header() has it, for what may end a chain. What ends one with no header,
 * NEXTHDR_NONE, is as a protocol that no match asks for.
 */
static const u8 header_len[256] = {
	[NEXTHDR_HOP] = CHAIN,
	[NEXTHDR_ROUTING] = CHAIN,
	[NEXTHDR_FRAGMENT] = CHAIN,
	[NEXTHDR_AUTH] = CHAIN,
	[NEXTHDR_DEST] = CHAIN,
	[IPPROTO_ICMPV6] = sizeof(struct icmp6hdr),
	[IPPROTO_TCP] = sizeof(struct tcphdr),
	[IPPROTO_UDP] = sizeof(struct udphdr),
	[IPPROTO_DCCP] = 12,
	[IPPROTO_ESP] = 8,
	[IPPROTO_SCTP] = 12,
	[IPPROTO_UDPLITE] = 4,
};

/* In tables whose rules name addresses programs ask for their words. */
#define READS_ADDRESSES	GENMASK_ULL(BPFILTER_FIELD_DADDR + 3, \
				    BPFILTER_FIELD_SADDR)

static __always_inline void fill_address(u32 *field, const struct in6_addr *addr)
{
	field[0] = ntohl(addr->s6_addr32[0]);
	field[1] = ntohl(addr->s6_addr32[1]);
	field[2] = ntohl(addr->s6_addr32[2]);
	field[3] = ntohl(addr->s6_addr32[3]);
}

/* length_mt6(), pkttype_mt() */
static noinline void fill_rare(struct bpfilter_packet *packet,
			       const struct sk_buff *skb,
			       const struct nf_hook_state *state, u64 reads)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb);
	u32 *field = packet->field;

	field[BPFILTER_FIELD_TTL] = iph->hop_limit;
	field[BPFILTER_FIELD_TOS] = ipv6_get_dsfield(iph);
	field[BPFILTER_FIELD_LENGTH] = skb->len;
	field[BPFILTER_FIELD_PKTTYPE] = skb->pkt_type == PACKET_LOOPBACK ?
					PACKET_MULTICAST : skb->pkt_type;
	bpfilter_record_rare(packet, skb, state, reads);
}

/*
 * A packet with extension headers. Returns what the descriptor has of it. Whatever
 * ipv6_find_hdr() fails on, it leaves the fragment's offset 0: a rule that asks for
 * the protocol drops the packet.
 */
static noinline u64 fill_chain(struct bpfilter_packet *packet,
			       const struct sk_buff *skb, u64 reads)
{
	unsigned short fragoff;
	unsigned int thoff = 0;
	int protocol;

	protocol = ipv6_find_hdr(skb, &thoff, -1, &fragoff, NULL);
	if (protocol < 0) {
		packet->transport = 0;
		packet->header = BPFILTER_HEADER_BROKEN;
		packet->ports = BPFILTER_HEADER_BROKEN;
		set_fields(packet, 0, 0, 0);
		packet->field[BPFILTER_FIELD_PROTOCOL] = 0;
		return 0;
	}
	packet->transport = thoff;
	packet->field[BPFILTER_FIELD_PROTOCOL] = protocol;
	if (fragoff) {
		packet->header = BPFILTER_HEADER_ABSENT;
		packet->ports = BPFILTER_HEADER_ABSENT;
		set_fields(packet, 0, 0, 0);
		return protocol | BPFILTER_PACKET_FRAGMENT;
	}
	return protocol | fill_header(packet, skb, protocol,
				      header_len[protocol], thoff, reads);
}

/**
 * bpfilter_record_ipv6() - what a program is told of an IPv6 packet
 * @packet: the record
 * @skb: the packet
 * @state: the hook
 * @reads: what the program asks for
 */
void bpfilter_record_ipv6(struct bpfilter_packet *packet,
			  const struct sk_buff *skb,
			  const struct nf_hook_state *state, u64 reads)
{
	const struct ipv6hdr *iph = ipv6_hdr(skb);
	u8 protocol = iph->nexthdr;
	u8 asked = header_len[protocol];

	/* Side by side in the header and in the record. */
	BUILD_BUG_ON(sizeof(packet->addresses) != sizeof(iph->addrs));
	memcpy(packet->addresses, &iph->addrs, sizeof(iph->addrs));
	if (!(reads & (READS_TRANSPORT | FIELD(PROTOCOL)))) {
		packet->descriptor = 0;
	} else if (unlikely(asked == CHAIN)) {
		packet->descriptor = fill_chain(packet, skb, reads);
	} else {
		packet->transport = sizeof(*iph);
		packet->field[BPFILTER_FIELD_PROTOCOL] = protocol;
		packet->descriptor = protocol |
				     fill_header(packet, skb, protocol, asked,
						 sizeof(*iph), reads);
	}
	if (reads & READS_DEVICES)
		fill_devices(packet, state);
	if (reads & READS_ADDRESSES) {
		fill_address(&packet->field[BPFILTER_FIELD_SADDR], &iph->saddr);
		fill_address(&packet->field[BPFILTER_FIELD_DADDR], &iph->daddr);
	}
	if (reads & READS_RARE & ~(READS_ADDRESSES | FIELD(PROTOCOL)))
		fill_rare(packet, skb, state, reads);
}
