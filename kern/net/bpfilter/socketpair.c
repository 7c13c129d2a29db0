// SPDX-License-Identifier: GPL-2.0-only
/*
 * socketpair.c - the files through which the kernel half and the helper speak,
 *	in a module outside of the kernel's tree
 *
 * Owns: a pair of connected sockets. Pipes, which pipes.c has in the tree, cannot
 * be made by such a module. One end is both files of the helper, the other both of
 * the kernel half; what is written and read is the same.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <net/net_namespace.h>
#include "internal.h"

/* Makes the socket's file, which owns it from then on. If this fails it is released. */
static struct file *file_of(struct socket *sock)
{
	return sock_alloc_file(sock, 0, NULL);
}

/**
 * bpfilter_channel() - the files between the two halves
 * @its: the helper's: what it reads requests from, and what it writes answers to
 * @ours: the other ends: what requests are written to, and answers read from
 *
 * Return: 0, then all four are the caller's to put; or a negative errno.
 */
int bpfilter_channel(struct file **its, struct file **ours)
{
	struct socket *one, *other;
	int err;

	err = sock_create_kern(&init_net, AF_UNIX, SOCK_STREAM, 0, &one);
	if (err)
		return err;
	err = sock_create_kern(&init_net, AF_UNIX, SOCK_STREAM, 0, &other);
	if (err)
		goto release_one;
	err = one->ops->socketpair(one, other);
	if (err)
		goto release_both;

	its[0] = file_of(one);
	if (IS_ERR(its[0])) {
		sock_release(other);
		return PTR_ERR(its[0]);
	}
	ours[0] = file_of(other);
	if (IS_ERR(ours[0])) {
		fput(its[0]);
		return PTR_ERR(ours[0]);
	}
	its[1] = get_file(its[0]);
	ours[1] = get_file(ours[0]);
	return 0;

release_both:
	sock_release(other);
release_one:
	sock_release(one);
	return err;
}
