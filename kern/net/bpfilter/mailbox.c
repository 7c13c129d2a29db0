// SPDX-License-Identifier: GPL-2.0-only
/*
 * mailbox.c - the helper's life, and one request at a time through its pipes
 *
 * Owns: the helper process, the two pipes, and the time that an answer may
 * take.
 *
 * Promises: a caller gets the answer to its own request or an error, never
 * another caller's answer: pipes that may still carry one are dropped together
 * with the process behind them. A signal to the caller neither ends a request
 * nor reaches the helper. No request takes longer than its timeout. A status
 * that is not 0 or a negative errno reaches nobody.
 *
 * Leaves to others: what a request means, and who may make one (sockopt.c).
 *
 * The pipes are read and written in the context of the caller. The kernel's
 * ends never block; waiting is done on the pipe's wait queue.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bpfilter.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/netfilter/x_tables.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <linux/usermode_driver.h>
#include <linux/wait.h>
#include "internal.h"

/* How long an answer may take: this, and a second more for each chunk. */
#define TIMEOUT_BASE	(5 * HZ)
#define TIMEOUT_CHUNK	SZ_256K
/*
 * The length that counts. It is what the caller claims, and must not buy time
 * without end: a table may have up to 512 MiB, but one of this length is ready
 * long before its time is up.
 */
#define TIMEOUT_LEN_MAX	SZ_64M
/* Sleep less at once than what the hung task detector complains about. */
#define WAIT_SLICE	(10 * HZ)

/* How long rmmod waits for a killed helper to be gone. */
#define EXIT_TIMEOUT	(10 * HZ)

/* Serialises requests; protects @helper. Held while the helper works. */
static DEFINE_MUTEX(mailbox_lock);

/*
 * Between init and exit @wd holds the ELF in a tmpfs of its own. @tgid is NULL
 * while there is no helper, and the pipes are valid only while it is not.
 */
static struct umd_info helper = {
	.driver_name = "bpfilter_umh",
};

/* How struct ipt_replace starts; sparse does not like its end. */
struct replace_start {
	char name[XT_TABLE_MAXNAMELEN];
	u32 valid_hooks;
	u32 num_entries;
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
	sigset_t pipe, others, old;
	kernel_siginfo_t info;
	bool was_pending;
	enum pid_type type;
	ssize_t n;

	siginitset(&pipe, sigmask(SIGPIPE));
	siginitsetinv(&others, sigmask(SIGPIPE));
	sigprocmask(SIG_BLOCK, &pipe, &old);
	was_pending = sigismember(&current->pending.signal, SIGPIPE);

	n = kernel_write(helper.pipe_to_umh, req, sizeof(*req), NULL);

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
 * sleep must not end with a signal: hence a completion.
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

static ssize_t wait_for_reply(struct bpfilter_reply *reply,
			      unsigned long timeout)
{
	unsigned long end = jiffies + timeout;
	struct file *file = helper.pipe_from_umh;
	struct reply_wait wait = {};
	unsigned long now;
	ssize_t n;

	init_completion(&wait.ready);
	init_waitqueue_func_entry(&wait.entry, reply_wake);
	init_poll_funcptr(&wait.table, reply_enqueue);
	vfs_poll(file, &wait.table);

	for (;;) {
		n = kernel_read(file, reply, sizeof(*reply), NULL);
		now = jiffies;
		if (n != -EAGAIN || time_after_eq(now, end))
			break;
		wait_for_completion_timeout(&wait.ready,
					    min(end - now, WAIT_SLICE));
	}

	remove_wait_queue(wait.head, &wait.entry);
	return n;
}

static int read_reply(const struct bpfilter_request *req, int *status)
{
	u32 len = min_t(u32, req->len, TIMEOUT_LEN_MAX);
	struct bpfilter_reply reply;
	ssize_t n;

	n = wait_for_reply(&reply, TIMEOUT_BASE + len / TIMEOUT_CHUNK * HZ);
	if (n == -EAGAIN) {
		pr_err_ratelimited("no answer to command %u in time\n",
				   req->cmd);
		return -ETIMEDOUT;
	}
	if (n != sizeof(reply)) {
		pr_err_ratelimited("answer not read: %zd\n", n);
		return -EFAULT;
	}
	/* ERESTARTSYS and above are the kernel's own. */
	if (reply.status > 0 || reply.status <= -ERESTARTSYS) {
		pr_err_ratelimited("no answer, but %d\n", reply.status);
		return -EFAULT;
	}
	*status = reply.status;
	return 0;
}

/*
 * One request and its answer. @net is NULL for one that is nobody's. Any
 * failure of the mailbox itself ends the helper.
 */
static int round_trip(struct net *net, const struct bpfilter_request *req)
{
	int status = -EFAULT;
	int err;

	bpfilter_transaction_begin(helper.tgid, net);
	err = write_request(req);
	if (!err)
		err = read_reply(req, &status);
	if (err) {
		helper_stop();
		status = err;
	}
	bpfilter_transaction_end(!status);
	return status;
}

static void set_nonblock(struct file *file)
{
	spin_lock(&file->f_lock);
	file->f_flags |= O_NONBLOCK;
	spin_unlock(&file->f_lock);
}

static int helper_start(void)
{
	static const struct bpfilter_request ping = {
		.cmd = BPFILTER_CMD_PING,
	};
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

	err = round_trip(NULL, &ping);
	if (!err)
		return 0;
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

/**
 * bpfilter_mailbox_request() - have the helper answer a client's request
 * @net: the namespace of the client's socket
 * @req: the request
 *
 * Starts the helper if there is none.
 *
 * Context: the client's process. Waits for its turn killably; once the request
 * is written, for the answer, uninterruptibly but not longer than the timeout.
 * Return: the helper's status (0 or a negative errno); -EINTR, killed while
 * waiting; -ETIMEDOUT, no answer in time; -EFAULT, the helper failed.
 */
int bpfilter_mailbox_request(struct net *net,
			     const struct bpfilter_request *req)
{
	bool replace = req->is_set && req->cmd == BPFILTER_IPT_SO_SET_REPLACE;
	const struct replace_start __user *table = u64_to_user_ptr(req->addr);
	u32 entries = 0;
	int err;

	/* What cannot be read the helper refuses, after the checks before it. */
	if (replace && get_user(entries, &table->num_entries))
		entries = 0;
	if (mutex_lock_killable(&mailbox_lock))
		return -EINTR;
	err = helper_ensure();
	if (!err)
		err = round_trip(net, req);
	mutex_unlock(&mailbox_lock);

	if (!err && (req->is_set ||
		     req->cmd <= BPFILTER_IPT_SO_GET_ENTRIES))
		bpfilter_table_used(net);
	if (!err && replace)
		bpfilter_table_replaced(net, entries);
	return err;
}

/**
 * bpfilter_mailbox_start() - start the helper and hear from it
 *
 * Return: 0 when it has answered, -ETIMEDOUT when it did not in time, -EFAULT
 * for any other failure, after which there is no helper.
 */
int bpfilter_mailbox_start(void)
{
	int err;

	mutex_lock(&mailbox_lock);
	err = helper_ensure();
	mutex_unlock(&mailbox_lock);
	return err;
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
	return umd_load_blob(&helper, elf, len);
}

/**
 * bpfilter_mailbox_exit() - kill the helper and forget its executable
 *
 * Context: sleeps until the helper is gone. No request may be in progress and
 * none may come.
 */
void bpfilter_mailbox_exit(void)
{
	struct pid *pid;

	mutex_lock(&mailbox_lock);
	if (helper.tgid) {
		pid = get_pid(helper.tgid);
		helper_stop();
		if (!wait_event_timeout(pid->wait_pidfd, pid_gone(pid),
					EXIT_TIMEOUT))
			pr_err("helper %d does not die\n", pid_nr(pid));
		put_pid(pid);
	}
	mutex_unlock(&mailbox_lock);
	umd_unload_blob(&helper);
}
