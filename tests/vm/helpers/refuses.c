// SPDX-License-Identifier: GPL-2.0-only
/* A helper that says in good form that it cannot. */
#include "start.h"

void _start(void)
{
	for (;;) {
		next_request();
		answer(-12);
	}
}
