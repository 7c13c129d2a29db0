/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * internal.h - what the files of the bpfilter module promise each other
 *
 *	bpfilter_kern.c	init and exit
 *	mailbox.c	the helper's life, its pipes, one request at a time
 *	transaction.c	the request in progress and its private options
 *	generation.c	the rules of each network namespace, the packet hooks
 *	procfs.c	/proc/net/ip_tables_*
 *	kfuncs.c	what programs call; in the kernel, not in the module
 *	extensions.c	x_tables' matches and targets; likewise
 *
 * Locks, outermost first: the mailbox's, the transaction's, then procfs's.
 */
#ifndef _NET_BPFILTER_INTERNAL_H
#define _NET_BPFILTER_INTERNAL_H

#include <linux/percpu.h>
#include <linux/sockptr.h>
#include <linux/types.h>
#include "msgfmt.h"

struct bpfilter_extensions;
struct generation;
struct ipt_reject_info;
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

/* mailbox.c */
int bpfilter_mailbox_init(const void *elf, size_t len);
void bpfilter_mailbox_exit(void);
int bpfilter_mailbox_start(void);
int bpfilter_mailbox_request(struct net *net,
			     const struct bpfilter_request *req);

/* transaction.c */
void bpfilter_transaction_begin(struct pid *helper, struct net *net);
void bpfilter_transaction_end(bool success);
int bpfilter_private_set(int optname, sockptr_t optval, unsigned int optlen);
int bpfilter_private_get(int optname, char __user *optval, int __user *optlen);

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
void bpfilter_table_replaced(struct net *net, u32 entries);
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
