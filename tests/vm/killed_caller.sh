#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A caller that is killed while the helper works does not disturb it, and the
# next caller gets its own answer, not the one that the dead one asked for.
#
# kernel: y m debug

sockopt expect 0 get 64 84
helper=$(pidof bpfilter_umh)

for signal in INT TERM KILL; do
	kill -STOP "$helper"
	sockopt expect 0 get 64 84 2>/dev/null &
	killed=$!
	sleep 0.5
	kill -$signal $killed
	# Another question with another answer, behind the dead one's.
	sockopt expect ENOENT get 66 30 "no such match" &
	next=$!
	sleep 0.5
	kill -CONT "$helper"
	if wait $killed; then
		echo "SIG$signal did not kill the caller"
		exit 1
	fi
	wait $next
	sockopt expect 0 get 64 84
done

[ "$(pidof bpfilter_umh)" = "$helper" ] || { echo "the helper was replaced"; exit 1; }
