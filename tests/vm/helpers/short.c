// SPDX-License-Identifier: GPL-2.0-only
/* A helper whose answer is shorter than an answer. */
#include "start.h"

void _start(void)
{
	for (;;) {
		next_request();
		syscall3(__NR_write, 1, (long)"\0", 2);
	}
}
