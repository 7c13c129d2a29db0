/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - what differs from kernel to kernel, 6.12 to 7.3
 *
 * Owns: every difference between kernels that the files beside it would see. It
 * goes by what the kernel's headers have, not by a version: stable kernels and
 * distributions take changes over. What the preprocessor cannot see the Makefile
 * looks for, and defines BPFILTER_HAS_*.
 */
#ifndef _NET_BPFILTER_COMPAT_H
#define _NET_BPFILTER_COMPAT_H

#include <linux/fs_struct.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#ifdef BPFILTER_HAS_XT_COMPAT_CHECK
#include <linux/netfilter/x_tables.h>
#endif
#include <linux/path.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>

/* Since 6.14 kthread_create_worker() leaves the worker asleep. */
#ifndef kthread_run_worker
#define kthread_run_worker kthread_create_worker
#endif

/* The flags of a mapping are a type of their own: not in 6.12, but in 7.2. */
#ifdef BPFILTER_HAS_VMA_FLAGS
#define BPFILTER_NORESERVE mk_vma_flags(VMA_NORESERVE_BIT)
#else
#define BPFILTER_NORESERVE VM_NORESERVE
#endif

/**
 * bpfilter_chdir() - set_fs_pwd(), which is not exported. A spinlock and a sequence
 *	in 6.12 are one seqlock in 7.2
 * @fs: whose working directory
 * @path: the new one
 */
static inline void bpfilter_chdir(struct fs_struct *fs, const struct path *path)
{
	struct path old;

	path_get(path);
#ifdef BPFILTER_HAS_FS_SEQLOCK
	write_seqlock(&fs->seq);
	old = fs->pwd;
	fs->pwd = *path;
	write_sequnlock(&fs->seq);
#else
	spin_lock(&fs->lock);
	write_seqcount_begin(&fs->seq);
	old = fs->pwd;
	fs->pwd = *path;
	write_seqcount_end(&fs->seq);
	spin_unlock(&fs->lock);
#endif
	if (old.dentry)
		path_put(&old);
}

/**
 * bpfilter_compat_check() - whether x_tables would serve a caller of these bits: 7.3
 *	asks a 32-bit program for CAP_NET_ADMIN in the initial user namespace
 *
 * Context: the caller's process.
 */
static inline bool bpfilter_compat_check(void)
{
#ifdef BPFILTER_HAS_XT_COMPAT_CHECK
	return xt_compat_check();
#else
	return true;
#endif
}

#endif /* _NET_BPFILTER_COMPAT_H */
