// SPDX-License-Identifier: GPL-2.0-only
/*
 * sockopt.c - the hook point: socket options of levels SOL_IP and SOL_IPV6
 *
 * Owns: which options are bpfilter's, who may use them, and the way from the
 * system call to the module, which it loads on first use. Always built in.
 *
 * Promises: an option outside the ranges is refused before anything else is
 * looked at; no byte of a caller without CAP_NET_ADMIN over the socket's
 * namespace reaches the module; the module is never unloaded under a caller.
 *
 * Leaves to others: everything that an option means. -ENOPROTOOPT lets
 * ip_sockglue.c and ipv6_sockglue.c go on to ip_tables and ip6_tables. Where these are
 * not there either, a table that the module does not serve is -ENOENT.
 *
 * A module outside of the tree has all of this in it, and stock.c calls it.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/bpfilter.h>
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/jiffies.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include "compat.h"
#include "internal.h"

/*
 * Read under bpfilter_srcu, held while the module works for a caller: waiting
 * for its readers is waiting until no caller is inside the module. A module
 * reference would not do, as it does not keep a module whose init fails.
 */
static const struct bpfilter_ops __rcu *bpfilter_ops;
DEFINE_STATIC_SRCU(bpfilter_srcu);

/* They are of level SOL_IP. */
static bool is_private(u8 family, int optname)
{
	return family == NFPROTO_IPV4 && optname >= BPFILTER_SO_BASE && optname < BPFILTER_SO_MAX;
}

/*
 * How the caller lays out structures: BPFILTER_LAYOUT_*. Where x_tables takes 32-bit
 * programs for native ones so does the helper.
 */
static u32 caller_layout(void)
{
	if (!IS_ENABLED(CONFIG_NETFILTER_XTABLES_COMPAT) &&
	    IS_ENABLED(CONFIG_NETFILTER_XTABLES))
		return BPFILTER_LAYOUT_NATIVE;
#ifdef CONFIG_COMPAT
	if (in_compat_syscall())
		return __alignof__(compat_u64) == 4 ?
		       BPFILTER_LAYOUT_32_ALIGN_4 : BPFILTER_LAYOUT_32_ALIGN_8;
#endif
	return BPFILTER_LAYOUT_NATIVE;
}

static bool module_serves(void)
{
	const struct bpfilter_ops *ops;
	bool serves;
	int idx;

	idx = srcu_read_lock(&bpfilter_srcu);
	ops = srcu_dereference(bpfilter_ops, &bpfilter_srcu);
	serves = ops && ops->submit;
	srcu_read_unlock(&bpfilter_srcu, idx);
	return serves;
}

#ifdef BPFILTER_STOCK
/* This is in the module itself, which starts, or will not serve. */
static int ensure_loaded(void)
{
	return module_serves() ? 0 : -ENOPROTOOPT;
}
#else
/*
 * One caller at a time has the module loaded: a modprobe that meets another
 * one may take the module for loaded before its init has run. After one that
 * was in vain calls go to ip_tables without another for LOAD_AGAIN: many calls
 * must not be as many processes, and a module that is installed meanwhile is
 * there for who comes a second later.
 */
#define LOAD_AGAIN	HZ
static DEFINE_MUTEX(load_lock); /* protects load_again */
static u64 load_again;

static int ensure_loaded(void)
{
	bool serves = module_serves();

	if (serves)
		return 0;
	if (mutex_lock_killable(&load_lock))
		return -EINTR;
	serves = module_serves();
	if (!serves && time_after_eq64(get_jiffies_64(), load_again)) {
		request_module("bpfilter");
		serves = module_serves();
		if (!serves)
			load_again = get_jiffies_64() + LOAD_AGAIN;
	}
	mutex_unlock(&load_lock);
	return serves ? 0 : -ENOPROTOOPT;
}
#endif

/*
 * Tells the audit system of a call that has succeeded, in the client's process, of
 * which the records speak. May wait for the audit system.
 */
static void audit(const struct bpfilter_call *call)
{
	const struct bpfilter_ops *ops;
	int idx;

	idx = srcu_read_lock(&bpfilter_srcu);
	ops = srcu_dereference(bpfilter_ops, &bpfilter_srcu);
	if (ops && ops->audit)
		ops->audit(call);
	srcu_read_unlock(&bpfilter_srcu, idx);
}

/*
 * The module may have gone since the call was made, and may go while the caller
 * waits for its answer.
 */
static int module_request(struct bpfilter_call *call)
{
	const struct bpfilter_ops *ops;
	int err = -ENOPROTOOPT;
	int idx;

	idx = srcu_read_lock(&bpfilter_srcu);
	ops = srcu_dereference(bpfilter_ops, &bpfilter_srcu);
	if (ops && ops->submit) {
		ops->submit(call);
		err = 0;
	}
	srcu_read_unlock(&bpfilter_srcu, idx);
	if (err)
		return err;
	err = bpfilter_call_wait(call);
	if (!err)
		audit(call);
	return err;
}

/* What the helper does not know x_tables may. */
static int ask_x_tables(struct bpfilter_call *call)
{
	const struct bpfilter_ops *ops;
	int err = -ENOENT;
	int idx;

	idx = srcu_read_lock(&bpfilter_srcu);
	ops = srcu_dereference(bpfilter_ops, &bpfilter_srcu);
	if (ops && ops->revision)
		err = ops->revision(call);
	srcu_read_unlock(&bpfilter_srcu, idx);
	return err;
}

static int carry_out(struct bpfilter_call *call)
{
	int err = module_request(call);

	if (err == -ENOENT && bpfilter_call_asks_revision(call))
		err = ask_x_tables(call);
	if (!err)
		err = bpfilter_call_give(call);
	return err;
}

/*
 * One call of a client whose option is in range and who may use it. Without a
 * module ip_tables is to answer.
 *
 * Where a module was to be loaded for it the client's memory is read anew, as the
 * helper has changed the copy.
 */
static int client_call(struct sock *sk, u8 family, int cmd, bool is_set,
		       sockptr_t optval, unsigned int optlen)
{
	struct bpfilter_request req = {
		/* What a program of a cgroup has copied is nowhere in it. */
		.addr = sockptr_is_kernel(optval) ?
			0 : (unsigned long)optval.user,
		.len = optlen,
		.is_set = is_set,
		.cmd = cmd,
		.pid = task_pid_nr(current),
	};
	struct bpfilter_modules modules = {};
	struct bpfilter_call *call;
	int err;

	err = ensure_loaded();
	if (err)
		return err;

	do {
		call = bpfilter_call_new(sock_net(sk), family, &req, optval);
		if (IS_ERR(call))
			return PTR_ERR(call);
		call->optval.layout = caller_layout();
		call->modules = modules;
		err = carry_out(call);
	} while (bpfilter_call_again(call, err, &modules));
	return err;
}

/*
 * The errno of a table that the module leaves to others, from the errno that these
 * have given: ENOENT where there are none. What names no table is not about one. Not
 * of a module that has gone meanwhile, which leaves everything to others.
 */
static int unknown_table(int cmd, bool is_set, int err)
{
	if (err == -ENOPROTOOPT &&
	    (is_set || cmd < BPFILTER_IPT_SO_GET_REVISION_MATCH))
		return -ENOENT;
	return err;
}

static bool permitted(const struct sock *sk)
{
	return ns_capable(sock_net(sk)->user_ns, CAP_NET_ADMIN) &&
	       bpfilter_compat_check();
}

/**
 * bpfilter_setsockopt() - a setsockopt of level SOL_IP or SOL_IPV6
 * @sk: the socket, whose network namespace is the one that counts
 * @family: NFPROTO_* of the level
 * @optname: the option
 * @optval: the caller's data
 * @optlen: the length of it
 *
 * Context: process context, no locks held, sleeps.
 * Return: 0, a negative errno, or -ENOPROTOOPT where ip_tables is to answer.
 */
int bpfilter_setsockopt(struct sock *sk, u8 family, int optname,
			sockptr_t optval, unsigned int optlen)
{
	const struct bpfilter_ops *ops;
	int err = -ENOPROTOOPT;
	int idx;

	if (is_private(family, optname)) {
		idx = srcu_read_lock(&bpfilter_srcu);
		ops = srcu_dereference(bpfilter_ops, &bpfilter_srcu);
		if (ops)
			err = ops->private_set(optname, optval, optlen);
		srcu_read_unlock(&bpfilter_srcu, idx);
		return err;
	}

	if (!permitted(sk))
		return -EPERM;
	err = client_call(sk, family, optname, true, optval, optlen);
	if (err == -ENOPROTOOPT && module_serves())
		err = unknown_table(optname, true,
				    bpfilter_others_set(sk, family, optname,
							optval, optlen));
	return err;
}

/**
 * bpfilter_getsockopt() - a getsockopt of level SOL_IP or SOL_IPV6
 * @sk: the socket, whose network namespace is the one that counts
 * @family: NFPROTO_* of the level
 * @optname: the option
 * @optval: where the caller wants the answer
 * @len: the length of it
 *
 * Context: process context, no locks held, sleeps.
 * Return: 0, a negative errno, or -ENOPROTOOPT where ip_tables is to answer.
 */
int bpfilter_getsockopt(struct sock *sk, u8 family, int optname,
			char __user *optval, int *len)
{
	const struct bpfilter_ops *ops;
	int err = -ENOPROTOOPT;
	int idx;

	if (is_private(family, optname)) {
		idx = srcu_read_lock(&bpfilter_srcu);
		ops = srcu_dereference(bpfilter_ops, &bpfilter_srcu);
		if (ops)
			err = ops->private_get(optname, optval, *len);
		srcu_read_unlock(&bpfilter_srcu, idx);
		return err;
	}

	if (!permitted(sk))
		return -EPERM;
	err = client_call(sk, family, optname, false, USER_SOCKPTR(optval),
			  *len);
	if (err == -ENOPROTOOPT && module_serves())
		err = unknown_table(optname, false,
				    bpfilter_others_get(sk, family, optname,
							optval, len));
	return err;
}

#ifndef BPFILTER_STOCK
static int get(struct sock *sk, u8 family, int optname, char __user *optval,
	       int __user *optlen)
{
	int err, len;

	if (get_user(len, optlen))
		return -EFAULT;
	err = bpfilter_getsockopt(sk, family, optname, optval, &len);
	if (!err && put_user(len, optlen))
		return -EFAULT;
	return err;
}

static bool is_set_option(int optname)
{
	return optname >= BPFILTER_IPT_SO_SET_REPLACE &&
	       optname < BPFILTER_IPT_SET_MAX;
}

/**
 * bpfilter_ip_setsockopt() - offer a setsockopt of level SOL_IP to bpfilter
 * @sk: the socket
 * @optname: the option
 * @optval: the caller's data
 * @optlen: the length of it
 *
 * Return: as bpfilter_setsockopt().
 */
int bpfilter_ip_setsockopt(struct sock *sk, int optname, sockptr_t optval,
			   unsigned int optlen)
{
	if (!is_private(NFPROTO_IPV4, optname) && !is_set_option(optname))
		return -ENOPROTOOPT;
	return bpfilter_setsockopt(sk, NFPROTO_IPV4, optname, optval, optlen);
}

/**
 * bpfilter_ip_getsockopt() - offer a getsockopt of level SOL_IP to bpfilter
 * @sk: the socket
 * @optname: the option
 * @optval: where the caller wants the answer
 * @optlen: the length of it; written back as it is on success
 *
 * Return: as bpfilter_getsockopt().
 */
int bpfilter_ip_getsockopt(struct sock *sk, int optname, char __user *optval,
			   int __user *optlen)
{
	if (!is_private(NFPROTO_IPV4, optname) &&
	    (optname < BPFILTER_IPT_SO_GET_INFO ||
	     optname >= BPFILTER_IPT_GET_MAX))
		return -ENOPROTOOPT;
	return get(sk, NFPROTO_IPV4, optname, optval, optlen);
}

#if IS_ENABLED(CONFIG_IPV6)
/**
 * bpfilter_ipv6_setsockopt() - offer a setsockopt of level SOL_IPV6 to bpfilter
 * @sk: the socket
 * @optname: the option
 * @optval: the caller's data
 * @optlen: the length of it
 *
 * Return: as bpfilter_setsockopt().
 */
int bpfilter_ipv6_setsockopt(struct sock *sk, int optname, sockptr_t optval,
			     unsigned int optlen)
{
	if (!is_set_option(optname))
		return -ENOPROTOOPT;
	return bpfilter_setsockopt(sk, NFPROTO_IPV6, optname, optval, optlen);
}
EXPORT_SYMBOL_GPL(bpfilter_ipv6_setsockopt);

/**
 * bpfilter_ipv6_getsockopt() - offer a getsockopt of level SOL_IPV6 to bpfilter
 * @sk: the socket
 * @optname: the option
 * @optval: where the caller wants the answer
 * @optlen: the length of it; written back as it is on success
 *
 * Return: as bpfilter_getsockopt().
 */
int bpfilter_ipv6_getsockopt(struct sock *sk, int optname, char __user *optval,
			     int __user *optlen)
{
	switch (optname) {
	case BPFILTER_IPT_SO_GET_INFO:
	case BPFILTER_IPT_SO_GET_ENTRIES:
	case BPFILTER_IP6T_SO_GET_REVISION_MATCH:
	case BPFILTER_IP6T_SO_GET_REVISION_TARGET:
		return get(sk, NFPROTO_IPV6, optname, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}
EXPORT_SYMBOL_GPL(bpfilter_ipv6_getsockopt);
#endif
#endif

/**
 * bpfilter_register_ops() - the module is ready for what @ops says
 * @ops: its entry points, valid until bpfilter_unregister_ops() returns
 */
void bpfilter_register_ops(const struct bpfilter_ops *ops)
{
	rcu_assign_pointer(bpfilter_ops, ops);
}
EXPORT_SYMBOL_GPL(bpfilter_register_ops);

/**
 * bpfilter_unregister_ops() - the module is going
 *
 * Context: sleeps until no caller is inside the module any more.
 */
void bpfilter_unregister_ops(void)
{
	RCU_INIT_POINTER(bpfilter_ops, NULL);
	synchronize_srcu(&bpfilter_srcu);
}
EXPORT_SYMBOL_GPL(bpfilter_unregister_ops);
