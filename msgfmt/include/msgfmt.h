/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * msgfmt.h - the mailbox between the kernel half of bpfilter and its helper
 *
 * Owns: the layout of every message and every private socket option that the
 * two halves exchange. The same format stands in msgfmt/src/lib.rs; the test
 * msgfmt/tests/c_layout.rs compiles this file and fails if the two differ.
 *
 * Promises: native endian, no padding. Addresses in the caller's memory are for
 * the kernel half alone to follow; those in the helper's are the helper's own.
 */
#ifndef _BPFILTER_MSGFMT_H
#define _BPFILTER_MSGFMT_H

#include <linux/types.h>

/**
 * struct bpfilter_request - one get/setsockopt call, kernel half to helper
 * @addr: the caller's optval, an address in the caller's memory: what is there
 *	is asked for with BPFILTER_SO_OPTVAL
 * @len: the caller's optlen
 * @is_set: 1 for setsockopt, 0 for getsockopt
 * @cmd: the option number; BPFILTER_CMD_PING asks whether the helper is there
 * @pid: the caller's thread id in the initial pid namespace, for the log
 */
struct bpfilter_request {
	__u64 addr;
	__u32 len;
	__u32 is_set;
	__u32 cmd;
	__u32 pid;
};

/**
 * struct bpfilter_reply - the helper's answer to one request
 * @status: 0 or a negative errno
 */
struct bpfilter_reply {
	__s32 status;
};

/* Command 0, the first request after a start: must be answered with 0. */
#define BPFILTER_CMD_PING	0

/*
 * Private options at level SOL_IP. Only the helper itself, on an AF_INET
 * socket of its own and only while a request is in progress, may use them;
 * for everybody else they do not exist (ENOPROTOOPT). COMMIT and RECOVER act
 * on the network namespace of the request in progress.
 */
#define BPFILTER_SO_BASE	3056
/* setsockopt, struct bpfilter_generation: replaces the generation. */
#define BPFILTER_SO_COMMIT	(BPFILTER_SO_BASE + 0)
/* getsockopt, struct bpfilter_generation: ENOENT where none is committed. */
#define BPFILTER_SO_RECOVER	(BPFILTER_SO_BASE + 1)
/* setsockopt, text: what /proc/net/ip_tables_matches and _targets print. */
#define BPFILTER_SO_MATCHES	(BPFILTER_SO_BASE + 2)
#define BPFILTER_SO_TARGETS	(BPFILTER_SO_BASE + 3)
/*
 * setsockopt, struct bpfilter_extension: finds and checks a match or target of
 * x_tables for a rule; what the rules of the next COMMIT use. Returns the number
 * by which programs call it.
 */
#define BPFILTER_SO_EXTENSION	(BPFILTER_SO_BASE + 4)
/*
 * getsockopt, struct bpfilter_optval: the caller's optval as it was when the call
 * was made. Each call of a setsockopt's opens a descriptor, if there is a file.
 */
#define BPFILTER_SO_OPTVAL	(BPFILTER_SO_BASE + 5)
/*
 * setsockopt, struct bpfilter_answer: bytes for the caller's memory, behind those
 * before. The caller gets them when the request is answered with success.
 */
#define BPFILTER_SO_ANSWER	(BPFILTER_SO_BASE + 6)
#define BPFILTER_SO_MAX		(BPFILTER_SO_BASE + 7)

/* The most of an optval that comes without a file. */
#define BPFILTER_HEAD_MAX	96

/* The most text that BPFILTER_SO_MATCHES and BPFILTER_SO_TARGETS take. */
#define BPFILTER_NAMES_MAX	4096

/* Indices into bpfilter_generation.prog. */
#define BPFILTER_HOOK_LOCAL_IN	0
#define BPFILTER_HOOK_FORWARD	1
#define BPFILTER_HOOK_LOCAL_OUT	2
#define BPFILTER_HOOKS		3

/* The rules read connection tracking: it must run in this namespace. */
#define BPFILTER_GEN_CONNTRACK	0x1
/* They name users and groups of the initial user namespace, see COMMIT. */
#define BPFILTER_GEN_IDS	0x2
/* They count on connections counting their packets: it is switched on. */
#define BPFILTER_GEN_ACCOUNTING	0x4
/* All of them. */
#define BPFILTER_GEN_ALL	0x7

/**
 * struct bpfilter_generation - the committed state of one network namespace
 * @prog: BPF programs of type NETFILTER, indexed by BPFILTER_HOOK_*; either
 *	all three, or all -1 for a generation that holds counters only and
 *	leaves the packet hooks as ip_tables' pristine table would: accepting
 * @counters: the BPF map of per-rule counters, opaque to the kernel half
 * @table: a sealed memfd with the table image, opaque to the kernel half
 * @flags: BPFILTER_GEN_*
 *
 * Descriptors are in the helper's table: COMMIT takes references on what they
 * name and leaves them open, RECOVER opens new ones (close-on-exec).
 */
struct bpfilter_generation {
	__s32 prog[BPFILTER_HOOKS];
	__s32 counters;
	__s32 table;
	__u32 flags;
};

/**
 * struct bpfilter_extension - a match or target that a rule needs of x_tables
 * @entry: address of the rule, a struct ipt_entry, in the helper's memory. The
 *	extension's data there is what is given back of it after success: what
 *	is private to it is zero
 * @offset: where in the rule its header is; that of the target, or of a match
 */
struct bpfilter_extension {
	__u64 entry;
	__u64 offset;
};

/**
 * struct bpfilter_optval - what a caller's optval has held
 * @len: how many bytes of it there are
 * @error: the negative errno for whoever asks for more, as the kernel half found
 *	out when it copied: EFAULT where memory was not there, ENOMEM
 * @file: all of them, as a file in memory that nobody else writes to and that
 *	can be sealed; -1 where @head has all
 * @head: the first of them
 */
struct bpfilter_optval {
	__u64 len;
	__s32 error;
	__s32 file;
	__u8 head[BPFILTER_HEAD_MAX];
};

/**
 * struct bpfilter_answer - bytes for a caller
 * @to: where in the caller's memory they go
 * @from: where in the helper's memory they are
 * @len: how many
 */
struct bpfilter_answer {
	__u64 to;
	__u64 from;
	__u64 len;
};

#endif /* _BPFILTER_MSGFMT_H */
