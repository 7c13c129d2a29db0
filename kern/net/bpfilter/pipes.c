// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipes.c - the files through which the kernel half and the helper speak
 *
 * Owns: two pipes. Always built in: who makes one is not exported. A module
 * outside of the tree has socketpair.c in this one's place.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pipe_fs_i.h>
#include "internal.h"

/**
 * bpfilter_channel() - the files between the two halves
 * @its: the helper's: what it reads requests from, and what it writes answers to
 * @ours: the other ends: what requests are written to, and answers read from
 *
 * Return: 0, then all four are the caller's to put; or a negative errno.
 */
int bpfilter_channel(struct file **its, struct file **ours)
{
	struct file *requests[2], *answers[2];
	int err;

	err = create_pipe_files(requests, 0);
	if (err)
		return err;
	err = create_pipe_files(answers, 0);
	if (err) {
		fput(requests[0]);
		fput(requests[1]);
		return err;
	}
	its[0] = requests[0];
	its[1] = answers[1];
	ours[0] = requests[1];
	ours[1] = answers[0];
	return 0;
}
EXPORT_SYMBOL_GPL(bpfilter_channel);
