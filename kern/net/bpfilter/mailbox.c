// SPDX-License-Identifier: GPL-2.0-only
/*
 * mailbox.c - the helper's life, and one request at a time through its pipes
 *
 * Owns: when the helper is started and stopped, the worker that speaks to it, who is
 * served next, and the time that an answer may take.
 *
 * Promises: a caller gets the answer to its own request or an error, never
 * another caller's answer: pipes that may still carry one are dropped together
 * with the process behind them. An answer that has not come within TIMEOUT is
 * given up; while the check of an extension loads a module, a minute later. Of those who
 * have calls waiting each is served in turn, however many it has: the first user
 * namespace, each user with all user namespaces that it has made, and each that root
 * has made. A status that is not 0 or a negative errno reaches nobody. No request is in
 * progress while the machine goes to sleep.
 *
 * Leaves to others: the helper's process (helper.c), what a request means, who may
 * make one (sockopt.c), and the caller, which waits in call.c.
 *
 * All of it is done by the worker, never by a caller's process: one that is
 * killed, frozen or hardly given a CPU while its request is in progress would hold
 * up everybody else. Nor is a security module asked whether the caller may use a
 * pipe, or a signal sent to it when the helper has died.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bpfilter.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/notifier.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/suspend.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "compat.h"
#include "internal.h"

/* How long an answer may take. */
#define TIMEOUT		(5 * HZ)

/* How long rmmod waits for a killed helper to be gone. */
#define EXIT_TIMEOUT	(10 * HZ)
/* How often it looks: what wakes it comes a moment before the helper is gone. */
#define EXIT_LOOK	msecs_to_jiffies(10)

static void serve(struct kthread_work *work);

/*
 * @turns are the calls that wait: one for each who has turns, see share_turns(), in
 * the order of these, with all others of the same as its followers. @work
 * serves them, until there is none left.
 */
static struct {
	spinlock_t lock; /* protects @turns, @asleep and the calls' places */
	struct list_head turns;
	bool asleep; /* nobody is served */
	bool closed; /* nobody is served any more; written before a flush */
	struct kthread_worker *worker;
	struct kthread_work work;
	struct workqueue_struct *late; /* audit records of who has left */
} mailbox = {
	.lock = __SPIN_LOCK_UNLOCKED(mailbox.lock),
	.turns = LIST_HEAD_INIT(mailbox.turns),
	.work = KTHREAD_WORK_INIT(mailbox.work, serve),
};

/* The worker's. */
static struct bpfilter_helper helper;

/* What wakes the worker that waits for an answer. */
struct reply_wait {
	poll_table table;
	wait_queue_entry_t entry;
	wait_queue_head_t *head;
	struct completion ready;
};

static bool pid_gone(struct pid *pid)
{
	bool gone;

	rcu_read_lock();
	gone = !pid_task(pid, PIDTYPE_TGID);
	rcu_read_unlock();
	return gone;
}

/*
 * Whether a request may be written. A helper that was killed may take a while
 * to die, and one that left unasked bytes in its pipe cannot be trusted.
 */
static bool helper_usable(void)
{
	struct task_struct *task;
	bool dying = true;

	if (!helper.tgid)
		return false;

	rcu_read_lock();
	task = pid_task(helper.tgid, PIDTYPE_TGID);
	if (task)
		dying = (READ_ONCE(task->flags) & PF_EXITING) ||
			(READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT) ||
			__fatal_signal_pending(task);
	rcu_read_unlock();

	return !dying && !(vfs_poll(helper.from, NULL) &
			   (EPOLLIN | EPOLLERR | EPOLLHUP));
}

static int write_request(const struct bpfilter_request *req)
{
	ssize_t n = kernel_write(helper.to, req, sizeof(*req), NULL);

	if (n != sizeof(*req)) {
		pr_err_ratelimited("request not written: %zd\n", n);
		return -EFAULT;
	}
	return 0;
}

/* The ends of the pipes never block: waiting is done on the wait queue. */
static int reply_wake(wait_queue_entry_t *entry, unsigned int mode, int sync,
		      void *key)
{
	struct reply_wait *wait = container_of(entry, struct reply_wait, entry);

	complete(&wait->ready);
	return 0;
}

static void reply_enqueue(struct file *file, wait_queue_head_t *head,
			  poll_table *table)
{
	struct reply_wait *wait = container_of(table, struct reply_wait, table);

	wait->head = head;
	add_wait_queue(head, &wait->entry);
}

/* -EAGAIN where none comes in time. */
static ssize_t wait_for_reply(struct bpfilter_reply *reply)
{
	unsigned long now, end = jiffies + TIMEOUT;
	struct reply_wait wait = {};
	ssize_t n;

	init_completion(&wait.ready);
	init_waitqueue_func_entry(&wait.entry, reply_wake);
	init_poll_funcptr(&wait.table, reply_enqueue);
	vfs_poll(helper.from, &wait.table);

	for (;;) {
		n = kernel_read(helper.from, reply, sizeof(*reply),
				NULL);
		now = jiffies;
		if (n == -EAGAIN && time_after_eq(now, end) &&
		    bpfilter_transaction_loads())
			end = now + TIMEOUT;
		if (n != -EAGAIN || time_after_eq(now, end))
			break;
		/* A worker has no signals; so it is no load. */
		wait_for_completion_interruptible_timeout(&wait.ready,
							  end - now);
	}

	remove_wait_queue(wait.head, &wait.entry);
	return n;
}

/*
 * Ends a request whose answer wait_for_reply() has found, or not. Any failure of
 * the mailbox itself ends the helper.
 */
static int end_request(const struct bpfilter_call *call, ssize_t n,
		       const struct bpfilter_reply *reply)
{
	int status;

	if (n == -EAGAIN) {
		pr_err_ratelimited("no answer to command %u of process %u in time\n",
				   call->req.cmd, call->req.pid);
		status = -ETIMEDOUT;
	} else if (n != sizeof(*reply)) {
		pr_err_ratelimited("answer not read: %zd\n", n);
		status = -EFAULT;
	} else if (reply->status > 0 || reply->status <= -ERESTARTSYS) {
		/* ERESTARTSYS and above are the kernel's own. */
		pr_err_ratelimited("the helper answered %d, which is no status, and is stopped\n",
				   reply->status);
		status = -EFAULT;
		n = 0;
	} else {
		status = reply->status;
	}
	if (n != sizeof(*reply))
		bpfilter_helper_stop(&helper);
	bpfilter_transaction_end(!status);
	return status;
}

/* One request and its answer. */
static int round_trip(struct bpfilter_call *call)
{
	struct bpfilter_reply reply = {};
	ssize_t n;

	bpfilter_transaction_begin(helper.tgid, call);
	if (write_request(&call->req)) {
		bpfilter_helper_stop(&helper);
		bpfilter_transaction_end(false);
		return -EFAULT;
	}
	n = wait_for_reply(&reply);
	return end_request(call, n, &reply);
}

static void set_nonblock(struct file *file)
{
	spin_lock(&file->f_lock);
	file->f_flags |= O_NONBLOCK;
	spin_unlock(&file->f_lock);
}

static int helper_start(void)
{
	/* Nobody's: it is about no namespace. */
	struct bpfilter_call ping = {
		.req.cmd = BPFILTER_CMD_PING,
	};
	int err;

	err = bpfilter_helper_start(&helper);
	if (err) {
		pr_err_ratelimited("helper not started: %d\n", err);
		return -EFAULT;
	}
	set_nonblock(helper.to);
	set_nonblock(helper.from);
	pr_info_ratelimited("Loaded bpfilter_umh pid %d\n",
			    pid_nr(helper.tgid));

	err = round_trip(&ping);
	if (!err)
		return 0;
	pr_err_ratelimited("helper not ready: %d\n", err);
	if (helper.tgid)
		bpfilter_helper_stop(&helper);
	return err == -ETIMEDOUT ? err : -EFAULT;
}

static int helper_ensure(void)
{
	if (helper_usable())
		return 0;
	if (helper.tgid)
		bpfilter_helper_stop(&helper);
	return helper_start();
}

/* --- who is served ----------------------------------------------------------- */

/* What all user namespaces lie in that were made within it; the first lies in none. */
static const struct user_namespace *outermost(const struct user_namespace *ns)
{
	while (ns->level > 1)
		ns = ns->parent;
	return ns;
}

/*
 * Whether two calls have one turn between them. Anybody may make user namespaces, any
 * number of them and one in the other: all that one user has made count as one. Those
 * that root makes are containers of different people.
 */
static bool share_turns(const struct bpfilter_call *one,
			const struct bpfilter_call *other)
{
	const struct user_namespace *a = outermost(one->cred->user_ns);
	const struct user_namespace *b = outermost(other->cred->user_ns);

	if (a == b)
		return true;
	return a->level && b->level && uid_eq(a->owner, b->owner) &&
	       !uid_eq(a->owner, GLOBAL_ROOT_UID);
}

/* Under the lock. */
static void enqueue(struct bpfilter_call *call)
{
	struct bpfilter_call *first;

	INIT_LIST_HEAD(&call->followers);
	list_for_each_entry(first, &mailbox.turns, turns) {
		if (share_turns(first, call)) {
			list_add_tail(&call->turns, &first->followers);
			return;
		}
	}
	list_add_tail(&call->turns, &mailbox.turns);
}

/*
 * Under the lock. The first one of all goes, and the next one that shares its turns
 * comes last.
 */
static struct bpfilter_call *dequeue(void)
{
	struct bpfilter_call *first, *next;

	first = list_first_entry_or_null(&mailbox.turns, struct bpfilter_call,
					 turns);
	if (!first)
		return NULL;
	list_del(&first->turns);
	next = list_first_entry_or_null(&first->followers,
					struct bpfilter_call, turns);
	if (next) {
		list_del(&next->turns);
		list_splice(&first->followers, &next->followers);
		list_add_tail(&next->turns, &mailbox.turns);
	}
	return first;
}

static struct bpfilter_call *next_call(void)
{
	struct bpfilter_call *call = NULL;

	spin_lock(&mailbox.lock);
	if (!mailbox.asleep)
		call = dequeue();
	spin_unlock(&mailbox.lock);
	return call;
}

/* What is in force, though no client has asked for it, has to be there first. */
static int policies_first(struct bpfilter_call *call)
{
	struct bpfilter_call *policies = bpfilter_boot_policies(call);
	int err;

	if (IS_ERR_OR_NULL(policies))
		return PTR_ERR_OR_ZERO(policies);
	err = round_trip(policies);
	bpfilter_call_put(policies);
	return err;
}

static int request(struct bpfilter_call *call)
{
	int err;

	/* As if the module had gone before the call was made. */
	if (READ_ONCE(mailbox.closed))
		return -ENOPROTOOPT;
	if (bpfilter_boot_locks(call))
		return -EPERM;
	err = helper_ensure();
	if (!err)
		err = policies_first(call);
	return err ? err : round_trip(call);
}

static void late_audit(struct work_struct *work)
{
	struct bpfilter_call *call = container_of(work, struct bpfilter_call,
						  late);

	bpfilter_mailbox_audit(call);
	bpfilter_call_put(call);
}

/* The audit system may let who tells it something wait; others need not. */
static void end_call(struct bpfilter_call *call, int status)
{
	if (!bpfilter_call_end(call, status) && !status) {
		INIT_WORK(&call->late, late_audit);
		queue_work(mailbox.late, &call->late);
		return;
	}
	bpfilter_call_put(call);
}

static void serve(struct kthread_work *work)
{
	struct bpfilter_call *call;

	while ((call = next_call())) {
		if (bpfilter_call_begin(call))
			end_call(call, request(call));
		else
			bpfilter_call_put(call);
	}
}

/**
 * bpfilter_mailbox_submit() - have the helper answer a client's call
 * @call: the call, which bpfilter_call_end() is told of when it is answered
 *
 * Starts the helper if there is none. A call that its caller has left before its
 * turn comes is forgotten; later, it is carried out or not as any other.
 */
void bpfilter_mailbox_submit(struct bpfilter_call *call)
{
	refcount_inc(&call->refs);
	spin_lock(&mailbox.lock);
	enqueue(call);
	spin_unlock(&mailbox.lock);
	kthread_queue_work(mailbox.worker, &mailbox.work);
}

/**
 * bpfilter_mailbox_audit() - tell the audit system of a call that has succeeded
 * @call: the call
 *
 * Context: the client's process, of which the records speak, if it is still there.
 * May wait for the audit system.
 */
void bpfilter_mailbox_audit(const struct bpfilter_call *call)
{
	bpfilter_table_used(call);
	if (bpfilter_call_replaces(call))
		bpfilter_table_audit(call);
}

/* --- start, sleep and end ---------------------------------------------------- */

/*
 * A helper that is frozen does not answer: the last request ends before anything
 * is frozen, and the next one begins when nothing is any more. Callers wait
 * freezably.
 */
static int sleep_or_wake(struct notifier_block *block, unsigned long event,
			 void *unused)
{
	bool asleep = event == PM_SUSPEND_PREPARE ||
		      event == PM_HIBERNATION_PREPARE ||
		      event == PM_RESTORE_PREPARE;

	spin_lock(&mailbox.lock);
	mailbox.asleep = asleep;
	spin_unlock(&mailbox.lock);
	if (asleep)
		kthread_flush_work(&mailbox.work);
	else
		kthread_queue_work(mailbox.worker, &mailbox.work);
	return NOTIFY_OK;
}

static struct notifier_block pm_block = {
	.notifier_call = sleep_or_wake,
};

struct job {
	struct kthread_work work;
	const void *elf;
	size_t len;
	int err;
};

static void start(struct kthread_work *work)
{
	container_of(work, struct job, work)->err = helper_ensure();
}

static void load(struct kthread_work *work)
{
	struct job *job = container_of(work, struct job, work);

	job->err = bpfilter_helper_load(job->elf, job->len);
}

static int have_done(struct job *job, kthread_work_func_t func)
{
	kthread_init_work(&job->work, func);
	kthread_queue_work(mailbox.worker, &job->work);
	kthread_flush_work(&job->work);
	return job->err;
}

/**
 * bpfilter_mailbox_start() - start the helper and hear from it
 *
 * Context: no call may come before this returns.
 * Return: 0 when it has answered, -ETIMEDOUT when it did not in time, -EFAULT for
 * any other failure. Then there is no helper.
 */
int bpfilter_mailbox_start(void)
{
	struct job job = {};

	return have_done(&job, start);
}

/**
 * bpfilter_mailbox_init() - keep the helper's executable
 * @elf: its bytes, not needed any more when this returns
 * @len: the number of bytes
 *
 * Return: 0 or a negative errno.
 */
int bpfilter_mailbox_init(const void *elf, size_t len)
{
	struct job job = { .elf = elf, .len = len };
	int err;

	mailbox.late = alloc_workqueue("bpfilter", WQ_UNBOUND, 0);
	if (!mailbox.late)
		return -ENOMEM;
	mailbox.worker = kthread_run_worker(0, "bpfilter");
	if (IS_ERR(mailbox.worker)) {
		err = PTR_ERR(mailbox.worker);
		goto late;
	}
	err = have_done(&job, load);
	if (err)
		goto worker;
	err = register_pm_notifier(&pm_block);
	if (err)
		goto unload;
	return 0;

unload:
	bpfilter_helper_unload();
worker:
	kthread_destroy_worker(mailbox.worker);
late:
	destroy_workqueue(mailbox.late);
	return err;
}

/**
 * bpfilter_mailbox_exit() - kill the helper and forget its executable
 *
 * Calls that wait for their turn are answered with -ENOPROTOOPT.
 *
 * Context: sleeps until the helper is gone. No call may come any more.
 */
void bpfilter_mailbox_exit(void)
{
	unsigned long end = jiffies + EXIT_TIMEOUT;
	struct pid *pid;

	unregister_pm_notifier(&pm_block);
	WRITE_ONCE(mailbox.closed, true);
	sleep_or_wake(&pm_block, PM_POST_SUSPEND, NULL);
	kthread_destroy_worker(mailbox.worker);
	if (helper.tgid) {
		pid = get_pid(helper.tgid);
		bpfilter_helper_stop(&helper);
		while (!pid_gone(pid) && time_before(jiffies, end))
			wait_event_timeout(pid->wait_pidfd, pid_gone(pid),
					   EXIT_LOOK);
		if (!pid_gone(pid))
			pr_err("helper %d does not die\n", pid_nr(pid));
		put_pid(pid);
	}
	bpfilter_helper_unload();
	destroy_workqueue(mailbox.late);
}
