#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A helper that does not answer holds nobody up for long: its caller gets
# ETIMEDOUT after 5 s, those who wait behind it are served by a new one.
#
# kernel: y m debug

sockopt expect 0 get 64 84
stopped=$(pidof bpfilter_umh)
kill -STOP "$stopped"

start=$(date +%s)
sockopt expect ETIMEDOUT get 64 84 &
first=$!
sleep 1
sockopt expect 0 get 64 84 &
second=$!
wait $first
wait $second
took=$(($(date +%s) - start))
if [ $took -lt 4 ] || [ $took -gt 9 ]; then
	echo "$took s for a timeout of 5"
	exit 1
fi

[ "$(pidof bpfilter_umh)" != "$stopped" ]
[ ! -e "/proc/$stopped" ]
