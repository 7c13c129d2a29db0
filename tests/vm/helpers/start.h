/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * start.h - what a stand-in for the helper needs without a libc
 */
#ifndef START_H
#define START_H

#include <asm/unistd.h>
#include "msgfmt.h"

/* The kernel aligns the stack otherwise than a caller would. */
void _start(void) __attribute__((force_align_arg_pointer));

static inline long syscall3(long number, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline void quit(int status)
{
	for (;;)
		syscall3(__NR_exit_group, status, 0, 0);
}

/* Reads a request; ends when there are no more. */
static inline struct bpfilter_request next_request(void)
{
	struct bpfilter_request req;

	if (syscall3(__NR_read, 0, (long)&req, sizeof(req)) != sizeof(req))
		quit(0);
	return req;
}

static inline void answer(int status)
{
	struct bpfilter_reply reply = { .status = status };

	if (syscall3(__NR_write, 1, (long)&reply, sizeof(reply)) != sizeof(reply))
		quit(1);
}

#endif /* START_H */
