#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# All user namespaces that one user has made have one turn between them: who makes many
# does not keep others waiting. Those that root makes have one each. The copy of a killed
# caller's rules does not wait for its turn.
#
# kernel: y

sockopt expect 0 get 64 84
# waits WHO COMMAND...: a call that waits while the helper is stopped.
waits() {
	who=$1
	shift
	("$@"; echo "$who" >>/tmp/order) &
	sleep 0.05
}
# line_up THEM US: one call by the command US behind twelve by the command THEM. $place is
# when it is answered.
line_up() {
	: >/tmp/order
	kill -STOP "$(pidof bpfilter_umh)"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do waits them $1; done
	waits us $2
	sleep 0.5
	[ ! -s /tmp/order ]
	kill -CONT "$(pidof bpfilter_umh)"
	wait
	cat /tmp/order
	[ "$(wc -l </tmp/order)" = 13 ]
	place=$(grep -n '^us$' /tmp/order | cut -d: -f1)
}
call='sockopt expect 0 get 64 84'
own="unshare -U -r -n $call"

nobody() { su -s /bin/sh nobody -c "$own"; }
line_up nobody "$call"
[ "$place" -le 6 ]
# With each as one of its own, and us behind all of them.
line_up "$own" "$own"
[ "$place" -ge 8 ]

# 64 MiB that are somebody's no more. Free memory varies by 16 MiB meanwhile.
free() { awk '$1 == "MemFree:" { print $2 }' /proc/meminfo; }
before=$(free)
kill -STOP "$(pidof bpfilter_umh)"
sockopt expect 0 get 64 84 &
first=$!
sleep 0.1
sockopt expect 0 set 64 $((64 << 20)) &
large=$!
sleep 1
[ $((before - $(free))) -ge 45000 ]
kill -KILL $large
wait $large || :
sleep 0.5
left=$((before - $(free)))
kill -CONT "$(pidof bpfilter_umh)"
wait $first
echo "figure: $left KiB less free when it was killed"
[ $left -lt 45000 ]
