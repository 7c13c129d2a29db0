// SPDX-License-Identifier: GPL-2.0-only
/* A helper that answers with a number that is neither 0 nor an errno. */
#include "start.h"

void _start(void)
{
	for (;;) {
		next_request();
		answer(0x12345678);
	}
}
