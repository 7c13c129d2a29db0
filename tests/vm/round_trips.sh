#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# How long a request takes through the mailbox. No pass mark: only measured.
#
# kernel: y
# timeout: 120

echo "figure: $(sockopt loop 20000) ns for a GET_INFO, mean of 20,000"
