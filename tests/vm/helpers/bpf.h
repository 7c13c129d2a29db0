/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf.h - what a stand-in for the helper needs to commit programs of its own
 */
#ifndef BPF_H
#define BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include "start.h"

#define AF_INET		2
#define SOCK_DGRAM	2
#define SOL_IP		0
#define NFPROTO_IPV4	2
#define EINVAL		22

#define HOOK_LOCAL_IN	1
#define HOOK_FORWARD	2
#define HOOK_LOCAL_OUT	3

/* As many as the kernel is configured for, or more. */
#define CPUS		4
/* More than the record needs, as the real helper keeps things behind it. */
#define PACKET_SIZE	512
#define PACKETS		(CPUS * BPFILTER_LEVELS * PACKET_SIZE)

_Static_assert(sizeof(struct bpfilter_packet) <= PACKET_SIZE, "a packet fits");

static int sock;

static inline int load(const struct bpf_insn *code, int len)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SCHED_CLS,
		.insn_cnt = len,
		.insns = (unsigned long)code,
		.license = (unsigned long)"GPL",
	};

	return syscall3(__NR_bpf, BPF_PROG_LOAD, (long)&attr, sizeof(attr));
}

/* A program that ends with one verdict. */
static inline int load_verdict(int verdict)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return load(code, 2);
}

/* An array of one element. */
static inline int map(int size)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = size,
		.max_entries = 1,
	};

	return syscall3(__NR_bpf, BPF_MAP_CREATE, (long)&attr, sizeof(attr));
}

static inline long read_map(int fd, void *value)
{
	unsigned int key = 0;
	union bpf_attr attr = {
		.map_fd = fd,
		.key = (unsigned long)&key,
		.value = (unsigned long)value,
	};

	return syscall3(__NR_bpf, BPF_MAP_LOOKUP_ELEM, (long)&attr, sizeof(attr));
}

/* A generation of the table filter that lacks nothing but programs. */
static inline struct bpfilter_generation generation(int counters)
{
	return (struct bpfilter_generation) {
		.family = NFPROTO_IPV4,
		.table = BPFILTER_TABLE_FILTER,
		.prog = { -1, -1, -1, -1, -1 },
		.policy = { -1, -1, -1, -1, -1 },
		.counters = counters,
		.image = syscall3(__NR_memfd_create, (long)"table", 0, 0),
		.packets = -1,
		.packet_size = PACKET_SIZE,
	};
}

static inline void close_all(const struct bpfilter_generation *gen)
{
	int i;

	for (i = 0; i < BPFILTER_HOOKS; i++)
		syscall3(__NR_close, gen->prog[i], 0, 0);
	syscall3(__NR_close, gen->counters, 0, 0);
	syscall3(__NR_close, gen->image, 0, 0);
	syscall3(__NR_close, gen->packets, 0, 0);
}

static inline long commit(const struct bpfilter_generation *gen)
{
	return syscall5(__NR_setsockopt, sock, SOL_IP, BPFILTER_SO_COMMIT,
			(long)gen, sizeof(*gen));
}

static inline long recover(struct bpfilter_generation *gen)
{
	int len = sizeof(*gen);

	return syscall5(__NR_getsockopt, sock, SOL_IP, BPFILTER_SO_RECOVER,
			(long)gen, (long)&len);
}

/* Answers setsockopts with what @act makes of their length. */
static inline void serve(long (*act)(unsigned int len))
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

#endif /* BPF_H */
