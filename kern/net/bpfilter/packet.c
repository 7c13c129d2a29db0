// SPDX-License-Identifier: GPL-2.0-only
/*
 * packet.c - a packet at a hook: what its program is told, and the run
 *
 * Owns: struct bpfilter_packet, filled as far as a program reads it; the memory
 * of each CPU in which it lies; the loop that runs a program, what it calls, and
 * the program again; and the count by which who swaps a generation knows that
 * no packet is in the old one any more.
 *
 * Promises: a program is told what the match of x_tables would see that asks for
 * it. A packet sees one generation at a hook from its first rule to its verdict.
 * Packets that are sent while another one waits in a target do not touch what
 * that one is told. Bottom halves are off, and a lock of the CPU is held: a program's
 * counters are plain memory of its CPU, and what LOCAL_OUT does in a process no
 * other packet may interrupt.
 *
 * Leaves to others: what is in a generation (generation.c), matches and targets
 * (extensions.c), and the rules (the programs).
 *
 * A program is of type SCHED_CLS, for which a packet starts at its IP header. It
 * may read the packet by bpf_skb_load_bytes() alone: where its data ends is not
 * put down for it, as IP owns the control block.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bits.h>
#include <linux/bottom_half.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/local_lock.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter_ipv4.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/swab.h>
#include <linux/tcp.h>
#include <linux/time.h>
#include <linux/timekeeping.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include "internal.h"

#define FIELD(name)	BIT_ULL(BPFILTER_FIELD_##name)

/* What needs a look at the transport header, and at nothing else. */
#define READS_HEADER_FIELDS (FIELD(SPORT) | FIELD(DPORT) | FIELD(TCP_FLAGS))
#define READS_TRANSPORT	(BPFILTER_READS_TRANSPORT | READS_HEADER_FIELDS)
#define READS_DEVICES	(BPFILTER_READS_IN | BPFILTER_READS_OUT)
/* All others, which few rules ask for. */
#define READS_RARE	((BPFILTER_READS_FIELDS | BPFILTER_READS_TIME) & \
			 ~READS_TRANSPORT)

/* --- the transport header --------------------------------------------------- */

/*
 * How much of the transport header the match for a protocol looks at: a packet
 * that has less is dropped by the rule. 0 where there is no such match. Of UDP-Lite
 * multiport alone asks, for the ports.
 */
static const u8 header_len[256] = {
	[IPPROTO_ICMP] = sizeof(struct icmphdr),
	[IPPROTO_TCP] = sizeof(struct tcphdr),
	[IPPROTO_UDP] = sizeof(struct udphdr),
	[IPPROTO_DCCP] = 12,
	[IPPROTO_ESP] = 8,
	[IPPROTO_AH] = 12,
	[IPPROTO_SCTP] = 12,
	[IPPROTO_UDPLITE] = 4,
};

/* How every transport header starts, and where TCP has its flags. */
struct header {
	__be16 source;
	__be16 dest;
	u8 others[9];
	u8 tcp_flags;
};

/* Fields that few rules ask for, as the descriptor has the ports. */
static void set_fields(struct bpfilter_packet *packet, u16 source, u16 dest,
		       u8 tcp_flags)
{
	packet->field[BPFILTER_FIELD_SPORT] = source;
	packet->field[BPFILTER_FIELD_DPORT] = dest;
	packet->field[BPFILTER_FIELD_TCP_FLAGS] = tcp_flags;
}

/* Both at once: what is the higher half in the header is the lower one there. */
static u64 ports_of(const struct header *header)
{
	BUILD_BUG_ON(BPFILTER_PACKET_SPORT + 16 != BPFILTER_PACKET_DPORT);
	return (u64)swahw32(get_unaligned_be32(header)) <<
	       BPFILTER_PACKET_SPORT;
}

/*
 * A header that is cut off, not in the linear part of the packet, or of no protocol
 * that a match asks for. What there is of it, as the descriptor has it; see struct
 * bpfilter_packet.
 */
static noinline u64 fill_rare_header(struct bpfilter_packet *packet,
				     const struct sk_buff *skb, u8 protocol,
				     unsigned int thoff)
{
	bool whole = (int)(skb->len - thoff) >= header_len[protocol];
	bool tcp = whole && protocol == IPPROTO_TCP;
	const struct header *header;
	struct header copy;

	set_fields(packet, 0, 0, 0);
	packet->header = BPFILTER_HEADER_PRESENT;
	packet->ports = BPFILTER_HEADER_PRESENT;
	if (!header_len[protocol])
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

/* A later fragment has no header, but tcp drops one that starts at byte 8. */
static noinline u64 fill_fragment(struct bpfilter_packet *packet,
				  const struct iphdr *iph)
{
	unsigned int fragoff = ntohs(iph->frag_off) & IP_OFFSET;

	packet->header = iph->protocol == IPPROTO_TCP && fragoff == 1 ?
			 BPFILTER_HEADER_MALFORMED : BPFILTER_HEADER_ABSENT;
	packet->ports = BPFILTER_HEADER_ABSENT;
	set_fields(packet, 0, 0, 0);
	return 0;
}

/* The same for a header that is there, as it nearly always is. */
static __always_inline u64 fill_header(struct bpfilter_packet *packet,
				       const struct sk_buff *skb, u8 protocol,
				       unsigned int thoff, u64 reads)
{
	const struct header *header = (const void *)skb->data + thoff;
	int there = skb_headlen(skb) - thoff;
	int asked = header_len[protocol];

	if (unlikely(!asked || there < asked))
		return fill_rare_header(packet, skb, protocol, thoff);
	packet->header = BPFILTER_HEADER_PRESENT;
	packet->ports = BPFILTER_HEADER_PRESENT;
	if (reads & READS_HEADER_FIELDS)
		set_fields(packet, ntohs(header->source), ntohs(header->dest),
			   protocol == IPPROTO_TCP ? header->tcp_flags : 0);
	return ports_of(header) | BPFILTER_PACKET_TRANSPORT;
}

/* --- devices ---------------------------------------------------------------- */

static void fill_name(u8 *name, const struct net_device *dev)
{
	BUILD_BUG_ON(sizeof_field(struct bpfilter_packet, input) != IFNAMSIZ);
	if (dev)
		memcpy(name, dev->name, IFNAMSIZ);
	else
		memset(name, 0, IFNAMSIZ);
}

static void fill_devices(struct bpfilter_packet *packet,
			 const struct nf_hook_state *state)
{
	fill_name(packet->input, state->in);
	fill_name(packet->output, state->out);
}

/* --- what few rules ask for ------------------------------------------------- */

/* pkttype_mt(): a packet over the loopback interface is never unicast. */
static u32 packet_type(const struct sk_buff *skb)
{
	if (skb->pkt_type != PACKET_LOOPBACK)
		return skb->pkt_type;
	return ipv4_is_multicast(ip_hdr(skb)->daddr) ? PACKET_MULTICAST :
						       PACKET_BROADCAST;
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

/*
 * Each costs little once one of them is asked for, but out of line: most tables
 * ask for none.
 */
static noinline void fill_rare(struct bpfilter_packet *packet,
			       const struct sk_buff *skb,
			       const struct nf_hook_state *state, u64 reads)
{
	const struct iphdr *iph = ip_hdr(skb);
	u32 *field = packet->field;

	field[BPFILTER_FIELD_SADDR] = ntohl(iph->saddr);
	field[BPFILTER_FIELD_DADDR] = ntohl(iph->daddr);
	field[BPFILTER_FIELD_PROTOCOL] = iph->protocol;
	field[BPFILTER_FIELD_MARK] = skb->mark;
	field[BPFILTER_FIELD_TTL] = iph->ttl;
	field[BPFILTER_FIELD_TOS] = iph->tos;
	field[BPFILTER_FIELD_CPU] = packet->cpu;
	if (reads & FIELD(LENGTH))
		field[BPFILTER_FIELD_LENGTH] = iph_totlen(skb, iph);
	if (reads & FIELD(PKTTYPE))
		field[BPFILTER_FIELD_PKTTYPE] = packet_type(skb);
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

/* --- the record ------------------------------------------------------------- */

static __always_inline void fill_ipv4(struct bpfilter_packet *packet,
				      const struct sk_buff *skb,
				      const struct nf_hook_state *state,
				      u64 reads)
{
	const struct iphdr *iph = ip_hdr(skb);
	bool fragment = iph->frag_off & htons(IP_OFFSET);
	unsigned int thoff = iph->ihl * 4;
	u8 protocol = iph->protocol;
	u64 descriptor = protocol;

	/* Side by side in the header and as one number in the record. */
	memcpy(packet->addresses, &iph->saddr, sizeof(*packet->addresses));
	if (unlikely(fragment))
		descriptor |= BPFILTER_PACKET_FRAGMENT;
	if (reads & READS_TRANSPORT) {
		packet->transport = thoff;
		if (unlikely(fragment))
			descriptor |= fill_fragment(packet, iph);
		else
			descriptor |= fill_header(packet, skb, protocol, thoff,
						  reads);
	}
	packet->descriptor = descriptor;
	if (reads & READS_DEVICES)
		fill_devices(packet, state);
	if (reads & READS_RARE)
		fill_rare(packet, skb, state, reads);
}

/* All that rules ask for, and a target may have changed. */
static __always_inline void fill(struct bpfilter_packet *packet,
				 const struct sk_buff *skb,
				 const struct nf_hook_state *state, u64 reads)
{
	switch (state->pf) {
	case NFPROTO_IPV4:
		fill_ipv4(packet, skb, state, reads);
		break;
	}
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

/* --- the run ---------------------------------------------------------------- */

/**
 * struct bpfilter_cpu - the packets of one CPU, of all tables and namespaces
 * @lock: who has it has what follows, the CPU's pieces of all records and its
 *	counters. It is taken with bottom halves off, and costs nothing where that
 *	keeps others off the CPU; with PREEMPT_RT it does not since Linux 6.18
 * @owner: the task that has @lock, with PREEMPT_RT; a packet that is sent while
 *	another one waits is the same task's
 * @sequence: odd while there is a packet. Written under @lock, read by who waits
 * @level: how many there are but the first, each sent by a target of the one
 *	before
 */
struct bpfilter_cpu {
	local_lock_t lock;
#ifdef CONFIG_PREEMPT_RT
	struct task_struct *owner;
#endif
	u32 sequence;
	u32 level;
};

static DEFINE_PER_CPU(struct bpfilter_cpu, bpfilter_cpu) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

#ifdef CONFIG_PREEMPT_RT
static bool is_inner(const struct bpfilter_cpu *cpu)
{
	return READ_ONCE(cpu->owner) == current;
}

static void set_owner(struct bpfilter_cpu *cpu, struct task_struct *owner)
{
	WRITE_ONCE(cpu->owner, owner);
}
#else
static bool is_inner(const struct bpfilter_cpu *cpu)
{
	return cpu->sequence & 1;
}

static void set_owner(struct bpfilter_cpu *cpu, struct task_struct *owner)
{
}
#endif

/* A packet comes. Returns on which level it is. Bottom halves are off. */
static __always_inline u32 enter(void)
{
	struct bpfilter_cpu *cpu = this_cpu_ptr(&bpfilter_cpu);

	if (unlikely(is_inner(cpu)))
		return ++cpu->level;
	local_lock_nested_bh(&bpfilter_cpu.lock);
	set_owner(cpu, current);
	WRITE_ONCE(cpu->sequence, cpu->sequence + 1);
	return 0;
}

/* It goes. */
static __always_inline void leave(u32 level)
{
	struct bpfilter_cpu *cpu = this_cpu_ptr(&bpfilter_cpu);

	if (unlikely(level)) {
		cpu->level--;
		return;
	}
	/* Behind all use of the generation and of its counters. */
	smp_store_release(&cpu->sequence, cpu->sequence + 1);
	set_owner(cpu, NULL);
	local_unlock_nested_bh(&bpfilter_cpu.lock);
}

/*
 * Where in the map the record lies is said in the control block that programs
 * see. It is IP's own before and after.
 */
static __always_inline u32 run(const struct bpfilter_program *program,
			       struct sk_buff *skb, u32 offset)
{
	u32 *cb = (u32 *)bpf_skb_cb(skb);
	u32 saved = *cb;
	u32 ret;

	*cb = offset;
	ret = bpf_prog_run(program->prog, skb);
	*cb = saved;
	return ret;
}

/* Where its memory for the packets of this CPU is. */
static __always_inline u32 offset_of(const struct bpfilter_program *program,
				     u32 cpu, u32 level)
{
	return (cpu * BPFILTER_LEVELS + level) * program->packet_size;
}

/*
 * A program goes on where it says. That it comes to an end is the promise of who
 * made it, as of who made a table of ip_tables: no rule goes back.
 */
static noinline unsigned int run_called(const struct bpfilter_program *program,
					u32 level, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	u32 offset = offset_of(program, smp_processor_id(), level);
	struct bpfilter_packet *packet = program->packets + offset;
	struct xt_action_param par;
	unsigned int verdict;
	u32 ret;

	bpfilter_extensions_describe(&par, skb, state);
	do {
		switch (bpfilter_extensions_call(program->extensions, packet,
						 skb, &par, &verdict)) {
		case BPFILTER_CALLED_VERDICT:
			return verdict;
		case BPFILTER_CALLED_MATCH:
			break;
		case BPFILTER_CALLED_TARGET:
			packet->answer = BPFILTER_ANSWER_NONE;
			packet->len = skb->len;
			fill(packet, skb, state, program->reads);
			bpfilter_extensions_describe(&par, skb, state);
			break;
		}
		ret = run(program, skb, offset);
	} while (ret == BPFILTER_CALL);

	return ret == BPFILTER_ACCEPT && !packet->hotdrop ? NF_ACCEPT : NF_DROP;
}

static noinline unsigned int too_deep(void)
{
	pr_warn_ratelimited("dropped a packet: %u others wait for it\n",
			    BPFILTER_LEVELS);
	return NF_DROP;
}

/* All packets of the hook get to its policy at once. */
static __always_inline unsigned int
run_policy(const struct bpfilter_program *program, const struct sk_buff *skb)
{
	u64 *counters = program->counters + smp_processor_id() * program->row;

	counters[0]++;
	counters[1] += skb->len;
	return program->policy;
}

static __always_inline unsigned int
run_first(const struct bpfilter_program *program, u32 level,
	  struct sk_buff *skb, const struct nf_hook_state *state)
{
	u32 cpu = smp_processor_id();
	u32 offset = offset_of(program, cpu, level);
	struct bpfilter_packet *packet = program->packets + offset;
	u32 ret;

	if (unlikely(level >= BPFILTER_LEVELS))
		return too_deep();
	packet->position = program->position;
	packet->underflow = program->underflow;
	packet->answer = BPFILTER_ANSWER_NONE;
	packet->depth = 0;
	packet->hotdrop = 0;
	packet->len = skb->len;
	packet->cpu = cpu;
	fill(packet, skb, state, program->reads);
	ret = run(program, skb, offset);
	if (unlikely(ret == BPFILTER_CALL))
		return run_called(program, level, skb, state);
	BUILD_BUG_ON(BPFILTER_ACCEPT != NF_ACCEPT || BPFILTER_DROP != NF_DROP);
	return ret & BPFILTER_ACCEPT;
}

static __always_inline unsigned int
at_hook(const struct bpfilter_table *table, u32 level, struct sk_buff *skb,
	const struct nf_hook_state *state)
{
	const struct generation *gen = READ_ONCE(table->active);
	const struct bpfilter_program *program;

	if (gen) {
		program = &gen->program[state->hook];
		if (program->prog)
			return run_first(program, level, skb, state);
		if (program->counters)
			return run_policy(program, skb);
	}
	return READ_ONCE(table->drops) & BIT(state->hook) ? NF_DROP : NF_ACCEPT;
}

/**
 * bpfilter_packet_hook() - a packet at a hook of a table
 * @priv: the struct bpfilter_table
 * @skb: the packet
 * @state: the hook
 *
 * The generation is looked up only while the CPU's sequence is odd, see
 * bpfilter_packets_wait().
 *
 * Return: the verdict.
 */
unsigned int bpfilter_packet_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	const struct bpfilter_table *table = priv;
	/* In a softirq they are off already. */
	bool process = !softirq_count();
	unsigned int verdict;
	u32 level;

	if (process)
		local_bh_disable();
	level = enter();
	/* Pairs with the one in bpfilter_packets_wait(). */
	smp_mb();
	verdict = at_hook(table, level, skb, state);
	leave(level);
	if (process)
		local_bh_enable();
	return verdict;
}

/**
 * bpfilter_packet_hook_reroute() - likewise, where what the rules change decides
 *	where a packet goes that was made here
 * @priv: the struct bpfilter_table
 * @skb: the packet
 * @state: the hook
 *
 * To the letter ipt_mangle_out().
 *
 * Return: the verdict.
 */
unsigned int bpfilter_packet_hook_reroute(void *priv, struct sk_buff *skb,
					  const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);
	unsigned int verdict, ret;
	__be32 saddr = iph->saddr;
	__be32 daddr = iph->daddr;
	u32 mark = skb->mark;
	u8 tos = iph->tos;
	int err;

	ret = bpfilter_packet_hook(priv, skb, state);
	verdict = ret & NF_VERDICT_MASK;
	if (verdict == NF_DROP || verdict == NF_STOLEN)
		return ret;
	iph = ip_hdr(skb);
	if (iph->saddr == saddr && iph->daddr == daddr && skb->mark == mark &&
	    iph->tos == tos)
		return ret;
	err = ip_route_me_harder(state->net, state->sk, skb, RTN_UNSPEC);
	return err < 0 ? NF_DROP_ERR(err) : ret;
}

/* What its CPU has done before it changed the sequence comes before this. */
static u32 read_sequence(const struct bpfilter_cpu *cpu)
{
	/* Pairs with the release in leave(). */
	return smp_load_acquire(&cpu->sequence);
}

/**
 * bpfilter_packets_wait() - no packet sees any more what was there before
 *
 * To be called after the pointer to a generation has been changed. When it
 * returns no packet is in the generation before, and none will be; what its
 * programs have counted is final, and can be read.
 *
 * A CPU makes its sequence odd and then reads the pointer; here the pointer is
 * written and then the sequence read, with a full barrier between the two on
 * either side. So a CPU whose sequence is even here has left the old generation,
 * or will read the new pointer; one whose sequence is odd may be in the old one,
 * and is waited for until the sequence changes: the number is even then, or odd
 * for a later packet, which has read the new pointer. The sequence is changed
 * with release and read with acquire, so what the CPU did before comes before
 * what is done here. xt_replace_table() waits in the same way. It takes as long
 * as one packet's way through its rules, and interrupts nobody, which an
 * expedited grace period would do to all CPUs.
 *
 * Context: process context, may sleep.
 */
void bpfilter_packets_wait(void)
{
	const struct bpfilter_cpu *cpu;
	unsigned int i;
	u32 seen;

	/* Pairs with the one in bpfilter_packet_hook(). */
	smp_mb();
	for_each_possible_cpu(i) {
		cpu = per_cpu_ptr(&bpfilter_cpu, i);
		seen = read_sequence(cpu);
		if (!(seen & 1))
			continue;
		while (read_sequence(cpu) == seen) {
			cond_resched();
			cpu_relax();
		}
	}
}
