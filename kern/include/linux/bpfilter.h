/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpfilter.h - where the network stack meets bpfilter
 *
 * Two sides use this file: net/ipv4/ip_sockglue.c and net/ipv6/ipv6_sockglue.c
 * offer every get/setsockopt of levels SOL_IP and SOL_IPV6 that they do not know
 * themselves, and the bpfilter module registers what answers them.
 * net/bpfilter/sockopt.c stands between the two and is always built in, so that the
 * module may come and go.
 */
#ifndef _LINUX_BPFILTER_H
#define _LINUX_BPFILTER_H

#include <linux/errno.h>
#include <linux/sockptr.h>
#include <uapi/linux/bpfilter.h>

struct bpfilter_call;
struct sock;

/**
 * struct bpfilter_ops - what the module does for the hook point
 * @submit: has the helper answer one call of a client, which ends with 0, a
 *	negative errno, or -ENOPROTOOPT where ip_tables is to answer. Does not wait.
 *	NULL while the helper is not ready for clients
 * @audit: tells the audit system of a call that has ended with 0
 * @revision: GET_REVISION_MATCH and _TARGET, asked where the helper does not know
 *	the extension; NULL while @submit is
 * @private_set: a setsockopt of the private range, from anybody
 * @private_get: a getsockopt of the private range, from anybody
 *
 * All are called in the context of the process that made the system call and
 * may sleep. None is called, or still running, once
 * bpfilter_unregister_ops() has returned.
 */
struct bpfilter_ops {
	void (*submit)(struct bpfilter_call *call);
	void (*audit)(const struct bpfilter_call *call);
	int (*revision)(struct bpfilter_call *call);
	int (*private_set)(int optname, sockptr_t optval, unsigned int optlen);
	int (*private_get)(int optname, char __user *optval, int len);
};

void bpfilter_register_ops(const struct bpfilter_ops *ops);
void bpfilter_unregister_ops(void);

#if IS_ENABLED(CONFIG_BPFILTER)
int bpfilter_ip_setsockopt(struct sock *sk, int optname, sockptr_t optval,
			   unsigned int optlen);
int bpfilter_ip_getsockopt(struct sock *sk, int optname, char __user *optval,
			   int __user *optlen);
int bpfilter_ipv6_setsockopt(struct sock *sk, int optname, sockptr_t optval,
			     unsigned int optlen);
int bpfilter_ipv6_getsockopt(struct sock *sk, int optname, char __user *optval,
			     int __user *optlen);
#else
static inline int bpfilter_ip_setsockopt(struct sock *sk, int optname,
					 sockptr_t optval, unsigned int optlen)
{
	return -ENOPROTOOPT;
}

static inline int bpfilter_ip_getsockopt(struct sock *sk, int optname,
					 char __user *optval,
					 int __user *optlen)
{
	return -ENOPROTOOPT;
}

static inline int bpfilter_ipv6_setsockopt(struct sock *sk, int optname,
					   sockptr_t optval,
					   unsigned int optlen)
{
	return -ENOPROTOOPT;
}

static inline int bpfilter_ipv6_getsockopt(struct sock *sk, int optname,
					   char __user *optval,
					   int __user *optlen)
{
	return -ENOPROTOOPT;
}
#endif

#endif /* _LINUX_BPFILTER_H */
