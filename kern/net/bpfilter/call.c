// SPDX-License-Identifier: GPL-2.0-only
/*
 * call.c - one get/setsockopt call of a client, from its optval to its answer
 *
 * Owns: the copy of the caller's optval, made before the call queues, and what
 * the helper puts down for the caller, copied out after the helper is free again;
 * the memory for both, which is charged to the caller; and the caller's wait for
 * its answer. Always built in: a module that goes waits for no caller.
 *
 * Promises: the caller's memory is touched by the caller's own process alone. If
 * it does not answer (a file system in user space, userfaultfd) nobody else
 * waits for it, and nobody sees it change. A caller can be killed and frozen while
 * it waits; it holds no lock then, and nobody waits for it. A call lives until its
 * caller and the mailbox are done with it: either may be gone first.
 *
 * Leaves to others: the queue and the helper (mailbox.c), what the helper may do
 * meanwhile (transaction.c).
 */
#include <linux/bpfilter.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/kmod.h>
#include <linux/memcontrol.h>
#include <linux/netfilter/x_tables.h>
#include <linux/nsproxy.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>
#include "compat.h"
#include "internal.h"

/* The most bytes of a table that ip_tables takes: no more are ever looked at. */
#define OPTVAL_MAX	SZ_512M

/**
 * struct answer - bytes that wait for the caller
 * @list: in the order in which they go
 * @used: how many there are
 * @size: how many have room
 * @data: they themselves
 */
struct answer {
	struct list_head list;
	size_t used;
	size_t size;
	u8 data[];
};

/*
 * How many bytes stand before the entries or counters of each command, or are
 * all that it gives: as much as ip_tables copies first. A 32-bit program may have
 * fewer; then some of what follows is among them.
 */
static unsigned int head_len(const struct bpfilter_request *req)
{
	if (req->is_set)
		return req->cmd == BPFILTER_IPT_SO_SET_REPLACE ?
		       BPFILTER_HEAD_MAX : sizeof(struct xt_counters_info);
	switch (req->cmd) {
	case BPFILTER_IPT_SO_GET_INFO:
		return XT_TABLE_MAXNAMELEN;
	case BPFILTER_IPT_SO_GET_ENTRIES:
		/* A name and a size, and entries that may need alignment. */
		return XT_TABLE_MAXNAMELEN + sizeof(u64);
	default:
		return sizeof(struct xt_get_revision);
	}
}

/* How many bytes of @len there are at @offset of the caller's memory. */
static size_t copy_some(void *to, sockptr_t optval, size_t offset, size_t len)
{
	if (!sockptr_is_kernel(optval))
		return len - copy_from_user(to, optval.user + offset, len);
	memcpy(to, optval.kernel + offset, len);
	return len;
}

/*
 * A file in memory with the head, which was copied already, and what follows it
 * in the caller's memory, page by page. The helper makes a table image of it, so
 * it can be sealed. Without memory the call fails; nobody is killed for it.
 *
 * Returns why there is no more of it than call->optval.len.
 */
static int copy_rest(struct bpfilter_call *call, sockptr_t optval, size_t len)
{
	const gfp_t gfp = GFP_HIGHUSER | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
	size_t done = call->optval.len;
	size_t at, now, got;
	struct page *page;
	void *to;

	call->file = shmem_kernel_file_setup("bpfilter-optval", len,
					     BPFILTER_NORESERVE);
	if (IS_ERR(call->file)) {
		call->file = NULL;
		return -ENOMEM;
	}
	/* As memfd_create() leaves it. */
	call->file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
	SHMEM_I(file_inode(call->file))->seals = 0;

	for (at = 0; at < len; at += PAGE_SIZE) {
		if (fatal_signal_pending(current))
			break;
		page = shmem_read_mapping_page_gfp(call->file->f_mapping,
						   at >> PAGE_SHIFT, gfp);
		if (IS_ERR(page))
			return -ENOMEM;
		to = kmap_local_page(page);
		if (!at)
			memcpy(to, call->optval.head, done);
		now = min_t(size_t, len - at, PAGE_SIZE) - (done - at);
		got = copy_some(to + (done - at), optval, done, now);
		kunmap_local(to);
		set_page_dirty(page);
		put_page(page);
		done += got;
		call->optval.len = done;
		if (got < now)
			return -EFAULT;
		cond_resched();
	}
	return -EFAULT;
}

/*
 * What ip_tables would find in the caller's memory. Where it is not all there, or
 * there is no memory for it, the helper finds that when it comes to it: what it
 * checks before must fail first.
 */
static void copy_optval(struct bpfilter_call *call, sockptr_t optval)
{
	unsigned int len = call->req.len;
	unsigned int head = min(head_len(&call->req), len);

	call->optval.file = -1;
	call->optval.error = -EFAULT;
	call->optval.len = copy_some(call->optval.head, optval, 0, head);
	if (call->optval.len == head && call->req.is_set && len > head)
		call->optval.error = copy_rest(call, optval,
					       min_t(u32, len, OPTVAL_MAX));
}

static void free_call(struct bpfilter_call *call)
{
	struct answer *answer, *next;

	list_for_each_entry_safe(answer, next, &call->answers, list)
		kvfree(answer);
	if (call->file)
		fput(call->file);
	mem_cgroup_put(call->memcg);
	put_cred(call->cred);
	put_net(call->net);
	kfree(call);
}

/**
 * bpfilter_call_put() - somebody is done with a call
 * @call: the call
 *
 * Context: process context.
 */
void bpfilter_call_put(struct bpfilter_call *call)
{
	if (refcount_dec_and_test(&call->refs))
		free_call(call);
}
EXPORT_SYMBOL_GPL(bpfilter_call_put);

/* Room for @size bytes more, charged to the caller, whoever asks for it. */
static struct answer *add_room(struct bpfilter_call *call, size_t size)
{
	struct mem_cgroup *old = set_active_memcg(call->memcg);
	struct answer *answer;

	answer = kvmalloc(struct_size(answer, data, size),
			  GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
			  __GFP_NOWARN);
	set_active_memcg(old);
	if (!answer)
		return NULL;
	answer->used = 0;
	answer->size = size;
	list_add_tail(&answer->list, &call->answers);
	return answer;
}

/**
 * bpfilter_call_reserve() - have room for an answer that must not fail later
 * @call: the call, with no answer yet
 * @size: its bytes
 *
 * Return: 0 or -ENOMEM.
 */
int bpfilter_call_reserve(struct bpfilter_call *call, size_t size)
{
	return add_room(call, size) ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(bpfilter_call_reserve);

/**
 * bpfilter_call_answer() - bytes that the helper has for the caller
 * @call: the call
 * @answer: where they are and where they go, behind those before
 *
 * Context: the helper's process.
 * Return: 0 or a negative errno.
 */
int bpfilter_call_answer(struct bpfilter_call *call,
			 const struct bpfilter_answer *answer)
{
	const void __user *from = u64_to_user_ptr(answer->from);
	struct answer *last = NULL;

	if (answer->len > OPTVAL_MAX)
		return -EINVAL;
	if (!call->answered)
		call->to = answer->to;
	if (answer->to != call->to + call->answered)
		return -EINVAL;

	if (!list_empty(&call->answers))
		last = list_last_entry(&call->answers, struct answer, list);
	if (!last || last->size - last->used < answer->len)
		last = add_room(call, answer->len);
	if (!last)
		return -ENOMEM;
	if (copy_from_user(last->data + last->used, from, answer->len))
		return -EFAULT;
	last->used += answer->len;
	call->answered += answer->len;
	return 0;
}
EXPORT_SYMBOL_GPL(bpfilter_call_answer);

/**
 * bpfilter_call_new() - a call of a client
 * @net: the namespace of the client's socket
 * @family: NFPROTO_* of the option
 * @req: what it asks
 * @optval: the memory that @req is about
 *
 * Context: the client's process; waits for its memory.
 * Return: the call, to be put; or -ENOMEM; or -EINTR, killed while waiting.
 */
struct bpfilter_call *bpfilter_call_new(struct net *net, u8 family,
					const struct bpfilter_request *req,
					sockptr_t optval)
{
	struct bpfilter_call *call;

	call = kzalloc(sizeof(*call), GFP_KERNEL_ACCOUNT);
	if (!call)
		return ERR_PTR(-ENOMEM);
	refcount_set(&call->refs, 1);
	atomic_set(&call->state, BPFILTER_CALL_WAITS);
	init_completion(&call->done);
	call->req = *req;
	call->optval.family = family;
	call->net = get_net(net);
	call->cred = get_current_cred();
	call->cgroup_ns = current->nsproxy->cgroup_ns;
	call->memcg = get_mem_cgroup_from_mm(current->mm);
	INIT_LIST_HEAD(&call->answers);

	copy_optval(call, optval);
	/* Memory that does not answer ends with the process that waits for it. */
	if (fatal_signal_pending(current)) {
		bpfilter_call_put(call);
		return ERR_PTR(-EINTR);
	}
	return call;
}
EXPORT_SYMBOL_GPL(bpfilter_call_new);

/**
 * bpfilter_call_asks_revision() - whether a call is about an extension, not about a
 *	table
 * @call: the call
 *
 * Return: true for GET_REVISION_MATCH and GET_REVISION_TARGET.
 */
bool bpfilter_call_asks_revision(const struct bpfilter_call *call)
{
	/* Those of IPv6 have higher numbers. */
	BUILD_BUG_ON((int)BPFILTER_IP6T_SO_GET_REVISION_MATCH <
		     (int)BPFILTER_IPT_SO_GET_REVISION_MATCH);
	return !call->req.is_set &&
	       call->req.cmd >= BPFILTER_IPT_SO_GET_REVISION_MATCH;
}
EXPORT_SYMBOL_GPL(bpfilter_call_asks_revision);

/**
 * bpfilter_call_replaces() - whether a call is a REPLACE
 * @call: the call
 *
 * Return: true if it is so.
 */
bool bpfilter_call_replaces(const struct bpfilter_call *call)
{
	/* GET_INFO has the same number. */
	return call->req.is_set && call->req.cmd == BPFILTER_IPT_SO_SET_REPLACE;
}
EXPORT_SYMBOL_GPL(bpfilter_call_replaces);

/**
 * bpfilter_call_again() - whether a call that has ended is to be made anew
 * @call: the call, which is put
 * @err: its errno or 0
 * @modules: what was loaded for it before; receives that which is loaded now, as
 *	x_tables names its module
 *
 * Where a match or target is not there its module is loaded here, when nothing is
 * in progress: nobody else waits for modprobe.
 *
 * Context: process context, no locks held, sleeps.
 * Return: true if a module was to be loaded.
 */
bool bpfilter_call_again(struct bpfilter_call *call, int err,
			 struct bpfilter_modules *modules)
{
	/* One that was left may still be in progress. */
	bool load = err && err != -EINTR && call->load;
	bool ipv6 = call->optval.family == NFPROTO_IPV6;

	if (load)
		*modules = call->modules;
	bpfilter_call_put(call);
	if (load)
		request_module("%st_%s", ipv6 ? "ip6" : "ip",
			       modules->loaded);
	return load;
}
EXPORT_SYMBOL_GPL(bpfilter_call_again);

static bool change_state(struct bpfilter_call *call, int from, int to)
{
	return atomic_cmpxchg(&call->state, from, to) == from;
}

/*
 * Whether the caller can go before there is an answer. Where the call's turn has not
 * come the copy of the optval goes, too: it may be large and the turn far away, and a
 * killed process gives back what it has.
 */
static bool leave(struct bpfilter_call *call)
{
	if (!change_state(call, BPFILTER_CALL_WAITS, BPFILTER_CALL_LEFT))
		return change_state(call, BPFILTER_CALL_OPEN, BPFILTER_CALL_LEFT);
	if (call->file)
		fput(call->file);
	call->file = NULL;
	return true;
}

/**
 * bpfilter_call_wait() - wait for the answer to a call
 * @call: the call, which was submitted
 *
 * Context: the client's process, no locks held.
 * Return: its status; or -EINTR, killed before. What was asked may happen then or
 * not.
 */
int bpfilter_call_wait(struct bpfilter_call *call)
{
	int err;

	err = wait_for_completion_state(&call->done,
					TASK_KILLABLE | TASK_FREEZABLE);
	if (err) {
		if (leave(call))
			return -EINTR;
		/* It is ending: a cmpxchg that fails orders no reads behind it. */
		wait_for_completion(&call->done);
	}
	return call->status;
}

/**
 * bpfilter_call_begin() - the turn of a call has come
 * @call: a call that waits
 *
 * Return: false if nobody waits for the answer any more.
 */
bool bpfilter_call_begin(struct bpfilter_call *call)
{
	return change_state(call, BPFILTER_CALL_WAITS, BPFILTER_CALL_OPEN);
}
EXPORT_SYMBOL_GPL(bpfilter_call_begin);

/**
 * bpfilter_call_end() - the answer to a call, with which the mailbox is done
 * @call: the call, which has begun and not ended yet
 * @status: what the caller gets
 *
 * Context: process context; does not wait.
 * Return: whether the caller gets it. If not, it has left.
 */
bool bpfilter_call_end(struct bpfilter_call *call, int status)
{
	call->status = status;
	if (!change_state(call, BPFILTER_CALL_OPEN, BPFILTER_CALL_ENDED))
		return false;
	complete(&call->done);
	return true;
}
EXPORT_SYMBOL_GPL(bpfilter_call_end);

/**
 * bpfilter_call_give() - give a caller what the helper has put down for it
 * @call: the call, which the helper has answered with success
 *
 * Context: the client's process; waits for its memory, when the helper works for
 * others already.
 * Return: 0 or -EFAULT.
 */
int bpfilter_call_give(struct bpfilter_call *call)
{
	struct answer *answer;
	u64 to = call->to;

	list_for_each_entry(answer, &call->answers, list) {
		if (copy_to_user(u64_to_user_ptr(to), answer->data,
				 answer->used))
			/* Old counters that REPLACE gives back fail nothing. */
			return call->req.is_set ? 0 : -EFAULT;
		to += answer->used;
	}
	return 0;
}
