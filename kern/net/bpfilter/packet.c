// SPDX-License-Identifier: GPL-2.0-only
/*
 * packet.c - a packet at a hook: what its program is told, and the run
 *
 * Owns: struct bpfilter_packet, filled as far as a program reads it (record.h says
 * where); the memory of each CPU in which it lies; the loop that runs a program,
 * what it calls, and the program again; and the count by which who swaps a
 * generation knows that no packet is in the old one any more.
 *
 * Promises: a program is told what the match of x_tables would see that asks for
 * it. A packet sees one generation at a hook from its first rule to its verdict.
 * Packets that are sent while another one waits in a target do not touch what
 * that one is told. While a program runs, bottom halves are off and the CPU's lock
 * is held: so it adds to its CPU's counters without atomic operations, and a packet
 * of LOCAL_OUT, which runs in a process, is not interrupted by another one. At a hook
 * where every packet gets to the policy at once no program runs: two counters are
 * added to, in one step each, and bottom halves stay as they are.
 *
 * Leaves to others: what is in a generation (generation.c), matches and targets
 * (extensions.c), and the rules (the programs).
 *
 * A program is of type SCHED_CLS, for which a packet starts at its IP header. It
 * may read the packet by bpf_skb_load_bytes() alone: where its data ends is not
 * put down for it, as IP owns the control block.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/bottom_half.h>
#include <linux/compiler.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/local_lock.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <asm/local64.h>
#include <net/ip.h>
#include "record.h"

/* --- the record: what IPv4 needs ---------------------------------------------- */

/* As fill_header() has it. Of UDP-Lite multiport alone asks, for the ports. */
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
	memcpy(packet->addresses, &iph->addrs, sizeof(iph->addrs));
	if (unlikely(fragment))
		descriptor |= BPFILTER_PACKET_FRAGMENT;
	if (reads & READS_TRANSPORT) {
		packet->transport = thoff;
		if (unlikely(fragment))
			descriptor |= fill_fragment(packet, iph);
		else
			descriptor |= fill_header(packet, skb, protocol,
						  header_len[protocol], thoff,
						  reads);
	}
	packet->descriptor = descriptor;
	if (!(reads & (READS_DEVICES | READS_RARE)))
		return;
	if (reads & READS_DEVICES)
		fill_devices(packet, state);
	if (reads & READS_RARE)
		bpfilter_record_rare_ipv4(packet, skb, state, reads);
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
 * @at_policy: how many packets are at a policy that is all there is at the hook. More
 *	than one where a packet comes in an interrupt of another. Written with preemption
 *	off, by this CPU alone
 */
struct bpfilter_cpu {
	local_lock_t lock;
#ifdef CONFIG_PREEMPT_RT
	struct task_struct *owner;
#endif
	u32 sequence;
	u32 level;
	atomic_t at_policy;
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

static __always_inline bool is_traced(const struct sk_buff *skb)
{
#if BPFILTER_TRACES
	return unlikely(skb->nf_trace);
#else
	return false;
#endif
}

/* Where the names of rules are, if the packet is traced; NULL for nearly all. */
static __always_inline const struct bpfilter_trace *
trace_of(const struct generation *gen, const struct sk_buff *skb)
{
	if (is_traced(skb))
		/* Pairs with the release in name_rules(). */
		return smp_load_acquire(&gen->trace);
	return NULL;
}

/* All that rules ask for, and a target or match may have changed. */
static __always_inline void fill(struct bpfilter_packet *packet,
				 const struct generation *gen,
				 const struct sk_buff *skb,
				 const struct nf_hook_state *state, u32 cpu,
				 u64 reads)
{
	packet->len = skb->len;
	packet->cpu = cpu;
	if (state->pf == NFPROTO_IPV4)
		fill_ipv4(packet, skb, state, reads);
	else
		bpfilter_record_ipv6(packet, skb, state, reads);
	/* What the match cpu asks for is without that. */
	if (trace_of(gen, skb))
		packet->cpu |= BPFILTER_CPU_TRACED;
}

/*
 * A program goes on where it says. That it comes to an end is the promise of who
 * made it, as of who made a table of ip_tables: no rule goes back.
 */
static noinline unsigned int run_called(const struct generation *gen,
					const struct bpfilter_program *program,
					u32 ret, u32 level, struct sk_buff *skb,
					const struct nf_hook_state *state)
{
	u32 cpu = smp_processor_id();
	u32 offset = offset_of(program, cpu, level);
	struct bpfilter_packet *packet = program->packets + offset;
	const struct bpfilter_trace *trace;
	struct xt_action_param par;
	enum bpfilter_called called;
	unsigned int verdict;

	bpfilter_extensions_describe(&par, skb, state);
	for (;;) {
		if (unlikely(ret != BPFILTER_CALL)) {
			if (ret != BPFILTER_TRACE)
				break;
			trace = trace_of(gen, skb);
			if (trace)
				bpfilter_trace_log(trace, gen->desc,
						   program->position,
						   packet->position, skb, state);
			packet->answer = BPFILTER_ANSWER_NONE;
			packet->position |= BPFILTER_POSITION_TOLD;
			ret = run(program, skb, offset);
			continue;
		}
		called = bpfilter_extensions_call(program->extensions, packet,
						  skb, &par, &verdict);
		if (called != BPFILTER_CALLED_MATCH) {
			if (called == BPFILTER_CALLED_VERDICT)
				return verdict;
			if (called == BPFILTER_CALLED_TARGET) {
				packet->answer = BPFILTER_ANSWER_NONE;
				bpfilter_extensions_describe(&par, skb, state);
			}
			fill(packet, gen, skb, state, cpu, program->reads);
		}
		ret = run(program, skb, offset);
	}
	return ret == BPFILTER_ACCEPT && !packet->hotdrop ? NF_ACCEPT : NF_DROP;
}

static noinline unsigned int too_deep(void)
{
	pr_warn_ratelimited("dropped a packet: %u others wait for it\n",
			    BPFILTER_LEVELS);
	return NF_DROP;
}

/* In one step each, as at_policy() may be interrupted by a packet that does the same. */
static __always_inline void count_policy(const struct bpfilter_program *program,
					 const struct sk_buff *skb)
{
	local64_t *counters = program->counters +
			      smp_processor_id() * program->row;

	local64_inc(&counters[0]);
	local64_add(skb->len, &counters[1]);
}

/* All packets of the hook get to its policy at once. */
static __always_inline unsigned int
run_policy(const struct generation *gen, const struct bpfilter_program *program,
	   const struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct bpfilter_trace *trace = trace_of(gen, skb);

	count_policy(program, skb);
	if (unlikely(trace))
		bpfilter_trace_log(trace, gen->desc, program->position,
				   program->underflow, skb, state);
	return program->policy;
}

static __always_inline unsigned int
run_first(const struct generation *gen, const struct bpfilter_program *program,
	  u32 level, struct sk_buff *skb, const struct nf_hook_state *state)
{
	u32 cpu = smp_processor_id();
	u32 offset = offset_of(program, cpu, level);
	struct bpfilter_packet *packet = program->packets + offset;
	u32 ret;

	/* Both at once. */
	BUILD_BUG_ON(offsetof(struct bpfilter_packet, position) + 4 !=
		     offsetof(struct bpfilter_packet, underflow) ||
		     offsetof(struct bpfilter_program, position) + 4 !=
		     offsetof(struct bpfilter_program, underflow));
	unsafe_memcpy(&packet->position, &program->position,
		      sizeof(packet->position) + sizeof(packet->underflow),
		      /* They follow each other, as was just checked. */);
	packet->answer = BPFILTER_ANSWER_NONE;
	packet->depth = 0;
	packet->hotdrop = 0;
	fill(packet, gen, skb, state, cpu, program->reads);
	ret = run(program, skb, offset);
	if (unlikely(ret > BPFILTER_ACCEPT))
		return run_called(gen, program, ret, level, skb, state);
	BUILD_BUG_ON(BPFILTER_ACCEPT != NF_ACCEPT || BPFILTER_DROP != NF_DROP);
	return ret;
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
			return run_first(gen, program, level, skb, state);
		if (program->counters)
			return run_policy(gen, program, skb, state);
	}
	return READ_ONCE(table->drops) & BIT(state->hook) ? NF_DROP : NF_ACCEPT;
}

/* A packet that is sent while another one waits. Bottom halves are off. */
static noinline unsigned int run_inner(const struct bpfilter_table *table,
				       struct sk_buff *skb,
				       const struct nf_hook_state *state,
				       struct bpfilter_cpu *cpu)
{
	unsigned int verdict;
	u32 level = ++cpu->level;

	if (level < BPFILTER_LEVELS)
		verdict = at_hook(table, level, skb, state);
	else
		verdict = too_deep();
	cpu->level--;
	return verdict;
}

/* Bottom halves are off. */
static noinline unsigned int run_rules(const struct bpfilter_table *table,
				       struct sk_buff *skb,
				       const struct nf_hook_state *state)
{
	struct bpfilter_cpu *cpu = this_cpu_ptr(&bpfilter_cpu);
	unsigned int verdict;

	if (unlikely(is_inner(cpu)))
		return run_inner(table, skb, state, cpu);
	local_lock_nested_bh(&bpfilter_cpu.lock);
	set_owner(cpu, current);
	WRITE_ONCE(cpu->sequence, cpu->sequence + 1);
	/* Pairs with the one in bpfilter_packets_wait(). */
	smp_mb();
	verdict = at_hook(table, 0, skb, state);
	/* Behind all use of the generation and of its counters. */
	smp_store_release(&cpu->sequence, cpu->sequence + 1);
	set_owner(cpu, NULL);
	local_unlock_nested_bh(&bpfilter_cpu.lock);
	return verdict;
}

static noinline unsigned int run_in_process(const struct bpfilter_table *table,
					    struct sk_buff *skb,
					    const struct nf_hook_state *state)
{
	unsigned int verdict;

	local_bh_disable();
	verdict = run_rules(table, skb, state);
	local_bh_enable();
	return verdict;
}

/*
 * The way of most packets at a hook without rules. False where it is not the way of
 * this one, as the generation has just changed.
 */
static __always_inline bool at_policy(const struct bpfilter_hook *hook,
				      const struct sk_buff *skb,
				      unsigned int *verdict)
{
	const struct bpfilter_program *program;
	atomic_t *packets;
	int before;

	preempt_disable();
	packets = this_cpu_ptr(&bpfilter_cpu.at_policy);
	/* A full barrier, which pairs with the one in bpfilter_packets_wait(). */
	before = atomic_fetch_inc(packets);
	program = READ_ONCE(hook->policy);
	if (likely(program)) {
		count_policy(program, skb);
		*verdict = program->policy;
	}
	/* Behind all use of the generation and of its counters. */
	atomic_set_release(packets, before);
	preempt_enable();
	return program;
}

/**
 * bpfilter_packet_hook() - a packet at a hook of a table
 * @priv: the struct bpfilter_hook
 * @skb: the packet
 * @state: the hook
 *
 * The generation is looked up only while the CPU says that a packet is there, see
 * bpfilter_packets_wait().
 *
 * Return: the verdict.
 */
unsigned int bpfilter_packet_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	const struct bpfilter_hook *hook = priv;
	unsigned int verdict;

	/* A hint: at_policy() looks again, where it counts. */
	if (data_race(hook->policy) && at_policy(hook, skb, &verdict))
		return verdict;
	if (softirq_count())
		return run_rules(hook->table, skb, state);
	return run_in_process(hook->table, skb, state);
}

/* What its CPU has done before it changed the sequence comes before this. */
static u32 read_sequence(const u32 *sequence)
{
	/* Pairs with the release in run_rules(). */
	return smp_load_acquire(sequence);
}

/* Returns when the packet that is in rules, if there is one, has gone. */
static void wait_for_rules(const struct bpfilter_cpu *cpu)
{
	u32 seen = read_sequence(&cpu->sequence);

	if (!(seen & 1))
		return;
	while (read_sequence(&cpu->sequence) == seen) {
		cond_resched();
		cpu_relax();
	}
}

/* Returns when there has been a moment without a packet at a policy. */
static void wait_for_policies(const struct bpfilter_cpu *cpu)
{
	/* Pairs with the release in at_policy(). */
	while (atomic_read_acquire(&cpu->at_policy)) {
		cond_resched();
		cpu_relax();
	}
}

/**
 * bpfilter_packets_wait() - no packet sees any more what was there before
 *
 * To be called after the pointer to a generation has been changed. When it
 * returns no packet is in the generation before, and none will be; what its
 * programs have counted is final, and can be read.
 *
 * A CPU makes a sequence of its own odd and then reads the pointer; here the pointer
 * is written and then the sequence read, with a full barrier between the two on
 * either side. So a CPU whose sequence is even here has left the old generation,
 * or will read the new pointer; one whose sequence is odd may be in the old one,
 * and is waited for until the sequence changes: the number is even then, or odd
 * for a later packet, which has read the new pointer. The sequence is changed
 * with release and read with acquire, so what the CPU did before comes before
 * what is done here. xt_replace_table() waits in the same way.
 *
 * The number of packets at a policy stands for a sequence: 0 is even. It is soon 0, as
 * a packet is there for a few of the thousands of instructions until the next one.
 *
 * It takes as long as one packet's way through its rules, and interrupts nobody, which
 * an expedited grace period would do to all CPUs.
 *
 * Context: process context, may sleep.
 */
void bpfilter_packets_wait(void)
{
	const struct bpfilter_cpu *cpu;
	unsigned int i;

	/* Pairs with those in run_rules() and at_policy(). */
	smp_mb();
	for_each_possible_cpu(i) {
		cpu = per_cpu_ptr(&bpfilter_cpu, i);
		wait_for_rules(cpu);
		wait_for_policies(cpu);
	}
}
