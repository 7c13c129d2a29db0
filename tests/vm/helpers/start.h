/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * start.h - what a stand-in for the helper needs without a libc
 */
#ifndef START_H
#define START_H

#include <asm/unistd.h>
#include "msgfmt.h"

#if defined(__x86_64__)

/* The kernel aligns the stack otherwise than a caller would. */
void _start(void) __attribute__((force_align_arg_pointer));

static inline long syscall5(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

#elif defined(__aarch64__)

static inline long syscall5(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0" : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}

#elif defined(__arm__)

static inline long syscall5(long number, long a, long b, long c, long d, long e)
{
	register long r7 __asm__("r7") = number;
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e;

	__asm__ volatile("svc 0" : "+r"(r0)
			 : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4)
			 : "memory");
	return r0;
}

#else
#error "how does a program call the kernel on this CPU?"
#endif

static inline long syscall3(long number, long a, long b, long c)
{
	return syscall5(number, a, b, c, 0, 0);
}

/* Compilers call these of their own accord, but not here. */
#define NO_CALLS __attribute__((weak, optimize("no-tree-loop-distribute-patterns")))

NO_CALLS void *memcpy(void *to, const void *from, __SIZE_TYPE__ len)
{
	const unsigned char *source = from;
	unsigned char *at = to;

	while (len--)
		*at++ = *source++;
	return to;
}

NO_CALLS void *memset(void *to, int byte, __SIZE_TYPE__ len)
{
	unsigned char *at = to;

	while (len--)
		*at++ = byte;
	return to;
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
