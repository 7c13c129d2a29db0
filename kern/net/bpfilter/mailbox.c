// SPDX-License-Identifier: GPL-2.0-only
/*
 * mailbox.c - the helper's life, and one request at a time through its pipes
 *
 * Owns: the helper process, the two pipes, who is served next, and the time that
 * an answer may take.
 *
 * Promises: a caller gets the answer to its own request or an error, never
 * another caller's answer: pipes that may still carry one are dropped together
 * with the process behind them. No request takes longer than TIMEOUT, whatever it
 * is about. Of the user namespaces that have calls waiting each is served in
 * turn, however many it has. A caller that is killed need not wait: its request,
 * if the helper has it, is seen to its end without it. A status that is not 0 or
 * a negative errno reaches nobody.
 *
 * Leaves to others: what a request means, who may make one (sockopt.c), and the
 * caller's memory (call.c): nothing here waits for that.
 *
 * The pipes are read and written in the context of the caller, with the kernel's
 * credentials: a security module that denies the caller a pipe must not end the
 * helper. The kernel's ends never block; waiting is done on the pipe's wait queue.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bpfilter.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/spinlock.h>
#include <linux/user_namespace.h>
#include <linux/usermode_driver.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "internal.h"

/* How long an answer may take. */
#define TIMEOUT		(5 * HZ)

/* How long rmmod waits for a killed helper to be gone. */
#define EXIT_TIMEOUT	(10 * HZ)
/* How often it looks: what wakes it comes a moment before the helper is gone. */
#define EXIT_LOOK	msecs_to_jiffies(10)

/*
 * @serving is the call that the helper works on, or is started for; NULL where
 * nobody is served. Who is, owns @helper, and gives it on. @turns are the calls
 * that wait: one for each user namespace, in the order of their turns, with all
 * others of the same namespace as its followers.
 */
static struct {
	spinlock_t lock; /* protects all of it, and the calls' own places in it */
	struct bpfilter_call *serving;
	struct list_head turns;
} queue = {
	.lock = __SPIN_LOCK_UNLOCKED(queue.lock),
	.turns = LIST_HEAD_INIT(queue.turns),
};

/* With which pipes are used. */
static const struct cred *mailbox_cred;

static void see_to_end(struct work_struct *work);

/* A request whose caller was killed. @serving names it, so there is one. */
static struct {
	struct work_struct work;
	struct bpfilter_call *call;
	unsigned long end;
} orphan = {
	.work = __WORK_INITIALIZER(orphan.work, see_to_end),
};

/*
 * Between init and exit @wd holds the ELF in a tmpfs of its own. @tgid is NULL
 * while there is no helper, and the pipes are valid only while it is not.
 */
static struct umd_info helper = {
	.driver_name = "bpfilter_umh",
};

/* What wakes the caller that waits for an answer. */
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

static void helper_stop(void)
{
	kill_pid(helper.tgid, SIGKILL, 1);
	umd_cleanup_helper(&helper);
	helper.pipe_to_umh = NULL;
	helper.pipe_from_umh = NULL;
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

	return !dying && !vfs_poll(helper.pipe_from_umh, NULL);
}

/*
 * Writing to a pipe without a reader sends SIGPIPE to the writer, here the
 * client: it must not die because the helper did.
 */
static int write_request(const struct bpfilter_request *req)
{
	/* A task's own sighand stays as long as it runs. */
	struct sighand_struct *sighand = unrcu_pointer(current->sighand);
	const struct cred *old_cred;
	sigset_t pipe, others, old;
	kernel_siginfo_t info;
	bool was_pending;
	enum pid_type type;
	ssize_t n;

	siginitset(&pipe, sigmask(SIGPIPE));
	siginitsetinv(&others, sigmask(SIGPIPE));
	sigprocmask(SIG_BLOCK, &pipe, &old);
	was_pending = sigismember(&current->pending.signal, SIGPIPE);

	old_cred = override_creds(mailbox_cred);
	n = kernel_write(helper.pipe_to_umh, req, sizeof(*req), NULL);
	revert_creds(old_cred);

	if (n == -EPIPE && !was_pending) {
		spin_lock_irq(&sighand->siglock);
		dequeue_signal(&others, &info, &type);
		spin_unlock_irq(&sighand->siglock);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);

	if (n != sizeof(*req)) {
		pr_err_ratelimited("request not written: %zd\n", n);
		return -EFAULT;
	}
	return 0;
}

/*
 * The writers of a pipe wake only interruptible sleepers, but the caller's
 * sleep must end with no other signal than one that kills: hence a completion.
 */
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

static ssize_t read_pipe(struct bpfilter_reply *reply)
{
	const struct cred *old = override_creds(mailbox_cred);
	ssize_t n = kernel_read(helper.pipe_from_umh, reply, sizeof(*reply),
				NULL);

	revert_creds(old);
	return n;
}

/*
 * -EAGAIN where @end has come, -ERESTARTSYS where the process is killed before:
 * no helper can answer that.
 */
static ssize_t wait_for_reply(struct bpfilter_reply *reply, unsigned long end)
{
	struct reply_wait wait = {};
	unsigned long now;
	ssize_t n;

	init_completion(&wait.ready);
	init_waitqueue_func_entry(&wait.entry, reply_wake);
	init_poll_funcptr(&wait.table, reply_enqueue);
	vfs_poll(helper.pipe_from_umh, &wait.table);

	for (;;) {
		n = read_pipe(reply);
		now = jiffies;
		if (n != -EAGAIN || time_after_eq(now, end))
			break;
		if (wait_for_completion_killable_timeout(&wait.ready,
							 end - now) < 0) {
			n = -ERESTARTSYS;
			break;
		}
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
		pr_err_ratelimited("no answer to command %u in time\n",
				   call->req.cmd);
		status = -ETIMEDOUT;
	} else if (n != sizeof(*reply)) {
		pr_err_ratelimited("answer not read: %zd\n", n);
		status = -EFAULT;
	} else if (reply->status > 0 || reply->status <= -ERESTARTSYS) {
		/* ERESTARTSYS and above are the kernel's own. */
		pr_err_ratelimited("no answer, but %d\n", reply->status);
		status = -EFAULT;
		n = 0;
	} else {
		status = reply->status;
	}
	if (n != sizeof(*reply))
		helper_stop();
	bpfilter_transaction_end(!status);
	return status;
}

/* A request has succeeded. Others need not wait for the audit system. */
static void tell_audit(const struct bpfilter_call *call)
{
	if (call->req.is_set || call->req.cmd <= BPFILTER_IPT_SO_GET_ENTRIES)
		bpfilter_table_used(call->net);
	if (call->req.is_set && call->req.cmd == BPFILTER_IPT_SO_SET_REPLACE)
		bpfilter_table_audit(call->entries_before);
}

/*
 * One request and its answer. -ERESTARTSYS, and it goes on: the process was
 * killed, and @end is when the answer is due.
 */
static int round_trip(struct bpfilter_call *call, unsigned long *end)
{
	struct bpfilter_reply reply = {};
	ssize_t n;

	bpfilter_transaction_begin(helper.tgid, call);
	n = write_request(&call->req);
	if (!n) {
		*end = jiffies + TIMEOUT;
		n = wait_for_reply(&reply, *end);
		if (n == -ERESTARTSYS)
			return n;
	}
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
	unsigned long end;
	int err;

	err = fork_usermode_driver(&helper);
	/* Where user mode helpers are switched off, it starts none and says 0. */
	if (!err && !helper.tgid)
		err = -ENOENT;
	if (err) {
		pr_err_ratelimited("helper not started: %d\n", err);
		return -EFAULT;
	}
	set_nonblock(helper.pipe_to_umh);
	set_nonblock(helper.pipe_from_umh);
	pr_info_ratelimited("Loaded bpfilter_umh pid %d\n",
			    pid_nr(helper.tgid));

	err = round_trip(&ping, &end);
	if (!err)
		return 0;
	if (err == -ERESTARTSYS) {
		/* Whoever comes next starts another one. */
		helper_stop();
		bpfilter_transaction_end(false);
		return -EINTR;
	}
	pr_err_ratelimited("helper not ready: %d\n", err);
	if (helper.tgid)
		helper_stop();
	return err == -ETIMEDOUT ? err : -EFAULT;
}

static int helper_ensure(void)
{
	if (helper_usable())
		return 0;
	if (helper.tgid)
		helper_stop();
	return helper_start();
}

/* --- who is served ----------------------------------------------------------- */

/* Under the lock. */
static void enqueue(struct bpfilter_call *call)
{
	struct bpfilter_call *first;

	INIT_LIST_HEAD(&call->followers);
	list_for_each_entry(first, &queue.turns, turns) {
		if (first->cred->user_ns == call->cred->user_ns) {
			list_add_tail(&call->turns, &first->followers);
			return;
		}
	}
	list_add_tail(&call->turns, &queue.turns);
}

/* Under the lock. The first of its followers takes a first one's place, at @at. */
static void dequeue(struct bpfilter_call *call, struct list_head *at)
{
	struct bpfilter_call *next;

	next = list_first_entry_or_null(&call->followers, struct bpfilter_call,
					turns);
	if (next) {
		list_del(&next->turns);
		list_splice_init(&call->followers, &next->followers);
		list_add_tail(&next->turns, at);
	}
	list_del(&call->turns);
}

/* The next namespace's call is served; the namespace's next one comes last. */
static void give_on(void)
{
	struct bpfilter_call *next;

	spin_lock(&queue.lock);
	next = list_first_entry_or_null(&queue.turns, struct bpfilter_call,
					turns);
	queue.serving = next;
	if (next) {
		dequeue(next, &queue.turns);
		complete(&next->turn);
	}
	spin_unlock(&queue.lock);
}

/* Returns when @call is served, or -EINTR when the process is killed before. */
static int wait_for_turn(struct bpfilter_call *call)
{
	bool served;

	init_completion(&call->turn);
	spin_lock(&queue.lock);
	served = !queue.serving;
	if (served)
		queue.serving = call;
	else
		enqueue(call);
	spin_unlock(&queue.lock);
	if (served || !wait_for_completion_killable(&call->turn))
		return 0;

	spin_lock(&queue.lock);
	served = queue.serving == call;
	if (!served)
		dequeue(call, &call->turns);
	spin_unlock(&queue.lock);
	if (served)
		give_on();
	return -EINTR;
}

static void see_to_end(struct work_struct *work)
{
	struct bpfilter_call *call = orphan.call;
	struct bpfilter_reply reply = {};
	int err;

	err = end_request(call, wait_for_reply(&reply, orphan.end), &reply);
	give_on();
	if (!err)
		tell_audit(call);
	bpfilter_call_put(call);
}

/**
 * bpfilter_mailbox_request() - have the helper answer a client's request
 * @call: the client's call
 *
 * Starts the helper if there is none.
 *
 * Context: the client's process. Waits for its turn and for the answer killably.
 * A request that the helper has when its caller is killed is carried out or not
 * as any other.
 * Return: the helper's status (0 or a negative errno); -EINTR, killed while
 * waiting; -ETIMEDOUT, no answer in time; -EFAULT, the helper failed.
 */
int bpfilter_mailbox_request(struct bpfilter_call *call)
{
	unsigned long end;
	int err;

	err = wait_for_turn(call);
	if (err)
		return err;
	err = helper_ensure();
	if (!err) {
		err = round_trip(call, &end);
		if (err == -ERESTARTSYS) {
			refcount_inc(&call->refs);
			orphan.call = call;
			orphan.end = end;
			queue_work(system_long_wq, &orphan.work);
			return -EINTR;
		}
	}
	give_on();
	if (!err)
		tell_audit(call);
	return err;
}

/**
 * bpfilter_mailbox_start() - start the helper and hear from it
 *
 * Context: no request may come before this returns.
 * Return: 0 when it has answered, -ETIMEDOUT when it did not in time, -EINTR when
 * the process was killed, -EFAULT for any other failure. Then there is no helper.
 */
int bpfilter_mailbox_start(void)
{
	return helper_ensure();
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
	int err;

	mailbox_cred = prepare_kernel_cred(&init_task);
	if (!mailbox_cred)
		return -ENOMEM;
	err = umd_load_blob(&helper, elf, len);
	if (err)
		put_cred(mailbox_cred);
	return err;
}

/**
 * bpfilter_mailbox_exit() - kill the helper and forget its executable
 *
 * Context: sleeps until the helper is gone. No request may be in progress and
 * none may come.
 */
void bpfilter_mailbox_exit(void)
{
	unsigned long end = jiffies + EXIT_TIMEOUT;
	struct pid *pid;

	flush_work(&orphan.work);
	if (helper.tgid) {
		pid = get_pid(helper.tgid);
		helper_stop();
		while (!pid_gone(pid) && time_before(jiffies, end))
			wait_event_timeout(pid->wait_pidfd, pid_gone(pid),
					   EXIT_LOOK);
		if (!pid_gone(pid))
			pr_err("helper %d does not die\n", pid_nr(pid));
		put_pid(pid);
	}
	umd_unload_blob(&helper);
	put_cred(mailbox_cred);
}
