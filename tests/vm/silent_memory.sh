#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A caller whose memory never answers waits alone, wherever that is noticed, and
# can be killed; so can the module go. Nor does a claimed length buy time.
#
# kernel: y m debug
# timeout: 180

sockopt expect 0 get 64 84
helper=$(pidof bpfilter_umh)

# in_time: what a call takes, in nanoseconds of the counted clock.
in_time() {
	took=$(sockopt loop 10)
	[ "$took" -lt 100000000 ] || { echo "$1: others wait $took ns"; exit 1; }
}
waiting() { # THERE get|set OPTION LEN
	silent one "$@" >/tmp/silent &
	silent=$!
	until grep -q waits /tmp/silent; do
		kill -0 $silent || { echo "does not wait: $*"; exit 1; }
		sleep 0.01
	done
}
gone() {
	kill -KILL $silent
	wait $silent 2>/dev/null || :
	[ ! -e /proc/$silent ]
}

# The name, a REPLACE's header, its entries, ADD_COUNTERS; an answer.
for call in '0 get 64 84' '0 get 65 5000' '0 set 64 5000' '50 set 64 5000' '96 set 64 5000' '96 set 64 67108864' \
	'40 set 65 67108864' '32 get 64 84' '0 get 66 30'; do
	# shellcheck disable=SC2086 # its words
	waiting $call
	in_time "$call"
	iptables -A INPUT -s 192.0.2.1 -j DROP
	iptables -F
	gone
	in_time "$call, killed"
done
[ "$(pidof bpfilter_umh)" = "$helper" ] || { echo "the helper was replaced"; exit 1; }

# The answer has its time, whatever length is claimed.
kill -STOP "$helper"
start=$(date +%s)
sockopt expect ETIMEDOUT get 64 67108864
took=$(($(date +%s) - start))
[ $took -ge 4 ] && [ $took -le 9 ] || { echo "$took s for a timeout of 5"; exit 1; }
sockopt expect 0 get 64 84

if [ -f /etc/modules ]; then
	# A stock kernel: netfilter holds the module for who is inside.
	waiting 32 get 64 84
	if rmmod bpfilter; then exit 1; fi
	gone
	in_time "killed, with rmmod refused"
elif grep -q '^bpfilter ' /proc/modules; then
	waiting 32 get 64 84
	rmmod bpfilter
	[ -z "$(pidof bpfilter_umh)" ]
	kill -0 $silent
	gone
	sockopt expect 0 get 64 84
fi
