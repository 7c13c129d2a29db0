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
/*
 * getsockopt, struct bpfilter_generation: ENOENT where none is committed,
 * EOPNOTSUPP where that table is not served.
 */
#define BPFILTER_SO_RECOVER	(BPFILTER_SO_BASE + 1)
/* setsockopt, text: what /proc/net/ip_tables_matches and _targets print. */
#define BPFILTER_SO_MATCHES	(BPFILTER_SO_BASE + 2)
#define BPFILTER_SO_TARGETS	(BPFILTER_SO_BASE + 3)
/* The same for /proc/net/ip6_tables_matches and _targets. */
#define BPFILTER_SO_MATCHES6	(BPFILTER_SO_BASE + 8)
#define BPFILTER_SO_TARGETS6	(BPFILTER_SO_BASE + 9)
/*
 * setsockopt, struct bpfilter_extension: finds and checks a match or target of
 * x_tables for a rule; what the rules of the next COMMIT use. Returns the number
 * by which programs call it; ENOPROTOOPT if there is none, and ENOENT if what its
 * options name is not there. EAGAIN if a module has to be loaded first: the request is
 * to be answered with it, and the call is made anew.
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
/* getsockopt, struct bpfilter_machine: what programs can count on. */
#define BPFILTER_SO_MACHINE	(BPFILTER_SO_BASE + 7)
/*
 * setsockopt, struct bpfilter_refusal: why the REPLACE in progress will be answered
 * with an error. For people: it changes nothing.
 */
#define BPFILTER_SO_REFUSED	(BPFILTER_SO_BASE + 10)
/*
 * setsockopt, struct bpfilter_extension_name: finds a match or target of x_tables. Returns how
 * many bytes of data it has. EOPNOTSUPP if 32-bit programs lay its data out in another
 * way; EAGAIN as above.
 */
#define BPFILTER_SO_DATA_SIZE	(BPFILTER_SO_BASE + 11)
#define BPFILTER_SO_MAX		(BPFILTER_SO_BASE + 12)

/* The structures of a caller are the kernel's own. */
#define BPFILTER_LAYOUT_NATIVE		0
/* They are those of 32 bits, with u64 aligned to 4 as on i386, or to 8 as on ARM. */
#define BPFILTER_LAYOUT_32_ALIGN_4	1
#define BPFILTER_LAYOUT_32_ALIGN_8	2

/* The most of an optval that comes without a file. */
#define BPFILTER_HEAD_MAX	96

/* The most text that BPFILTER_SO_MATCHES, _TARGETS, _MATCHES6 and _TARGETS6 each take. */
#define BPFILTER_NAMES_MAX	4096

/* The longest name of an extension with its NUL that leaves the helper room for numbers. */
#define BPFILTER_NAME_MAX	24

/* The tables of iptables. */
#define BPFILTER_TABLE_RAW	0
#define BPFILTER_TABLE_MANGLE	1
#define BPFILTER_TABLE_NAT	2
#define BPFILTER_TABLE_FILTER	3
#define BPFILTER_TABLE_SECURITY	4
#define BPFILTER_TABLES		5

/*
 * Where in a table image the entries start, which are as GET_ENTRIES gives them; of
 * the rest the kernel half knows nothing.
 */
#define BPFILTER_IMAGE_ENTRIES	96

/* As many as NF_INET_* has for a family; a hook is its number there. */
#define BPFILTER_HOOKS		5

/* The rules read connection tracking: it must run in this namespace. */
#define BPFILTER_GEN_CONNTRACK	0x1
/*
 * Of bpfilter-run's helper alone, as in a kernel x_tables does it; the kernel half
 * refuses both. They name users and groups of the initial user namespace: EINVAL where
 * the caller's does not own the network namespace, else ENOENT where it is not the
 * initial one.
 */
#define BPFILTER_GEN_IDS	0x2
/* They count on connections counting their packets: it is switched on. */
#define BPFILTER_GEN_ACCOUNTING	0x4
/* All of them. */
#define BPFILTER_GEN_ALL	0x7

/**
 * struct bpfilter_summary - a table in numbers
 * @map_bytes: what its maps hold: rules and index, what matches remember, counters,
 *	and the memory in which programs are handed packets
 * @entries: rules, policies, heads and ends of chains, and the end of the table
 * @rules: of them, those that a user has made
 * @chains: chains that a user has made
 * @tuples: hash tables
 * @hashed: entries that are found by them
 * @listed: entries that are compared one after the other; all others are found by
 *	rule bitmaps
 */
struct bpfilter_summary {
	__u64 map_bytes;
	__u32 entries;
	__u32 rules;
	__u32 chains;
	__u32 tuples;
	__u32 hashed;
	__u32 listed;
};

/**
 * struct bpfilter_generation - the rules in force of one table of a network
 *	namespace
 * @family: NFPROTO_*; with @table, what RECOVER is asked for
 * @table: BPFILTER_TABLE_*
 * @reads: what of a packet each program reads, BPFILTER_READS_*
 * @prog: a BPF program for each hook that has rules, -1 for the others. In the
 *	kernel of type SCHED_CLS, called with a struct bpfilter_packet; under
 *	bpfilter-run of type NETFILTER
 * @policy: for each hook of the table without a program, what becomes of its
 *	packets, which count for @underflow: BPFILTER_DROP or BPFILTER_ACCEPT; -1
 *	for the others. All -1, and no programs: a generation that holds counters
 *	only and leaves the packet hooks as ip_tables' pristine table would:
 *	accepting
 * @hook_entry: the position at which a packet starts, for each hook
 * @underflow: that of its policy
 * @counters: the BPF array of counters, of one element: a row of @counters_row
 *	bytes for each possible CPU, in it for each rule packets and bytes, 64 bits
 *	each. What follows these rows is the helper's own
 * @image: a sealed memfd with the table image
 * @packets: a BPF array of one element, the memory in which programs are handed
 *	packets: for each possible CPU BPFILTER_LEVELS pieces of @packet_size
 *	bytes. -1 if there are no programs
 * @counters_row: bytes of a CPU's counters
 * @packet_size: bytes of a struct bpfilter_packet and of what the programs keep
 *	behind it, a multiple of 64
 * @flags: BPFILTER_GEN_*
 * @summary: what people are told of the table, and nothing else
 *
 * Descriptors are in the helper's table: COMMIT takes references on what they
 * name and leaves them open, RECOVER opens new ones (close-on-exec).
 */
struct bpfilter_generation {
	__u32 family;
	__u32 table;
	__u64 reads[BPFILTER_HOOKS];
	__s32 prog[BPFILTER_HOOKS];
	__s32 policy[BPFILTER_HOOKS];
	__u32 hook_entry[BPFILTER_HOOKS];
	__u32 underflow[BPFILTER_HOOKS];
	__s32 counters;
	__s32 image;
	__s32 packets;
	__u32 counters_row;
	__u32 packet_size;
	__u32 flags;
	struct bpfilter_summary summary;
};

/**
 * struct bpfilter_machine - the machine, as the kernel half knows it
 * @reads: what it can tell of a packet, BPFILTER_READS_*
 * @cpus: all numbers of CPUs are below this one
 * @reserved: nothing
 */
struct bpfilter_machine {
	__u64 reads;
	__u32 cpus;
	__u32 reserved;
};

/**
 * struct bpfilter_extension - a match or target that a rule needs of x_tables
 * @family: NFPROTO_* of the table that the rule is for
 * @table: BPFILTER_TABLE_*
 * @entry: address of the rule, a struct ipt_entry or ip6t_entry, in the helper's
 *	memory. The extension's data there is what is given back of it after success: what
 *	is private to it is zero
 * @offset: where in the rule its header is; that of the target, or of a match
 */
struct bpfilter_extension {
	__u32 family;
	__u32 table;
	__u64 entry;
	__u64 offset;
};

/**
 * struct bpfilter_extension_name - a match or target by its name
 * @family: NFPROTO_* of the rule that it is for
 * @is_target: 1 for a target, 0 for a match
 * @name: its name, a C string
 * @revision: its revision
 * @reserved: nothing
 */
struct bpfilter_extension_name {
	__u32 family;
	__u32 is_target;
	__u8 name[29];
	__u8 revision;
	__u8 reserved[2];
};

/**
 * struct bpfilter_optval - what a caller's optval has held
 * @len: how many bytes of it there are
 * @error: the negative errno for whoever asks for more, as the kernel half found
 *	out when it copied: EFAULT where memory was not there, ENOMEM
 * @file: all of them, as a file in memory that nobody else writes to and that
 *	can be sealed; -1 where @head has all
 * @family: NFPROTO_* of the option: that of SOL_IP or of SOL_IPV6
 * @layout: BPFILTER_LAYOUT_* of the caller, and so of the bytes
 * @head: the first of them
 */
struct bpfilter_optval {
	__u64 len;
	__s32 error;
	__s32 file;
	__u32 family;
	__u32 layout;
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

/* Kinds of refusals: each may fill so much of the log, and no more. */
#define BPFILTER_REFUSED_MALFORMED 0 /* no table, or an entry that is none */
#define BPFILTER_REFUSED_UNKNOWN 1 /* a match or target that there is not */
#define BPFILTER_REFUSED_CHECK	2 /* one that does not take the rule's options */
#define BPFILTER_REFUSED_PROGRAM 3 /* the rules are right, but nothing runs them */
#define BPFILTER_REFUSALS	4

/* The most text of a refusal. */
#define BPFILTER_REFUSAL_MAX	240

/**
 * struct bpfilter_refusal - why a table was refused
 * @family: NFPROTO_*
 * @table: BPFILTER_TABLE_*
 * @kind: BPFILTER_REFUSED_*
 * @len: bytes of @text that are used
 * @text: rule, match or target, and what is wrong: one line, printable ASCII without
 *	a NUL, the table not named
 */
struct bpfilter_refusal {
	__u32 family;
	__u32 table;
	__u32 kind;
	__u32 len;
	char text[BPFILTER_REFUSAL_MAX];
};

/*
 * What is known of a packet, a number of 32 bits each: indices into
 * bpfilter_packet.field. Numbers that are not here are the helper's own.
 */
#define BPFILTER_FIELD_SADDR	0 /* source address in host order: of IPv6 4 fields */
#define BPFILTER_FIELD_DADDR	4 /* destination address, likewise */
#define BPFILTER_FIELD_PROTOCOL	8
#define BPFILTER_FIELD_SPORT	9 /* or ICMP type * 256 + code */
#define BPFILTER_FIELD_DPORT	10
#define BPFILTER_FIELD_TCP_FLAGS 11 /* byte 13 of the TCP header */
#define BPFILTER_FIELD_MARK	12
#define BPFILTER_FIELD_LENGTH	13 /* iph_totlen(), or what length_mt6() compares */
#define BPFILTER_FIELD_TTL	14 /* or hop limit */
#define BPFILTER_FIELD_TOS	15 /* or traffic class */
#define BPFILTER_FIELD_PKTTYPE	16 /* PACKET_*, as xt_pkttype.c sees it */
#define BPFILTER_FIELD_CONNECTION 17 /* BPFILTER_CT_* */
#define BPFILTER_FIELD_MAC_FIRST 18 /* 4 bytes of the source, as they lie there */
#define BPFILTER_FIELD_MAC_LAST	19 /* the last 2, and BPFILTER_MAC_PRESENT */
#define BPFILTER_FIELD_CPU	20
#define BPFILTER_FIELD_IN_GROUP	21 /* devices' groups, 0 without a device */
#define BPFILTER_FIELD_OUT_GROUP 22
#define BPFILTER_FIELD_REALM	23 /* of the route */
#define BPFILTER_FIELD_CONNMARK	29 /* 0 without a connection */
#define BPFILTER_FIELDS		30

/* In BPFILTER_FIELD_MAC_LAST: there is an Ethernet header. */
#define BPFILTER_MAC_PRESENT	0x10000
/*
 * In BPFILTER_FIELD_CONNECTION: the packet is of the original direction; there
 * is a connection. Below them are the bits of XT_CONNTRACK_STATE_*.
 */
#define BPFILTER_CT_ORIGINAL	0x10000
#define BPFILTER_CT_PRESENT	0x20000

/*
 * What a program reads: the fields, as 1 << BPFILTER_FIELD_*; and these, in the place
 * of fields that the kernel half does not tell. Of an IPv6 address any of its bits
 * stand for all four fields.
 */
#define BPFILTER_READS_FIELDS	0x20ffffffULL
/* bpfilter_packet.input and .output */
#define BPFILTER_READS_IN	0x1000000ULL
#define BPFILTER_READS_OUT	0x2000000ULL
/* .header, .ports and what the descriptor says of them, and .transport */
#define BPFILTER_READS_TRANSPORT 0x4000000ULL
/* .time */
#define BPFILTER_READS_TIME	0x8000000ULL

/*
 * The packet descriptor, bpfilter_packet.descriptor: the protocol in the lowest
 * byte; these bits; the source port or ICMP type and code, and the destination
 * port, in host order.
 */
#define BPFILTER_PACKET_FRAGMENT 0x100 /* but not the first one */
#define BPFILTER_PACKET_TRANSPORT 0x400 /* the transport header is all there */
#define BPFILTER_PACKET_SPORT	32
#define BPFILTER_PACKET_DPORT	48

/* What becomes of a packet whose transport header a rule asks for. */
#define BPFILTER_HEADER_PRESENT	0
/* A later fragment: the rule does not match. */
#define BPFILTER_HEADER_ABSENT	1
/* Cut off, or a TCP fragment at byte 8: the packet is dropped. */
#define BPFILTER_HEADER_MALFORMED 2
/*
 * IPv6: ipv6_find_hdr() fails. A rule with IP6T_F_PROTO drops the packet where
 * addresses and devices match, others are asked as ever. No protocol is known.
 */
#define BPFILTER_HEADER_BROKEN	3

/*
 * How often one packet can be in the way of another on a CPU, as one that a
 * target sends is.
 */
#define BPFILTER_LEVELS		4

/* What a program returns: two verdicts; and that it must be called again. */
#define BPFILTER_DROP		0
#define BPFILTER_ACCEPT		1
/* What .call names is to be run, then the program again. */
#define BPFILTER_CALL		2
/*
 * Rule .position matches a packet that is traced: likewise, when that was told. .answer
 * is NONE then, and .position has BPFILTER_POSITION_TOLD.
 */
#define BPFILTER_TRACE		3

/* What a program is called with: a new packet, or one that a target has let go */
#define BPFILTER_ANSWER_NONE	0
/* What the match that it has called says. */
#define BPFILTER_ANSWER_NO	1
#define BPFILTER_ANSWER_YES	2
/* Added to either: the match has changed the packet, and the record is filled in again. */
#define BPFILTER_ANSWER_ANEW	4

/* In bpfilter_packet.position: the rule matches, and has been told. */
#define BPFILTER_POSITION_TOLD	0x80000000
/* In bpfilter_packet.cpu: the program returns with each rule that matches. */
#define BPFILTER_CPU_TRACED	0x80000000

/**
 * struct bpfilter_packet - a packet, as the kernel half hands it to a program
 * @descriptor: protocol, ports and BPFILTER_PACKET_*. A program adds to it
 * @position: the rule to go on at; for CALL the program says where it goes on
 * @underflow: the hook's policy
 * @answer: BPFILTER_ANSWER_*
 * @call: of CALL: the number that BPFILTER_SO_EXTENSION has given; of TRACE a number
 *	of the program's own
 * @depth: how many return positions the program keeps; 0 at first
 * @hotdrop: not zero: the packet is dropped when the rule at hand is done
 * @len: of the packet with its IP header, what counters count
 * @cpu: this CPU, and BPFILTER_CPU_TRACED for a packet that is traced
 * @header: BPFILTER_HEADER_*, for who asks for all that a match looks at
 * @ports: likewise, for who asks for the ports alone
 * @transport: where the transport header starts, from the IP header on. IPv6: as
 *	ipv6_find_hdr() finds it, so 0 in a later fragment
 * @pad: 0, or left from before
 * @addresses: source and destination address, as they stand in the header. IPv4:
 *	the first has both. IPv6: the first two are the source
 * @input: name of the incoming device, all zero without one
 * @output: likewise of the outgoing one
 * @field: what else is known, indexed by BPFILTER_FIELD_*
 * @time: seconds since 1970: UTC, and in the kernel's time zone
 *
 * @addresses, @descriptor without ports, and @position to @cpu always hold, but for
 * the protocol of IPv6, which is found with the transport header; the rest as far as
 * bpfilter_generation.reads asks. What IPv4 needs of every packet
 * is in the first 64 bytes. It lies in bpfilter_generation.packets. How many bytes
 * from its start is said in the first 32 bits of the packet's control block that
 * programs see (__sk_buff.cb), as long as the program runs.
 */
struct bpfilter_packet {
	__u64 descriptor;
	__u32 position;
	__u32 underflow;
	__u32 answer;
	__u32 call;
	__u32 depth;
	__u32 hotdrop;
	__u32 len;
	__u32 cpu;
	__u32 header;
	__u32 ports;
	__u32 transport;
	__u32 pad;
	__u64 addresses[4];
	__u8 input[16];
	__u8 output[16];
	__u32 field[BPFILTER_FIELDS];
	__s64 time[2];
};

/* How boot rules start. */
#define BPFILTER_BOOT_MAGIC	0x52465042

/**
 * struct bpfilter_boot_rules - rules that come with the kernel, in a file of their
 *	own: this, and then the tables
 * @magic: BPFILTER_BOOT_MAGIC
 * @tables: how many tables follow
 * @size: bytes of all of it
 */
struct bpfilter_boot_rules {
	__u32 magic;
	__u32 tables;
	__u64 size;
};

/**
 * struct bpfilter_boot_table - what comes before each table of these
 * @family: NFPROTO_*
 * @table: BPFILTER_TABLE_*
 * @len: bytes of the struct ipt_replace or ip6t_replace that follows, with its
 *	entries, as iptables-restore gives it to the kernel for a table that nobody
 *	has changed. Zeros behind it, up to a multiple of 8 bytes
 */
struct bpfilter_boot_table {
	__u32 family;
	__u32 table;
	__u64 len;
};

#endif /* _BPFILTER_MSGFMT_H */
