// SPDX-License-Identifier: GPL-2.0-only
/* A helper that reads requests and never answers. */
#include "start.h"

void _start(void)
{
	for (;;)
		next_request();
}
