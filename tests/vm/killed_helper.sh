#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A helper that was killed is replaced at the next call, which is answered: no
# call fails, however soon after the kill it comes.
#
# kernel: y m debug

for round in 1 2 3 4 5 6 7 8 9 10; do
	iptables -L -n >/dev/null
	before=$(pidof bpfilter_umh)
	kill -9 "$before"
	sockopt expect 0 get 64 84
	after=$(pidof bpfilter_umh)
	[ "$after" != "$before" ] || { echo "round $round: still $before"; exit 1; }
done
iptables -L -n | grep -q '^Chain INPUT (policy ACCEPT)'
