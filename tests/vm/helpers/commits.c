// SPDX-License-Identifier: GPL-2.0-only
/*
 * A helper that commits generations, and then does what it should not.
 *
 * The length of a setsockopt of option 64 says what to do; the errno of the
 * private option comes back as the answer.
 */
#include "bpf.h"

enum action {
	DROP = 1,	/* commits programs that drop, answers 0 */
	DROP_REFUSE,	/* commits them, answers EINVAL */
	DROP_EXIT,	/* commits them, exits */
	DROP_HANG,	/* commits them, does not answer */
	DROP_GARBAGE,	/* commits them, answers what is no answer */
	NONE,		/* commits no programs, answers 0 */
	NONE_REFUSE,	/* commits no programs, answers EINVAL */
	TWICE,		/* commits twice */
	RECOVER,	/* asks for what is committed */
	RECOVER_COMMIT,	/* and commits that again */
	BAD_FLAGS,	/* commits flags that do not exist */
	BAD_FILE,	/* commits a descriptor that is not open */
	BAD_PROGRAM,	/* commits a program that is no program */
	TWO_PROGRAMS,	/* commits programs for two hooks of three */
	CONNTRACK,	/* commits programs that accept, and connection tracking */
	FOUR_PROGRAMS,	/* commits a program for a hook that the table has not */
	OTHER_TABLE,	/* commits a table that is not served */
	OTHER_FAMILY,	/* likewise */
	BAD_READS,	/* commits programs that read what nobody knows */
	NO_PACKETS,	/* commits programs without memory for packets */
	FEW_PACKETS,	/* commits too little memory for packets */
	SMALL_PACKETS,	/* commits memory for packets that are too small */
	ODD_PACKETS,	/* commits packets whose size is no multiple of 64 */
	HASH_PACKETS,	/* commits a map that is not contiguous memory */
	POLICY,		/* commits a policy that drops, and no program */
	BOTH,		/* commits a policy where there is a program */
	NO_POLICY,	/* commits a policy that does not exist */
	FEW_COUNTERS,	/* commits a policy that has no counters */
};

/* A hash map of the size that memory for packets has. */
static int hash_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = 4,
		.value_size = PACKETS,
		.max_entries = 1,
	};

	return syscall3(__NR_bpf, BPF_MAP_CREATE, (long)&attr, sizeof(attr));
}

/* Other memory for packets. */
static void set_packets(struct bpfilter_generation *gen, int fd)
{
	syscall3(__NR_close, gen->packets, 0, 0);
	gen->packets = fd;
}

/* Policies for all hooks, and counters for two rules. */
static void set_policies(struct bpfilter_generation *gen, int policy)
{
	int hook;

	for (hook = HOOK_LOCAL_IN; hook <= HOOK_LOCAL_OUT; hook++) {
		syscall3(__NR_close, gen->prog[hook], 0, 0);
		gen->prog[hook] = -1;
		gen->policy[hook] = policy;
		gen->underflow[hook] = 1;
	}
	set_packets(gen, -1);
	syscall3(__NR_close, gen->counters, 0, 0);
	gen->counters_row = 32;
	gen->counters = map(CPUS * gen->counters_row);
}

static long act(unsigned int action)
{
	struct bpfilter_generation gen = generation(map(16));
	long ret;

	if (action != NONE && action != NONE_REFUSE) {
		/* One program, for all hooks. */
		gen.prog[HOOK_LOCAL_IN] = load_verdict(action == CONNTRACK);
		gen.prog[HOOK_FORWARD] = syscall3(__NR_dup, gen.prog[HOOK_LOCAL_IN], 0, 0);
		gen.prog[HOOK_LOCAL_OUT] = syscall3(__NR_dup, gen.prog[HOOK_LOCAL_IN], 0, 0);
		gen.packets = map(PACKETS);
	}

	switch (action) {
	case RECOVER:
	case RECOVER_COMMIT:
		close_all(&gen);
		gen = (struct bpfilter_generation) {
			.family = NFPROTO_IPV4,
			.table = BPFILTER_TABLE_FILTER,
		};
		ret = recover(&gen);
		if (ret)
			return ret;
		if (action == RECOVER_COMMIT)
			ret = commit(&gen);
		break;
	case TWICE:
		ret = commit(&gen);
		if (!ret)
			ret = commit(&gen);
		break;
	case BAD_FLAGS:
		gen.flags = 0x80;
		ret = commit(&gen);
		break;
	case BAD_FILE:
		syscall3(__NR_close, gen.image, 0, 0);
		ret = commit(&gen);
		break;
	case BAD_PROGRAM:
		syscall3(__NR_dup3, gen.counters, gen.prog[HOOK_FORWARD], 0);
		ret = commit(&gen);
		break;
	case TWO_PROGRAMS:
		syscall3(__NR_close, gen.prog[HOOK_FORWARD], 0, 0);
		gen.prog[HOOK_FORWARD] = -1;
		ret = commit(&gen);
		break;
	case FOUR_PROGRAMS:
		gen.prog[0] = syscall3(__NR_dup, gen.prog[HOOK_LOCAL_IN], 0, 0);
		ret = commit(&gen);
		break;
	case OTHER_TABLE:
		gen.table = BPFILTER_TABLES;
		ret = commit(&gen);
		break;
	case OTHER_FAMILY:
		gen.family = 1;
		ret = commit(&gen);
		break;
	case BAD_READS:
		gen.reads[HOOK_LOCAL_OUT] = 1u << 31;
		ret = commit(&gen);
		break;
	case NO_PACKETS:
		set_packets(&gen, -1);
		ret = commit(&gen);
		break;
	case FEW_PACKETS:
		set_packets(&gen, map(BPFILTER_LEVELS * PACKET_SIZE - 8));
		ret = commit(&gen);
		break;
	case SMALL_PACKETS:
		gen.packet_size = 64;
		ret = commit(&gen);
		break;
	case ODD_PACKETS:
		gen.packet_size = PACKET_SIZE - 8;
		ret = commit(&gen);
		break;
	case HASH_PACKETS:
		set_packets(&gen, hash_map());
		ret = commit(&gen);
		break;
	case POLICY:
		set_policies(&gen, BPFILTER_DROP);
		ret = commit(&gen);
		break;
	case BOTH:
		gen.policy[HOOK_FORWARD] = BPFILTER_ACCEPT;
		ret = commit(&gen);
		break;
	case NO_POLICY:
		set_policies(&gen, BPFILTER_CALL);
		ret = commit(&gen);
		break;
	case FEW_COUNTERS:
		set_policies(&gen, BPFILTER_ACCEPT);
		gen.underflow[HOOK_FORWARD] = 2;
		ret = commit(&gen);
		break;
	case CONNTRACK:
		gen.flags = BPFILTER_GEN_CONNTRACK;
		ret = commit(&gen);
		break;
	default:
		ret = commit(&gen);
	}
	close_all(&gen);

	if (ret)
		return ret;
	switch (action) {
	case DROP_REFUSE:
	case NONE_REFUSE:
		return -EINVAL;
	case DROP_EXIT:
		quit(0);
		break;
	case DROP_HANG:
		for (;;)
			next_request();
	case DROP_GARBAGE:
		return 1;
	default:
		break;
	}
	return 0;
}

void _start(void)
{
	serve(act);
}
