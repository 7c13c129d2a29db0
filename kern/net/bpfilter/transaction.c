// SPDX-License-Identifier: GPL-2.0-only
/*
 * transaction.c - the request in progress, and what the helper may do in it
 *
 * Owns: the private socket options (msgfmt.h), and who may use them: the
 * helper's own process, while it works on a request. They act on the network
 * namespace of that request, which the helper never names.
 *
 * Promises: for everybody else, and outside of a request, the private options
 * do not exist. What a request has committed stays only if it is answered with
 * success; else the namespace is as it was before. A helper that was given up
 * can change nothing any more, even while it is still dying.
 */
#include <linux/bpfilter.h>
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/netfilter/x_tables.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>
#include "internal.h"

/*
 * The request in progress, from bpfilter_transaction_begin() to _end():
 * @helper: the process that works on it
 * @call: what it is about; it has no namespace if it is the request after a start. The
 *	mailbox holds it to the end, whether its caller is still there or not
 * @extensions: what its rules use of x_tables, until COMMIT gives them to a generation
 * @gen, @old: what COMMIT has put in force, and what was in force before
 * @refusal: why it will fail, if @refused
 * @checks: since when an extension is being checked, in jiffies; 0: none is
 *
 * @lock protects all of it. The worker takes it at both ends, the helper for each
 * private option. @helper and @checks are also read without it, because the helper may
 * hold it for long.
 */
static struct {
	struct mutex lock; /* protects all of it */
	struct pid *helper;
	struct bpfilter_call *call;
	struct bpfilter_extensions *extensions;
	struct generation *gen;
	struct generation *old;
	struct bpfilter_refusal refusal;
	bool refused;
	unsigned long checks;
} transaction = {
	.lock = __MUTEX_INITIALIZER(transaction.lock),
};

/**
 * bpfilter_transaction_begin() - a request is about to be written
 * @helper: the process that will work on it
 * @call: what it is about
 */
void bpfilter_transaction_begin(struct pid *helper, struct bpfilter_call *call)
{
	mutex_lock(&transaction.lock);
	WRITE_ONCE(transaction.helper, get_pid(helper));
	transaction.call = call;
	mutex_unlock(&transaction.lock);
}

/* A check that takes longer than LOAD_MIN loads a module; than LOAD_MAX, it hangs. */
#define LOAD_MIN	HZ
#define LOAD_MAX	(60 * HZ)

/**
 * bpfilter_transaction_loads() - whether the helper waits for a module
 *
 * Some extensions load another module when they are checked (physdev), whose time
 * is not the helper's.
 *
 * Return: true if it is so.
 */
bool bpfilter_transaction_loads(void)
{
	unsigned long since = READ_ONCE(transaction.checks);

	return since && time_after(jiffies, since + LOAD_MIN) &&
	       time_before(jiffies, since + LOAD_MAX);
}

#ifdef CONFIG_LOCKDEP
/**
 * bpfilter_transaction_held() - whether this is under the transaction's lock
 *
 * Return: what lockdep knows of it.
 */
bool bpfilter_transaction_held(void)
{
	return lockdep_is_held(&transaction.lock);
}
#endif

/* The helper has found the number right. */
static void note_entries(struct bpfilter_call *call)
{
	const struct bpfilter_replace *asked = (const void *)call->optval.head;
	struct bpfilter_table *table;

	if (!bpfilter_call_replaces(call))
		return;
	table = bpfilter_table_of(call->net, transaction.gen->desc);
	call->entries_before = table->entries;
	table->entries = asked->num_entries;
}

/**
 * bpfilter_transaction_end() - the request is answered or given up
 * @success: whether the answer was 0
 */
void bpfilter_transaction_end(bool success)
{
	struct pid *helper;

	mutex_lock(&transaction.lock);
	if (transaction.gen && success) {
		note_entries(transaction.call);
		bpfilter_generation_settle(transaction.call->net,
					   transaction.gen, transaction.old);
		bpfilter_status_table(transaction.call->net,
				      transaction.gen->desc, transaction.gen);
	} else if (transaction.gen) {
		bpfilter_generation_revert(transaction.call->net,
					   transaction.gen, transaction.old);
	}
	bpfilter_extensions_free(transaction.extensions);
	/* A call that is made anew may yet succeed. */
	if (transaction.refused && !success && !transaction.call->load)
		bpfilter_status_refused(transaction.call->net,
					&transaction.refusal);
	helper = transaction.helper;
	WRITE_ONCE(transaction.helper, NULL);
	put_pid(helper);
	transaction.call = NULL;
	transaction.extensions = NULL;
	transaction.gen = NULL;
	transaction.old = NULL;
	transaction.refused = false;
	mutex_unlock(&transaction.lock);
}

/**
 * bpfilter_transaction_forget() - make a table as nobody has changed it
 * @net: the namespace
 * @desc: which of its tables
 *
 * Context: no request is in progress.
 */
void bpfilter_transaction_forget(struct net *net,
				 const struct bpfilter_table_desc *desc)
{
	struct bpfilter_table *table = bpfilter_table_of(net, desc);

	mutex_lock(&transaction.lock);
	bpfilter_table_reset(net, desc);
	if (table->active)
		bpfilter_generation_revert(net, table->active, NULL);
	bpfilter_status_table(net, desc, NULL);
	mutex_unlock(&transaction.lock);
}

/*
 * The old counters that a REPLACE gives back must not be lost for want of memory
 * once it has happened.
 */
static int reserve_counters(struct bpfilter_call *call,
			    const struct bpfilter_table_desc *desc)
{
	size_t entries = bpfilter_table_of(call->net, desc)->entries;

	if (!bpfilter_call_replaces(call))
		return 0;
	return bpfilter_call_reserve(call, array_size(entries,
						      sizeof(u64) * 2));
}

static int commit_generation(const struct bpfilter_generation *fds)
{
	struct bpfilter_call *call = transaction.call;
	struct generation *gen;
	int err;

	gen = bpfilter_generation_get(fds, call->memcg,
				      &transaction.extensions);
	if (IS_ERR(gen))
		return PTR_ERR(gen);
	err = reserve_counters(call, gen->desc);
	if (!err)
		err = bpfilter_generation_swap(call->net, gen,
					       &transaction.old);
	if (err) {
		bpfilter_generation_free(gen);
		return err;
	}
	transaction.gen = gen;
	return 0;
}

static int commit(sockptr_t optval, unsigned int optlen)
{
	struct bpfilter_generation fds;
	struct mem_cgroup *old_memcg;
	int err;

	if (optlen != sizeof(fds))
		return -EINVAL;
	if (copy_from_sockptr(&fds, optval, sizeof(fds)))
		return -EFAULT;
	/* One request makes one change. */
	if (transaction.gen)
		return -EBUSY;
	/* The caller pays for the names of rules, too. */
	old_memcg = set_active_memcg(transaction.call->memcg);
	err = commit_generation(&fds);
	set_active_memcg(old_memcg);
	return err;
}

static int recover(char __user *optval, int len)
{
	if (len != sizeof(struct bpfilter_generation))
		return -EINVAL;
	return bpfilter_generation_recover(transaction.call->net, optval);
}

/* The helper gets a descriptor of its own each time, if there is a file. */
static int give_optval(char __user *optval, int len)
{
	struct bpfilter_call *call = transaction.call;
	struct bpfilter_optval out = call->optval;

	if (len != sizeof(out))
		return -EINVAL;
	if (call->file) {
		out.file = get_unused_fd_flags(O_CLOEXEC);
		if (out.file < 0)
			return out.file;
	}
	if (copy_to_user(optval, &out, sizeof(out))) {
		if (call->file)
			put_unused_fd(out.file);
		return -EFAULT;
	}
	if (call->file)
		fd_install(out.file, get_file(call->file));
	return 0;
}

static int add_answer(sockptr_t optval, unsigned int optlen)
{
	struct bpfilter_answer answer;

	if (optlen != sizeof(answer))
		return -EINVAL;
	if (copy_from_sockptr(&answer, optval, sizeof(answer)))
		return -EFAULT;
	return bpfilter_call_answer(transaction.call, &answer);
}

/* The last one counts: the helper gives no other. */
static int note_refusal(sockptr_t optval, unsigned int optlen)
{
	struct bpfilter_refusal *refusal = &transaction.refusal;

	transaction.refused = false;
	if (optlen != sizeof(*refusal))
		return -EINVAL;
	if (copy_from_sockptr(refusal, optval, sizeof(*refusal)))
		return -EFAULT;
	if (!bpfilter_status_refusal_ok(refusal))
		return -EINVAL;
	transaction.refused = true;
	return 0;
}

static int give_machine(char __user *optval, int len)
{
	const struct bpfilter_machine machine = {
		.reads = bpfilter_packet_reads(),
		.cpus = nr_cpu_ids,
	};

	if (len != sizeof(machine))
		return -EINVAL;
	return copy_to_user(optval, &machine, sizeof(machine)) ? -EFAULT : 0;
}

static int add_extension(sockptr_t optval, unsigned int optlen)
{
	struct bpfilter_call *call = transaction.call;
	struct bpfilter_extension asked;
	struct mem_cgroup *old_memcg;
	const struct cred *old_cred;
	int ret;

	if (optlen != sizeof(asked))
		return -EINVAL;
	if (copy_from_sockptr(&asked, optval, sizeof(asked)))
		return -EFAULT;
	/* It is the caller's rule: it may look up what it does, and pays. */
	WRITE_ONCE(transaction.checks, jiffies | 1);
	old_cred = override_creds(call->cred);
	old_memcg = set_active_memcg(call->memcg);
	ret = bpfilter_extensions_add(&transaction.extensions, call, &asked);
	set_active_memcg(old_memcg);
	revert_creds(old_cred);
	WRITE_ONCE(transaction.checks, 0);
	return ret;
}

static int data_size(sockptr_t optval, unsigned int optlen)
{
	struct bpfilter_extension_name asked;

	if (optlen != sizeof(asked))
		return -EINVAL;
	if (copy_from_sockptr(&asked, optval, sizeof(asked)))
		return -EFAULT;
	return bpfilter_registered_data_size(transaction.call, &asked);
}

/*
 * The caller is the process that works on the request. Certain under the lock;
 * without it for everybody but the helper, who is told of a request after begin.
 */
static bool is_helper(void)
{
	return READ_ONCE(transaction.helper) == task_tgid(current);
}

/**
 * bpfilter_private_set() - a setsockopt of the private range
 * @optname: the option
 * @optval: the caller's data
 * @optlen: the length of it
 *
 * Return: 0, or what the option gives; or a negative errno, -ENOPROTOOPT where the
 * option does not exist for this caller.
 */
int bpfilter_private_set(int optname, sockptr_t optval, unsigned int optlen)
{
	int err = -ENOPROTOOPT;

	if (!is_helper())
		return err;
	mutex_lock(&transaction.lock);
	if (is_helper()) {
		switch (optname) {
		case BPFILTER_SO_COMMIT:
			if (transaction.call->net)
				err = commit(optval, optlen);
			break;
		case BPFILTER_SO_ANSWER:
			if (transaction.call->net)
				err = add_answer(optval, optlen);
			break;
		case BPFILTER_SO_EXTENSION:
			if (transaction.call->net)
				err = add_extension(optval, optlen);
			break;
		case BPFILTER_SO_REFUSED:
			if (transaction.call->net)
				err = note_refusal(optval, optlen);
			break;
		case BPFILTER_SO_DATA_SIZE:
			if (transaction.call->net)
				err = data_size(optval, optlen);
			break;
		case BPFILTER_SO_MATCHES:
		case BPFILTER_SO_TARGETS:
		case BPFILTER_SO_MATCHES6:
		case BPFILTER_SO_TARGETS6:
			err = bpfilter_proc_set(optname, optval, optlen);
			break;
		}
	}
	mutex_unlock(&transaction.lock);
	return err;
}

/**
 * bpfilter_private_get() - a getsockopt of the private range
 * @optname: the option
 * @optval: where the caller wants the answer
 * @len: the length of it
 *
 * Return: 0 or a negative errno; -ENOPROTOOPT where the option does not exist
 * for this caller.
 */
int bpfilter_private_get(int optname, char __user *optval, int len)
{
	int err = -ENOPROTOOPT;

	if (!is_helper())
		return err;
	mutex_lock(&transaction.lock);
	if (is_helper()) {
		switch (optname) {
		case BPFILTER_SO_RECOVER:
			if (transaction.call->net)
				err = recover(optval, len);
			break;
		case BPFILTER_SO_OPTVAL:
			if (transaction.call->net)
				err = give_optval(optval, len);
			break;
		case BPFILTER_SO_MACHINE:
			err = give_machine(optval, len);
			break;
		}
	}
	mutex_unlock(&transaction.lock);
	return err;
}
