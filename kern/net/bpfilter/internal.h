/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * internal.h - what the files of the bpfilter module promise each other
 *
 *	sockopt.c	the hook point; in the kernel, not in the module
 *	call.c		a client's call: its optval by copy, its answer; likewise
 *	bpfilter_kern.c	init and exit
 *	mailbox.c	the helper's life, its pipes, who is served next
 *	transaction.c	the request in progress and its private options
 *	generation.c	the rules of each network namespace, the packet hooks
 *	procfs.c	/proc/net/ip_tables_*
 *	kfuncs.c	what programs call; in the kernel, not in the module
 *	extensions.c	x_tables' matches and targets; likewise
 *
 * Who is served (mailbox.c) takes the transaction's lock, and within it procfs's.
 */
#ifndef _NET_BPFILTER_INTERNAL_H
#define _NET_BPFILTER_INTERNAL_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/sockptr.h>
#include <linux/types.h>
#include "msgfmt.h"

struct bpfilter_extensions;
struct cgroup_namespace;
struct cred;
struct file;
struct generation;
struct ipt_reject_info;
struct mem_cgroup;
struct net;
struct nf_hook_state;
struct pid;
struct seq_file;
struct sk_buff;
struct xt_addrtype_info_v1;
struct xt_connmark_tginfo2;
struct xt_log_info;
struct xt_mark_tginfo2;
struct xt_nflog_info;

/* bpfilter_umh_blob.S */
extern const char _binary_net_bpfilter_bpfilter_umh_start[];
extern const char _binary_net_bpfilter_bpfilter_umh_end[];

/**
 * struct bpfilter_call - a client's call
 * @refs: the caller's, and that of a request that has outlived its caller
 * @req: what the helper is told
 * @net: the network namespace that it is about
 * @cred: the caller's
 * @cgroup_ns: the caller's, to be compared with the helper's and nothing else
 * @memcg: who pays for memory
 * @optval: what the helper gets of the caller's memory
 * @file: the file for it, or NULL
 * @answers: what the helper has put down; of the request in progress
 * @answered: how many bytes of it there are
 * @to: where in the caller's memory it goes
 * @entries_before: of the table that a REPLACE has replaced
 * @turns: among the first of each user namespace, or those behind a first one;
 *	this and what follows are mailbox.c's, under its lock
 * @followers: of a first one, those of the same user namespace behind it
 * @turn: it is served now
 */
struct bpfilter_call {
	refcount_t refs;
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
	struct list_head turns;
	struct list_head followers;
	struct completion turn;
};

/* call.c */
struct bpfilter_call *bpfilter_call_new(struct net *net,
					const struct bpfilter_request *req,
					sockptr_t optval);
int bpfilter_call_give(struct bpfilter_call *call);
void bpfilter_call_put(struct bpfilter_call *call);
int bpfilter_call_reserve(struct bpfilter_call *call, size_t size);
int bpfilter_call_answer(struct bpfilter_call *call,
			 const struct bpfilter_answer *answer);

/* mailbox.c */
int bpfilter_mailbox_init(const void *elf, size_t len);
void bpfilter_mailbox_exit(void);
int bpfilter_mailbox_start(void);
int bpfilter_mailbox_request(struct bpfilter_call *call);

/* transaction.c */
void bpfilter_transaction_begin(struct pid *helper, struct bpfilter_call *call);
void bpfilter_transaction_end(bool success);
int bpfilter_private_set(int optname, sockptr_t optval, unsigned int optlen);
int bpfilter_private_get(int optname, char __user *optval, int __user *optlen);
#ifdef CONFIG_LOCKDEP
bool bpfilter_transaction_held(void);
#else
static inline bool bpfilter_transaction_held(void)
{
	return true;
}
#endif

/* generation.c */
int bpfilter_generation_init(void);
void bpfilter_generation_exit(void);
struct generation *
bpfilter_generation_get(const struct bpfilter_generation *fds,
			struct bpfilter_extensions **extensions);
void bpfilter_generation_free(struct generation *gen);
int bpfilter_generation_swap(struct net *net, struct generation *gen,
			     struct generation **old);
void bpfilter_generation_settle(struct net *net, struct generation *old);
void bpfilter_generation_revert(struct net *net, struct generation *old);
int bpfilter_generation_recover(struct net *net, char __user *optval);
void bpfilter_table_used(struct net *net);
u32 bpfilter_table_replaced(struct net *net, u32 entries);
void bpfilter_table_audit(u32 entries_before);
u32 bpfilter_table_entries(struct net *net);
bool bpfilter_table_in_use(struct net *net);

/* procfs.c */
int bpfilter_proc_net_init(struct net *net);
void bpfilter_proc_net_exit(struct net *net);
int bpfilter_proc_set(int optname, sockptr_t optval, unsigned int optlen);
void bpfilter_proc_exit(void);

/* kfuncs.c, for programs alone */
u32 bpf_xt_reject(struct sk_buff *skb, const struct nf_hook_state *state,
		  const struct ipt_reject_info *info);
u32 bpf_xt_log(struct sk_buff *skb, const struct nf_hook_state *state,
	       const struct xt_log_info *info);
u32 bpf_xt_nflog(struct sk_buff *skb, const struct nf_hook_state *state,
		 const struct xt_nflog_info *info);
u32 bpf_xt_set_mark(struct sk_buff *skb, const struct nf_hook_state *state,
		    const struct xt_mark_tginfo2 *info);
u32 bpf_xt_connmark(struct sk_buff *skb, const struct nf_hook_state *state,
		    const struct xt_connmark_tginfo2 *info);
bool bpf_xt_addrtype(struct sk_buff *skb, const struct nf_hook_state *state,
		     const struct xt_addrtype_info_v1 *info);
s64 bpf_xt_wall_clock(u32 local);

/* extensions.c */
u32 bpf_xt_match(struct sk_buff *skb, const struct nf_hook_state *state,
		 const u32 *index);
u32 bpf_xt_target(struct sk_buff *skb, const struct nf_hook_state *state,
		  const u32 *index);

/**
 * struct bpfilter_run - a program that runs, for the kfuncs that it calls
 * @state: the hook that it runs at; NULL once the packet has met its end
 * @extensions: the instances that it may ask
 * @verdict: what became of the packet, if @ended
 * @ended: a target has decided
 * @hotdrop: a match wants the packet dropped, and has said yes all the same
 */
struct bpfilter_run {
	const struct nf_hook_state *state;
	const struct bpfilter_extensions *extensions;
	unsigned int verdict;
	bool ended;
	bool hotdrop;
};

#ifdef CONFIG_BPFILTER_EXTENSIONS
DECLARE_PER_CPU(struct bpfilter_run *, bpfilter_run);

int bpfilter_extensions_add(struct bpfilter_extensions **all, struct net *net,
			    bool same_cgroup_ns,
			    const struct bpfilter_extension *asked);
void bpfilter_extensions_free(struct bpfilter_extensions *all);
void bpfilter_extensions_show(struct seq_file *seq, bool targets);
int bpfilter_extensions_revision(const char __user *optval, int len,
				 bool is_target);

/* From here until bpfilter_run_end(), with bottom halves off, kfuncs find it. */
static inline struct bpfilter_run *bpfilter_run_begin(struct bpfilter_run *run)
{
	struct bpfilter_run *outer = this_cpu_read(bpfilter_run);

	this_cpu_write(bpfilter_run, run);
	return outer;
}

static inline void bpfilter_run_end(struct bpfilter_run *outer)
{
	this_cpu_write(bpfilter_run, outer);
}
#else
static inline int
bpfilter_extensions_add(struct bpfilter_extensions **all, struct net *net,
			bool same_cgroup_ns,
			const struct bpfilter_extension *asked)
{
	return -ENOPROTOOPT;
}

static inline void bpfilter_extensions_free(struct bpfilter_extensions *all)
{
}

static inline void bpfilter_extensions_show(struct seq_file *seq, bool targets)
{
}

static inline struct bpfilter_run *bpfilter_run_begin(struct bpfilter_run *run)
{
	return NULL;
}

static inline void bpfilter_run_end(struct bpfilter_run *outer)
{
}
#endif

#endif /* _NET_BPFILTER_INTERNAL_H */
