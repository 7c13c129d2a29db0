#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Of 20 callers some never answer, do not take their answer, fail or are killed:
# none of the others waits 100 ms for an answer.
#
# kernel: y

sockopt expect 0 get 64 84
helper=$(pidof bpfilter_umh)
silent crowd >/tmp/crowd
[ "$(wc -l </tmp/crowd)" = 5 ]
sed 's/^/figure: /' /tmp/crowd
[ "$(pidof bpfilter_umh)" = "$helper" ] || { echo "the helper was replaced"; exit 1; }
sockopt expect 0 get 64 84
