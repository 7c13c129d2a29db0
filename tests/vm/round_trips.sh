#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What a request takes through the mailbox, in instructions of everything
# between two calls: a nanosecond of this guest is one. No pass mark.
#
# kernel: y

echo "figure: $(sockopt loop 2000) instructions for a GET_INFO, mean of 2,000"
