// SPDX-License-Identifier: GPL-2.0-only
/*
 * A helper that commits generations, and then does what it should not.
 *
 * The length of a setsockopt of option 64 says what to do; the errno of the
 * private option comes back as the answer.
 */
#include <linux/bpf.h>
#include "start.h"

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
};

/* Later than the headers of some distributions. */
#define PROG_TYPE_NETFILTER	32
#define ATTACH_NETFILTER	45

#define AF_INET		2
#define SOCK_DGRAM	2
#define SOL_IP		0
#define EINVAL		22

static int sock;

static long syscall5(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

static int load(int verdict)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = PROG_TYPE_NETFILTER,
		.expected_attach_type = ATTACH_NETFILTER,
		.insn_cnt = 2,
		.insns = (long)code,
		.license = (long)"GPL",
	};

	return syscall3(__NR_bpf, BPF_PROG_LOAD, (long)&attr, sizeof(attr));
}

static int map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 16,
		.max_entries = 1,
	};

	return syscall3(__NR_bpf, BPF_MAP_CREATE, (long)&attr, sizeof(attr));
}

static void close_all(const struct bpfilter_generation *gen)
{
	int i;

	for (i = 0; i < BPFILTER_HOOKS; i++)
		syscall3(__NR_close, gen->prog[i], 0, 0);
	syscall3(__NR_close, gen->counters, 0, 0);
	syscall3(__NR_close, gen->table, 0, 0);
}

static long commit(const struct bpfilter_generation *gen)
{
	return syscall5(__NR_setsockopt, sock, SOL_IP, BPFILTER_SO_COMMIT,
			(long)gen, sizeof(*gen));
}

static long recover(struct bpfilter_generation *gen)
{
	int len = sizeof(*gen);

	return syscall5(__NR_getsockopt, sock, SOL_IP, BPFILTER_SO_RECOVER,
			(long)gen, (long)&len);
}

static long act(enum action action)
{
	struct bpfilter_generation gen = {
		.prog = { -1, -1, -1 },
		.counters = map(),
		.table = syscall3(__NR_memfd_create, (long)"table", 0, 0),
	};
	long ret;
	int i;

	if (action != NONE && action != NONE_REFUSE) {
		for (i = 0; i < BPFILTER_HOOKS; i++)
			gen.prog[i] = load(action == CONNTRACK);
	}

	switch (action) {
	case RECOVER:
	case RECOVER_COMMIT:
		close_all(&gen);
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
		syscall3(__NR_close, gen.table, 0, 0);
		ret = commit(&gen);
		break;
	case BAD_PROGRAM:
		syscall3(__NR_dup2, gen.counters, gen.prog[1], 0);
		ret = commit(&gen);
		break;
	case TWO_PROGRAMS:
		syscall3(__NR_close, gen.prog[2], 0, 0);
		gen.prog[2] = -1;
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
	struct bpfilter_request req;

	sock = syscall3(__NR_socket, AF_INET, SOCK_DGRAM, 0);
	for (;;) {
		req = next_request();
		if (req.cmd == BPFILTER_CMD_PING)
			answer(0);
		else if (req.is_set)
			answer(act(req.len));
		else
			answer(-2);
	}
}
