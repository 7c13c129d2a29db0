#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# 8 processes, 10,000 calls in all: every answer is right, and the helper is
# started once.
#
# kernel: y m debug
# cpus: 2
# boot: own
# timeout: 120

sockopt hammer 8 10000
[ "$(dmesg | grep -c 'Loaded bpfilter_umh')" = 1 ]
[ "$(dmesg | grep -c 'Started bpfilter')" = 1 ]
