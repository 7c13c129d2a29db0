/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * internal.h - what the files of the bpfilter module promise each other
 *
 *	sockopt.c	the hook point; in the kernel, not in the module
 *	call.c		a client's call: its optval by copy, its answer; likewise
 *	charge.c	who pays for programs and maps; likewise
 *	pipes.c		two pipes, to the helper and from it; likewise
 *	socketpair.c	instead of these, in a module outside of the tree
 *	stock.c		likewise: the hook point's place in a kernel that has none
 *	bpfilter_kern.c	init and exit
 *	helper.c	the helper's process
 *	mailbox.c	one request at a time, and who is served next; a worker
 *	compat.h	what differs from kernel to kernel
 *	transaction.c	the request in progress and its private options
 *	desc.c		which tables there are, and which are served
 *	tables.c	the tables of each namespace, and their hooks
 *	generation.c	the rules of a table, and how they replace each other
 *	trace.c		which rules a traced packet matches, for the log
 *	packet.c	the packet hooks: what programs are told, and their runs
 *	reroute.c	the hook of packets that may go another way after their rules
 *	record.c	what few programs ask for, or few packets have; record.h: what
 *			packet.c, record.c and record_ipv6.c share
 *	record_ipv6.c	likewise of IPv6
 *	registered.c	which matches and targets the kernel has
 *	extensions.c	x_tables' matches and targets, as rules use them
 *	builtin.c	targets for kernels where x_tables has none of the name
 *	builtin_nat.c	those of them that are for the table nat
 *	procfs.c	/proc/net/ip_tables_* and ip6_tables_*
 *	status.c	/proc/net/bpfilter; what the log says of refused rules
 *	boot.c		policies and rules from the first packet on
 *
 * The worker and the helper take the transaction's lock, and within it that of
 * procfs.c, registered.c or status.c. registered.c takes x_tables' within its own.
 * A caller that waits for its answer holds no lock.
 */
#ifndef _NET_BPFILTER_INTERNAL_H
#define _NET_BPFILTER_INTERNAL_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/refcount.h>
#include <linux/sockptr.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include "msgfmt.h"

struct bpf_map;
struct bpf_prog;
struct bpfilter_charge;
struct bpfilter_extensions;
struct bpfilter_table_desc;
struct bpfilter_trace;
struct cgroup_namespace;
struct cred;
struct file;
struct mem_cgroup;
struct net;
struct nf_hook_state;
struct pid;
struct seq_file;
struct sk_buff;

/* bpfilter_umh_blob.S */
extern const char _binary_net_bpfilter_bpfilter_umh_start[];
extern const char _binary_net_bpfilter_bpfilter_umh_end[];
extern const char bpfilter_boot_rules_start[];
extern const char bpfilter_boot_rules_end[];

/**
 * struct bpfilter_replace - struct ipt_replace and ip6t_replace; sparse does not
 *	like their ends
 * @name: of the table
 * @valid_hooks: those of the table
 * @num_entries: how many entries there are
 * @size: their bytes
 * @hook_entry: where the rules of each hook start
 * @underflow: where its policy is
 * @num_counters: how many entries the table has that is replaced
 * @counters: where their counters go
 * @entries: the first of them
 */
struct bpfilter_replace {
	char name[XT_TABLE_MAXNAMELEN];
	u32 valid_hooks;
	u32 num_entries;
	u32 size;
	u32 hook_entry[BPFILTER_HOOKS];
	u32 underflow[BPFILTER_HOOKS];
	u32 num_counters;
	struct xt_counters __user *counters;
	u8 entries[] __aligned(8);
};

/* What becomes of a call, see bpfilter_call_begin(), _wait() and _end(). */
#define BPFILTER_CALL_WAITS	0
#define BPFILTER_CALL_OPEN	1
#define BPFILTER_CALL_ENDED	2
#define BPFILTER_CALL_LEFT	3

/* More names than there are matches that the helper knows, and x_tables may know. */
#define BPFILTER_ABSENT	16

/**
 * struct bpfilter_modules - what was loaded for a call, each time that it was made
 * @loaded: the match or target that it needs, or that was loaded for it before
 * @absent: those that were not there when they had been loaded. The call may have
 *	gone on without one: it must not be loaded again
 * @num_absent: how many there are
 */
struct bpfilter_modules {
	char loaded[XT_EXTENSION_MAXNAMELEN];
	char absent[BPFILTER_ABSENT][XT_EXTENSION_MAXNAMELEN];
	unsigned int num_absent;
};

/**
 * struct bpfilter_call - a client's call
 * @refs: the caller's, and the mailbox's
 * @state: BPFILTER_CALL_*; leaves WAITS, and then OPEN, once, whoever is first
 * @done: ENDED; the caller may go on
 * @status: the answer, when ENDED
 * @req: what the helper is told
 * @net: the network namespace that it is about
 * @cred: the caller's
 * @cgroup_ns: the caller's, to be compared with the helper's and nothing else
 * @memcg: who pays for memory
 * @optval: what the helper gets of the caller's memory
 * @file: the file for it, or NULL
 * @answers: what the helper has put down. Until ENDED this and what follows, down
 *	to @modules, is under the transaction's lock; then it is the caller's
 * @answered: how many bytes of it there are
 * @to: where in the caller's memory it goes
 * @entries_before: of the table that a REPLACE has replaced
 * @load: the call has failed, for want of a module: it is to be made anew, when
 *	that is loaded
 * @modules: which
 * @turns: among the first of each who has turns, or those behind a first one; this
 *	and @followers under the mailbox's lock
 * @followers: of a first one, those behind it that share its turns
 * @late: the audit record, where the caller has LEFT
 */
struct bpfilter_call {
	refcount_t refs;
	atomic_t state;
	struct completion done;
	int status;
	struct bpfilter_request req;
	struct net *net;
	const struct cred *cred;
	const struct cgroup_namespace *cgroup_ns;
	struct mem_cgroup *memcg;
	struct bpfilter_optval optval;
	struct file *file;
	struct list_head answers;
	size_t answered;
	u64 to;
	u32 entries_before;
	bool load;
	struct bpfilter_modules modules;
	struct list_head turns;
	struct list_head followers;
	struct work_struct late;
};

/* sockopt.c */
int bpfilter_setsockopt(struct sock *sk, u8 family, int optname,
			sockptr_t optval, unsigned int optlen);
int bpfilter_getsockopt(struct sock *sk, u8 family, int optname,
			char __user *optval, int *len);

/* In the tree IP's options come before netfilter's, which are to be asked then. The
 * numbers of families are the same there.
 */
#ifdef BPFILTER_STOCK
int bpfilter_stock_init(void);
int bpfilter_stock_serve(void);
void bpfilter_stock_exit(void);
void bpfilter_stock_drain(void);

static inline int bpfilter_others_set(struct sock *sk, u8 family, int optname,
				      sockptr_t optval, unsigned int optlen)
{
	return -ENOPROTOOPT;
}

static inline int bpfilter_others_get(struct sock *sk, u8 family, int optname,
				      char __user *optval, int *len)
{
	return -ENOPROTOOPT;
}
#else
static inline int bpfilter_stock_init(void)
{
	return 0;
}

static inline int bpfilter_stock_serve(void)
{
	return 0;
}

static inline void bpfilter_stock_exit(void)
{
}

static inline void bpfilter_stock_drain(void)
{
}

static inline int bpfilter_others_set(struct sock *sk, u8 family, int optname,
				      sockptr_t optval, unsigned int optlen)
{
	return nf_setsockopt(sk, family, optname, optval, optlen);
}

static inline int bpfilter_others_get(struct sock *sk, u8 family, int optname,
				      char __user *optval, int *len)
{
	return nf_getsockopt(sk, family, optname, optval, len);
}
#endif

/* call.c */
struct bpfilter_call *bpfilter_call_new(struct net *net, u8 family,
					const struct bpfilter_request *req,
					sockptr_t optval);
bool bpfilter_call_asks_revision(const struct bpfilter_call *call);
bool bpfilter_call_replaces(const struct bpfilter_call *call);
bool bpfilter_call_again(struct bpfilter_call *call, int err,
			 struct bpfilter_modules *modules);
int bpfilter_call_wait(struct bpfilter_call *call);
bool bpfilter_call_begin(struct bpfilter_call *call);
bool bpfilter_call_end(struct bpfilter_call *call, int status);
int bpfilter_call_give(struct bpfilter_call *call);
void bpfilter_call_put(struct bpfilter_call *call);
int bpfilter_call_reserve(struct bpfilter_call *call, size_t size);
int bpfilter_call_answer(struct bpfilter_call *call,
			 const struct bpfilter_answer *answer);

/* charge.c */
#if defined(CONFIG_MEMCG) && !defined(BPFILTER_STOCK)
struct bpfilter_charge *
bpfilter_charge_programs(struct mem_cgroup *memcg,
			 const struct bpf_prog *const *progs,
			 const struct bpf_map *map);
void bpfilter_charge_free(struct bpfilter_charge *charge);
#else
static inline struct bpfilter_charge *
bpfilter_charge_programs(struct mem_cgroup *memcg,
			 const struct bpf_prog *const *progs,
			 const struct bpf_map *map)
{
	return NULL;
}

static inline void bpfilter_charge_free(struct bpfilter_charge *charge)
{
}
#endif

/**
 * struct bpfilter_helper - the helper's process
 * @tgid: the process, or NULL: then the other members mean nothing
 * @to: what requests are written to
 * @from: what answers are read from
 * @its: the other ends of these, in the order of its descriptors; while it starts
 */
struct bpfilter_helper {
	struct pid *tgid;
	struct file *to;
	struct file *from;
	struct file *its[2];
};

/* pipes.c, socketpair.c */
int bpfilter_channel(struct file **its, struct file **ours);

/* helper.c */
int bpfilter_helper_load(const void *elf, size_t len);
void bpfilter_helper_unload(void);
int bpfilter_helper_start(struct bpfilter_helper *helper);
void bpfilter_helper_stop(struct bpfilter_helper *helper);

/* mailbox.c */
int bpfilter_mailbox_init(const void *elf, size_t len);
void bpfilter_mailbox_exit(void);
int bpfilter_mailbox_start(void);
void bpfilter_mailbox_submit(struct bpfilter_call *call);
void bpfilter_mailbox_audit(const struct bpfilter_call *call);

/* transaction.c */
void bpfilter_transaction_begin(struct pid *helper, struct bpfilter_call *call);
void bpfilter_transaction_end(bool success);
bool bpfilter_transaction_loads(void);
void bpfilter_transaction_forget(struct net *net,
				 const struct bpfilter_table_desc *desc);
int bpfilter_private_set(int optname, sockptr_t optval, unsigned int optlen);
int bpfilter_private_get(int optname, char __user *optval, int len);
#ifdef CONFIG_LOCKDEP
bool bpfilter_transaction_held(void);
#else
static inline bool bpfilter_transaction_held(void)
{
	return true;
}
#endif

/**
 * struct bpfilter_table_desc - a table that is served
 * @family: NFPROTO_*
 * @table: BPFILTER_TABLE_*
 * @name: as iptables and the audit system call it
 * @hooks: where it is asked, a bit for each NF_INET_*
 * @priority: among those who are asked there, for each of @hooks
 * @nat: NAT asks it, and the first packet of a connection alone
 * @reroute: what it changes at LOCAL_OUT decides where a packet goes
 */
struct bpfilter_table_desc {
	u8 family;
	u8 table;
	const char *name;
	unsigned int hooks;
	int priority[BPFILTER_HOOKS];
	bool nat;
	bool reroute;
};

/**
 * struct bpfilter_program - what a packet at one hook needs of a generation, in one
 *	cache line
 * @prog: the program, or NULL where all packets get to the policy at once
 * @packets: where programs are handed packets, see struct bpfilter_generation
 * @counters: of the policy: packets and bytes on CPU 0. NULL with a program, or
 *	where the table is not asked
 * @row: how far it is from one CPU to the next
 * @policy: the verdict
 * @extensions: what the program may call, or NULL
 * @reads: BPFILTER_READS_*
 * @packet_size: bytes for one packet at @packets
 * @position: where a packet starts
 * @underflow: the position of the policy
 */
struct bpfilter_program {
	const struct bpf_prog *prog;
	void *packets;
	void *counters;
	const struct bpfilter_extensions *extensions;
	u64 reads;
	u32 packet_size;
	u32 position;
	u32 underflow;
	u32 row;
	unsigned int policy;
} __aligned(64);

/* The files of a generation, in the order of struct bpfilter_generation. */
#define FILE_COUNTERS	BPFILTER_HOOKS
#define FILE_IMAGE	(BPFILTER_HOOKS + 1)
#define FILE_PACKETS	(BPFILTER_HOOKS + 2)
#define FILES		(BPFILTER_HOOKS + 3)

/**
 * struct generation - what one COMMIT brought; does not change, but for @trace
 * @program: indexed by NF_INET_*
 * @extensions: the same as @program has
 * @charge: for programs and maps, or NULL
 * @desc: the table that it is for
 * @trace: what its rules are called, once something is traced in the namespace;
 *	written under the transaction's lock
 * @packets: has the memory that @program.packets points to, or NULL
 * @counters: likewise for @program.counters
 * @hooked: packets are to be given to it, at all hooks of the table
 * @file: what the descriptors named, to make new ones; NULL for no program
 * @committed: what was committed; of it only the numbers, not the descriptors
 */
struct generation {
	struct bpfilter_program program[BPFILTER_HOOKS];
	struct bpfilter_extensions *extensions;
	struct bpfilter_charge *charge;
	const struct bpfilter_table_desc *desc;
	struct bpfilter_trace *trace;
	struct bpf_map *packets;
	struct bpf_map *counters;
	bool hooked;
	struct file *file[FILES];
	struct bpfilter_generation committed;
};

struct bpfilter_table;

/**
 * struct bpfilter_hook - a hook of a table
 * @policy: what of the active generation all packets get to at once; NULL where that is
 *	a program, or rules have names to be told. Written under the transaction's
 *	lock; packets read it as packet.c says
 * @table: whose hook it is
 */
struct bpfilter_hook {
	const struct bpfilter_program *policy;
	const struct bpfilter_table *table;
};

/**
 * struct bpfilter_table - one table of a network namespace
 * @hook: indexed by NF_INET_*; the private data of @ops
 * @active: the generation, or NULL before the first COMMIT. Written under the
 *	transaction's lock; packets read it as packet.c says
 * @ops: the hooks, from the first generation with programs or policies on
 * @hooked: they are registered; under the transaction's lock
 * @conntrack: connection tracking is held; under the transaction's lock
 * @used: 0 until a request for the table succeeds; then its number among the
 *	namespace's tables. Set once, no lock
 * @entries: how many entries the table has; under the transaction's lock
 * @drops: a bit for each hook at which packets are dropped before there is a
 *	generation with programs or policies; then 0. Written by the namespace's
 *	init and under the transaction's lock
 */
struct bpfilter_table {
	struct bpfilter_hook hook[BPFILTER_HOOKS];
	struct generation *active;
	struct nf_hook_ops *ops;
	bool hooked;
	bool conntrack;
	int used;
	u32 entries;
	unsigned int drops;
};

/* Two families have the tables. */
#define BPFILTER_DESCS	(2 * BPFILTER_TABLES)

/* desc.c */
int bpfilter_descs_init(void);
const struct bpfilter_table_desc *bpfilter_desc_at(unsigned int i);
unsigned int bpfilter_desc_index(const struct bpfilter_table_desc *desc);
bool bpfilter_desc_served(const struct bpfilter_table_desc *desc);
int bpfilter_desc_priority(const struct bpfilter_table_desc *desc,
			   unsigned int hook);
const struct bpfilter_table_desc *bpfilter_table_desc(u32 family, u32 table);
const struct bpfilter_table_desc *
bpfilter_table_asked(const struct bpfilter_call *call);

/* tables.c */
int bpfilter_tables_init(void);
void bpfilter_tables_exit(void);
struct bpfilter_table *bpfilter_table_of(const struct net *net,
					 const struct bpfilter_table_desc *desc);
int bpfilter_table_hook(struct net *net,
			const struct bpfilter_table_desc *desc);
void bpfilter_table_unhook(struct net *net,
			   const struct bpfilter_table_desc *desc);
void bpfilter_table_reset(struct net *net,
			  const struct bpfilter_table_desc *desc);
void bpfilter_table_used(const struct bpfilter_call *call);
void bpfilter_table_audit(const struct bpfilter_call *call);
bool bpfilter_tables_traced(const struct net *net);
int bpfilter_tables_trace(struct net *net);
void bpfilter_tables_show(struct seq_file *seq, struct net *net, u8 family);

/* generation.c */
struct generation *
bpfilter_generation_get(const struct bpfilter_generation *fds,
			struct mem_cgroup *memcg,
			struct bpfilter_extensions **extensions);
void bpfilter_generation_free(struct generation *gen);
const struct bpf_prog *bpfilter_generation_own(const struct generation *gen,
					       int hook);
int bpfilter_generation_name(struct bpfilter_table *table);
int bpfilter_generation_swap(struct net *net, struct generation *gen,
			     struct generation **old);
void bpfilter_generation_settle(struct net *net, struct generation *gen,
				struct generation *old);
void bpfilter_generation_revert(struct net *net, struct generation *gen,
				struct generation *old);
void bpfilter_generation_release(struct net *net,
				 const struct bpfilter_table_desc *desc,
				 const struct generation *gen);
int bpfilter_generation_recover(struct net *net, char __user *optval);

/* Whether packets have the bit that says that they are traced. */
#define BPFILTER_TRACES	(IS_ENABLED(CONFIG_NETFILTER_XT_TARGET_TRACE) || \
			 IS_ENABLED(CONFIG_NF_TABLES))

/* trace.c */
struct bpfilter_trace *bpfilter_trace_new(const struct generation *gen);
void bpfilter_trace_free(struct bpfilter_trace *trace);
void bpfilter_trace_log(const struct bpfilter_trace *trace,
			const struct bpfilter_table_desc *desc, u32 start,
			u32 position, const struct sk_buff *skb,
			const struct nf_hook_state *state);

/* record.c */
u64 bpfilter_packet_reads(void);

/* packet.c */
unsigned int bpfilter_packet_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state);
void bpfilter_packets_wait(void);

/* reroute.c */
nf_hookfn *bpfilter_reroute_hook(u8 family);

/* procfs.c */
int bpfilter_proc_net_init(struct net *net);
void bpfilter_proc_net_exit(struct net *net);
int bpfilter_proc_set(int optname, sockptr_t optval, unsigned int optlen);
void bpfilter_proc_exit(void);

/* status.c */
int bpfilter_status_init(void);
void bpfilter_status_exit(void);
void bpfilter_status_helper(struct pid *pid);
void bpfilter_status_table(const struct net *net,
			   const struct bpfilter_table_desc *desc,
			   const struct generation *gen);
bool bpfilter_status_refusal_ok(const struct bpfilter_refusal *refusal);
void bpfilter_status_refused(const struct net *net,
			     const struct bpfilter_refusal *refusal);

/* boot.c */
int bpfilter_boot_init(void);
bool bpfilter_boot_commit(int err);
void bpfilter_boot_stay(void);
unsigned int bpfilter_boot_drops(const struct net *net,
				 const struct bpfilter_table_desc *desc);
bool bpfilter_boot_locks(const struct bpfilter_call *call);
struct bpfilter_call *bpfilter_boot_policies(struct bpfilter_call *call);

/* registered.c */
struct xt_match *bpfilter_registered_match(struct bpfilter_call *call,
					   u8 family, const char *name,
					   u8 revision);
struct xt_target *bpfilter_registered_target(struct bpfilter_call *call,
					     u8 family, const char *name,
					     u8 revision, bool *builtin);
int bpfilter_registered_data_size(struct bpfilter_call *call,
				  const struct bpfilter_extension_name *asked);
int bpfilter_registered_revision(struct bpfilter_call *call);
void bpfilter_registered_note(u8 family, const char *name, u8 revision,
			      bool is_target);
void bpfilter_registered_show(struct seq_file *seq, u8 family, bool targets);
void bpfilter_registered_forget(void);

/* extensions.c */
int bpfilter_extensions_add(struct bpfilter_extensions **all,
			    struct bpfilter_call *call,
			    const struct bpfilter_extension *asked);
void bpfilter_extensions_free(struct bpfilter_extensions *all);
const struct bpfilter_table_desc *
bpfilter_extensions_table(const struct bpfilter_extensions *all);

enum bpfilter_called {
	BPFILTER_CALLED_VERDICT,	/* there is a verdict */
	BPFILTER_CALLED_MATCH,		/* a match has answered */
	BPFILTER_CALLED_CHANGING_MATCH,	/* one that may have changed the packet */
	BPFILTER_CALLED_TARGET,		/* a target has let the packet go on */
};

void bpfilter_extensions_describe(struct xt_action_param *par,
				  const struct sk_buff *skb,
				  const struct nf_hook_state *state);
enum bpfilter_called
bpfilter_extensions_call(const struct bpfilter_extensions *all,
			 struct bpfilter_packet *packet, struct sk_buff *skb,
			 struct xt_action_param *par, unsigned int *verdict);

/* builtin_nat.c */
#if defined(CONFIG_BPFILTER_TARGETS) && IS_ENABLED(CONFIG_NF_NAT)
#define BPFILTER_BUILTIN_NAT	(7 + IS_ENABLED(CONFIG_IPV6))
extern struct xt_target bpfilter_builtin_nat[BPFILTER_BUILTIN_NAT];
int bpfilter_builtin_nat_init(void);
void bpfilter_builtin_nat_exit(void);
#else
static inline int bpfilter_builtin_nat_init(void)
{
	return 0;
}

static inline void bpfilter_builtin_nat_exit(void)
{
}
#endif

/* builtin.c */
#ifdef CONFIG_BPFILTER_TARGETS
struct xt_target *bpfilter_builtin_find(u8 family, const char *name,
					u8 revision, bool *named);
int bpfilter_builtin_check(struct xt_tgchk_param *par, unsigned int size);
void bpfilter_builtin_show(struct seq_file *seq, u8 family);
#else
static inline struct xt_target *
bpfilter_builtin_find(u8 family, const char *name, u8 revision, bool *named)
{
	*named = false;
	return NULL;
}

static inline int bpfilter_builtin_check(struct xt_tgchk_param *par,
					 unsigned int size)
{
	return -ENOENT;
}

static inline void bpfilter_builtin_show(struct seq_file *seq, u8 family)
{
}
#endif

#endif /* _NET_BPFILTER_INTERNAL_H */
