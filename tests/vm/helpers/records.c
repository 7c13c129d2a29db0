// SPDX-License-Identifier: GPL-2.0-only
/*
 * A helper whose programs put down what they are told of packets.
 *
 * The length of a setsockopt of option 64 says what to do. What is not as it must
 * be goes into the kernel's log, and the answer is EINVAL. The packets are those of
 * tests/vm/records.sh.
 */
#include <linux/netfilter/x_tables.h>
#include <linux/time.h>
#include "bpf.h"

#define AT_FDCWD	-100
#define IPPROTO_ICMP	1
#define IPPROTO_UDP	17

enum action {
	RECORD = 1,	/* commits programs that keep the first packet's record */
	CHECK_RECORD,	/* what they have kept */
	CALLS,		/* commits programs that call matches and targets */
	CHECK_CALLS,	/* what the calls have told them */
	NO_SUCH_CALL,	/* commits programs that call what is not there */
};

/* Where a program is told what of a packet, and where it keeps it. */
struct kept {
	struct bpfilter_packet first[BPFILTER_HOOKS];
	/* Of CALLS: answers + 1 by position, 0 where it was not called. */
	unsigned int answer[8];
	unsigned int marks[8];
	unsigned int depths[8];
	unsigned int nested;
};

static struct kept kept;
static int counters = -1;

/* --- the log ---------------------------------------------------------------- */

static int wrong;

static char *put_text(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	return to;
}

static char *put_hex(char *to, unsigned long long number)
{
	int shift;

	for (shift = sizeof(number) * 8 - 4; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[number >> shift & 15];
	return to;
}

static void is(const char *what, unsigned long long got, unsigned long long wanted)
{
	char line[200], *end = line;
	int fd;

	if (got == wanted)
		return;
	wrong = 1;
	end = put_text(end, "records: ");
	end = put_text(end, what);
	end = put_text(end, " is ");
	end = put_hex(end, got);
	end = put_text(end, ", not ");
	end = put_hex(end, wanted);
	end = put_text(end, "\n");
	fd = syscall5(__NR_openat, AT_FDCWD, (long)"/dev/kmsg", 1, 0, 0);
	syscall3(__NR_write, fd, (long)line, end - line);
	syscall3(__NR_close, fd, 0, 0);
}

/* --- programs --------------------------------------------------------------- */

#define ALU(op, dst, src, imm_)	\
	{ .code = BPF_ALU64 | (op), .dst_reg = (dst), .src_reg = (src), .imm = (imm_) }
#define MOV(dst, src)		ALU(BPF_MOV | BPF_X, dst, src, 0)
#define MOV_IMM(dst, imm_)	ALU(BPF_MOV | BPF_K, dst, 0, imm_)
#define ADD(dst, src)		ALU(BPF_ADD | BPF_X, dst, src, 0)
#define ADD_IMM(dst, imm_)	ALU(BPF_ADD | BPF_K, dst, 0, imm_)
#define LOAD(size, dst, src, off_) \
	{ .code = BPF_LDX | BPF_MEM | (size), .dst_reg = (dst), .src_reg = (src), .off = (off_) }
#define STORE(size, dst, off_, src) \
	{ .code = BPF_STX | BPF_MEM | (size), .dst_reg = (dst), .src_reg = (src), .off = (off_) }
#define STORE_IMM(size, dst, off_, imm_) \
	{ .code = BPF_ST | BPF_MEM | (size), .dst_reg = (dst), .off = (off_), .imm = (imm_) }
#define JUMP_IMM(op, dst, imm_, off_) \
	{ .code = BPF_JMP | (op) | BPF_K, .dst_reg = (dst), .off = (off_), .imm = (imm_) }
#define EXIT()			{ .code = BPF_JMP | BPF_EXIT }
#define VALUE(dst, fd, at) \
	{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (dst), .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = (fd) }, \
	{ .imm = (at) }

#define IN_PACKET(member)	offsetof(struct bpfilter_packet, member)
#define IN_KEPT(member)		offsetof(struct kept, member)
#define FIELD_AT(name)		(IN_PACKET(field) + 4 * BPFILTER_FIELD_##name)

/*
 * R6 = where in the memory for packets the record is, R7 = the record: by what the
 * control block says, if that can be true.
 */
#define FIND_PACKET(packets) \
	LOAD(BPF_W, BPF_REG_6, BPF_REG_1, offsetof(struct __sk_buff, cb)), \
	JUMP_IMM(BPF_JLE, BPF_REG_6, PACKETS - PACKET_SIZE, 2), \
	MOV_IMM(BPF_REG_0, BPFILTER_DROP), \
	EXIT(), \
	VALUE(BPF_REG_7, packets, 0), \
	ADD(BPF_REG_7, BPF_REG_6)

#define MOST	256

struct code {
	struct bpf_insn insn[MOST];
	int len;
};

static void put(struct code *code, const struct bpf_insn *insn, int len)
{
	int i;

	for (i = 0; i < len; i++)
		code->insn[code->len++] = insn[i];
}

#define PUT(code, ...) do { \
	const struct bpf_insn put_[] = { __VA_ARGS__ }; \
	put(code, put_, sizeof(put_) / sizeof(put_[0])); \
} while (0)

/* Keeps the record of the first packet at @hook, and lets all pass. */
static int recorder(int packets, int hook)
{
	struct code code = {};
	int i;

	PUT(&code,
	    FIND_PACKET(packets),
	    VALUE(BPF_REG_8, counters, 0),
	    ADD_IMM(BPF_REG_8, IN_KEPT(first) + hook * sizeof(struct bpfilter_packet)),
	    LOAD(BPF_W, BPF_REG_2, BPF_REG_8, IN_PACKET(len)),
	    JUMP_IMM(BPF_JEQ, BPF_REG_2, 0, 2),
	    MOV_IMM(BPF_REG_0, BPFILTER_ACCEPT),
	    EXIT());
	for (i = 0; i < (int)sizeof(struct bpfilter_packet); i += 8)
		PUT(&code,
		    LOAD(BPF_DW, BPF_REG_2, BPF_REG_7, i),
		    STORE(BPF_DW, BPF_REG_8, i, BPF_REG_2));
	PUT(&code, MOV_IMM(BPF_REG_0, BPFILTER_ACCEPT), EXIT());
	return load(code.insn, code.len);
}

/*
 * Counts a packet that is sent while another one waits, and lets it pass. Any other
 * one goes from position 0 on; at each the answer, the mark and the depth are kept,
 * and what has the number @first + position is called, until @last.
 */
static int caller(int packets, int first, int last)
{
	struct code code = {};

	PUT(&code,
	    FIND_PACKET(packets),
	    VALUE(BPF_REG_8, counters, 0),
	    ALU(BPF_MOD | BPF_K, BPF_REG_6, 0, BPFILTER_LEVELS * PACKET_SIZE),
	    JUMP_IMM(BPF_JEQ, BPF_REG_6, 0, 5),
	    LOAD(BPF_W, BPF_REG_2, BPF_REG_8, IN_KEPT(nested)),
	    ADD_IMM(BPF_REG_2, 1),
	    STORE(BPF_W, BPF_REG_8, IN_KEPT(nested), BPF_REG_2),
	    MOV_IMM(BPF_REG_0, BPFILTER_ACCEPT),
	    EXIT(),
	    /* R9 = the place of this position in the arrays */
	    LOAD(BPF_W, BPF_REG_3, BPF_REG_7, IN_PACKET(position)),
	    MOV_IMM(BPF_REG_0, BPFILTER_DROP),
	    JUMP_IMM(BPF_JLT, BPF_REG_3, 8, 1),
	    EXIT(),
	    MOV(BPF_REG_9, BPF_REG_3),
	    ALU(BPF_LSH | BPF_K, BPF_REG_9, 0, 2),
	    ADD(BPF_REG_9, BPF_REG_8),
	    LOAD(BPF_W, BPF_REG_2, BPF_REG_7, IN_PACKET(answer)),
	    ADD_IMM(BPF_REG_2, 1),
	    STORE(BPF_W, BPF_REG_9, IN_KEPT(answer), BPF_REG_2),
	    LOAD(BPF_W, BPF_REG_2, BPF_REG_7, FIELD_AT(MARK)),
	    STORE(BPF_W, BPF_REG_9, IN_KEPT(marks), BPF_REG_2),
	    LOAD(BPF_W, BPF_REG_2, BPF_REG_7, IN_PACKET(depth)),
	    STORE(BPF_W, BPF_REG_9, IN_KEPT(depths), BPF_REG_2),
	    STORE_IMM(BPF_W, BPF_REG_7, IN_PACKET(depth), 7),
	    MOV_IMM(BPF_REG_0, BPFILTER_ACCEPT),
	    JUMP_IMM(BPF_JLT, BPF_REG_3, last, 1),
	    EXIT(),
	    MOV(BPF_REG_2, BPF_REG_3),
	    ADD_IMM(BPF_REG_2, first),
	    STORE(BPF_W, BPF_REG_7, IN_PACKET(call), BPF_REG_2),
	    ADD_IMM(BPF_REG_3, 1),
	    STORE(BPF_W, BPF_REG_7, IN_PACKET(position), BPF_REG_3),
	    MOV_IMM(BPF_REG_0, BPFILTER_CALL),
	    EXIT());
	return load(code.insn, code.len);
}

/* --- matches and targets ---------------------------------------------------- */

struct addrtype {
	unsigned short source, dest;
	unsigned int flags;
};

struct mark {
	unsigned int mark, mask;
};

struct tee {
	unsigned int gateway[4];
	char oif[16];
	unsigned long priv;
} __attribute__((aligned(8)));

/* Room for struct ipt_entry, whose header does not stand alone. */
#define ENTRY_LEN	112
#define ENTRY_TARGET	88
#define ENTRY_NEXT	90
#define ENTRY_HOOKS	92

/* A rule of OUTPUT that has this match or target only. */
static long extend(const char *name, int revision, int is_target, const void *data, int size)
{
	unsigned char rule[256] __attribute__((aligned(8))) = {};
	struct xt_entry_match *m = (void *)(rule + ENTRY_LEN);
	int len = sizeof(*m) + (size + 7) / 8 * 8;
	struct bpfilter_extension ext = {
		.family = NFPROTO_IPV4,
		.table = BPFILTER_TABLE_FILTER,
		.entry = (unsigned long)rule,
		.offset = ENTRY_LEN,
	};
	int i;

	*(unsigned short *)(rule + ENTRY_TARGET) = ENTRY_LEN + (is_target ? 0 : len);
	*(unsigned short *)(rule + ENTRY_NEXT) = ENTRY_LEN + len + (is_target ? 0 : sizeof(*m) + 8);
	*(unsigned int *)(rule + ENTRY_HOOKS) = 1 << HOOK_LOCAL_OUT;
	m->u.match_size = len;
	put_text(m->u.user.name, name);
	m->u.user.revision = revision;
	for (i = 0; i < size; i++)
		m->data[i] = ((const unsigned char *)data)[i];
	return syscall5(__NR_setsockopt, sock, SOL_IP, BPFILTER_SO_EXTENSION,
			(long)&ext, sizeof(ext));
}

/* --- what is expected ------------------------------------------------------- */

static unsigned long now(void)
{
	struct timespec time;

	syscall3(__NR_clock_gettime, CLOCK_REALTIME, (long)&time, 0);
	return time.tv_sec;
}

/* nc's from 10.9.0.1, port 4000, to 10.9.0.2, port 9: one byte */
static void check_sent(const struct bpfilter_packet *p)
{
	is("sent: addresses", p->addresses[0], 0x0200090a0100090a);
	is("sent: descriptor", p->descriptor, IPPROTO_UDP | BPFILTER_PACKET_TRANSPORT |
	   4000ull << BPFILTER_PACKET_SPORT | 9ull << BPFILTER_PACKET_DPORT);
	is("sent: position", p->position, 30);
	is("sent: underflow", p->underflow, 40);
	is("sent: answer", p->answer, BPFILTER_ANSWER_NONE);
	is("sent: depth", p->depth, 0);
	is("sent: hotdrop", p->hotdrop, 0);
	is("sent: len", p->len, 29);
	is("sent: transport", p->transport, 20);
	is("sent: header", p->header, BPFILTER_HEADER_PRESENT);
	is("sent: ports", p->ports, BPFILTER_HEADER_PRESENT);
	is("sent: input", *(unsigned long *)p->input, 0);
	is("sent: output", *(unsigned long *)p->output, 'v' | '0' << 8);
	is("sent: saddr", p->field[BPFILTER_FIELD_SADDR], 0x0a090001);
	is("sent: daddr", p->field[BPFILTER_FIELD_DADDR], 0x0a090002);
	is("sent: protocol", p->field[BPFILTER_FIELD_PROTOCOL], IPPROTO_UDP);
	is("sent: sport", p->field[BPFILTER_FIELD_SPORT], 4000);
	is("sent: dport", p->field[BPFILTER_FIELD_DPORT], 9);
	is("sent: TCP flags", p->field[BPFILTER_FIELD_TCP_FLAGS], 0);
	is("sent: length", p->field[BPFILTER_FIELD_LENGTH], 29);
	is("sent: TTL", p->field[BPFILTER_FIELD_TTL], 64);
	is("sent: TOS", p->field[BPFILTER_FIELD_TOS], 0);
	is("sent: MAC", p->field[BPFILTER_FIELD_MAC_LAST], 0);
	is("sent: input's group", p->field[BPFILTER_FIELD_IN_GROUP], 0);
	is("sent: output's group", p->field[BPFILTER_FIELD_OUT_GROUP], 7);
	is("sent: realm", p->field[BPFILTER_FIELD_REALM], 5);
	is("sent: connection mark", p->field[BPFILTER_FIELD_CONNMARK], 0);
	/* NEW */
	is("sent: connection", p->field[BPFILTER_FIELD_CONNECTION],
	   BPFILTER_CT_PRESENT | BPFILTER_CT_ORIGINAL | 8);
	is("sent: time", now() - p->time[0] < 300, 1);
	is("sent: local time", p->time[1] - p->time[0], 0);
}

/* The answer: no such port */
static void check_received(const struct bpfilter_packet *p)
{
	is("received: addresses", p->addresses[0], 0x0100090a0200090a);
	is("received: descriptor", p->descriptor & 0xffffffffffff, IPPROTO_ICMP |
	   BPFILTER_PACKET_TRANSPORT | 0x303ull << BPFILTER_PACKET_SPORT);
	is("received: position", p->position, 10);
	is("received: underflow", p->underflow, 20);
	is("received: len", p->len, 57);
	is("received: input", *(unsigned long *)p->input, 'v' | '0' << 8);
	is("received: output", *(unsigned long *)p->output, 0);
	is("received: TOS", p->field[BPFILTER_FIELD_TOS], 0xc0);
	is("received: packet type", p->field[BPFILTER_FIELD_PKTTYPE], 0);
	is("received: MAC, first", p->field[BPFILTER_FIELD_MAC_FIRST], 0x00000002);
	is("received: MAC, last", p->field[BPFILTER_FIELD_MAC_LAST], BPFILTER_MAC_PRESENT | 0x2200);
	is("received: input's group", p->field[BPFILTER_FIELD_IN_GROUP], 7);
	is("received: output's group", p->field[BPFILTER_FIELD_OUT_GROUP], 0);
	/* RELATED */
	is("received: connection", p->field[BPFILTER_FIELD_CONNECTION], BPFILTER_CT_PRESENT | 4);
}

static void check_calls(void)
{
	is("before addrtype: answer", kept.answer[0], BPFILTER_ANSWER_NONE + 1);
	is("addrtype: answer", kept.answer[1], BPFILTER_ANSWER_YES + 1);
	is("other addrtype: answer", kept.answer[2], BPFILTER_ANSWER_NO + 1);
	is("before MARK: mark", kept.marks[2], 0);
	is("MARK: answer", kept.answer[3], BPFILTER_ANSWER_NONE + 1);
	is("MARK: mark", kept.marks[3], 0x55);
	is("TEE: answer", kept.answer[4], BPFILTER_ANSWER_NONE + 1);
	is("TEE: mark", kept.marks[4], 0x55);
	is("TEE: depth", kept.depths[4], 7);
	is("before addrtype: depth", kept.depths[0], 0);
	is("REJECT: answer", kept.answer[5], 0);
	/* TEE's copy and REJECT's answer */
	is("nested", kept.nested, 2);
}

/* --- what to do ------------------------------------------------------------- */

static void start(struct bpfilter_generation *gen)
{
	int hook;

	syscall3(__NR_close, counters, 0, 0);
	counters = map(sizeof(struct kept));
	*gen = generation(counters);
	gen->packets = map(PACKETS);
	for (hook = HOOK_LOCAL_IN; hook <= HOOK_LOCAL_OUT; hook++)
		gen->prog[hook] = load_verdict(BPFILTER_ACCEPT);
}

static long finish(struct bpfilter_generation *gen)
{
	long ret = commit(gen);

	gen->counters = -1;
	close_all(gen);
	return ret;
}

static long record(void)
{
	struct bpfilter_generation gen;
	struct bpfilter_machine machine;
	int len = sizeof(machine);
	int hook;
	long ret;

	ret = syscall5(__NR_getsockopt, sock, SOL_IP, BPFILTER_SO_MACHINE, (long)&machine, (long)&len);
	if (ret)
		return ret;
	start(&gen);
	for (hook = HOOK_LOCAL_IN; hook <= HOOK_LOCAL_OUT; hook++) {
		syscall3(__NR_close, gen.prog[hook], 0, 0);
		gen.prog[hook] = recorder(gen.packets, hook);
		gen.reads[hook] = machine.reads;
		gen.hook_entry[hook] = hook * 10;
		gen.underflow[hook] = hook * 10 + 10;
	}
	gen.flags = BPFILTER_GEN_CONNTRACK;
	return finish(&gen);
}

static long calls(void)
{
	/* RTN_UNICAST, and RTN_LOCAL */
	static const struct addrtype remote = { .dest = 1 << 1 };
	static const struct addrtype local = { .dest = 1 << 2 };
	static const struct mark mark = { .mark = 0x55, .mask = 0xff };
	/* 10.9.0.2 */
	static const struct tee tee = { .gateway = { 0x0200090a } };
	static const unsigned int reject = 0;
	struct bpfilter_generation gen;
	long first;

	first = extend("addrtype", 1, 0, &remote, sizeof(remote));
	if (first < 0)
		return first;
	is("second extension", extend("addrtype", 1, 0, &local, sizeof(local)), first + 1);
	is("third extension", extend("MARK", 2, 1, &mark, sizeof(mark)), first + 2);
	is("fourth extension", extend("TEE", 1, 1, &tee, sizeof(tee)), first + 3);
	is("fifth extension", extend("REJECT", 0, 1, &reject, sizeof(reject)), first + 4);
	if (wrong)
		return -EINVAL;
	start(&gen);
	syscall3(__NR_close, gen.prog[HOOK_LOCAL_OUT], 0, 0);
	gen.prog[HOOK_LOCAL_OUT] = caller(gen.packets, first, 5);
	gen.reads[HOOK_LOCAL_OUT] = 1 << BPFILTER_FIELD_MARK;
	return finish(&gen);
}

static long no_such_call(void)
{
	struct bpfilter_generation gen;

	start(&gen);
	syscall3(__NR_close, gen.prog[HOOK_LOCAL_OUT], 0, 0);
	gen.prog[HOOK_LOCAL_OUT] = caller(gen.packets, 100, 5);
	return finish(&gen);
}

static long act(unsigned int action)
{
	wrong = 0;
	switch (action) {
	case RECORD:
		return record();
	case CALLS:
		return calls();
	case NO_SUCH_CALL:
		return no_such_call();
	case CHECK_RECORD:
		read_map(counters, &kept);
		check_sent(&kept.first[HOOK_LOCAL_OUT]);
		check_received(&kept.first[HOOK_LOCAL_IN]);
		break;
	case CHECK_CALLS:
		read_map(counters, &kept);
		check_calls();
		break;
	}
	return wrong ? -EINVAL : 0;
}

void _start(void)
{
	serve(act);
}
