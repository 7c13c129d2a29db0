#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A caller can be frozen while it waits for its answer. Nobody waits for it then,
# and when it goes on it has its answer.
#
# kernel: debug

sockopt expect 0 get 64 84
helper=$(pidof bpfilter_umh)
group=/tmp/freezer/cold
mkdir /tmp/freezer
mount -t cgroup -o freezer freezer /tmp/freezer
clean() {
	echo THAWED >$group/freezer.state
	wait
	rmdir $group
	umount /tmp/freezer
	rmdir /tmp/freezer
}
mkdir $group
trap clean EXIT

kill -STOP "$helper"
sh -c "echo \$\$ >$group/cgroup.procs; exec sockopt expect 0 get 64 84" &
caller=$!
sleep 0.5
echo FROZEN >$group/freezer.state
for _ in 1 2 3 4 5 6 7 8 9 10; do [ "$(cat $group/freezer.state)" != FROZEN ] || break; sleep 0.1; done
state=$(cat $group/freezer.state)
kill -CONT "$helper"
[ "$state" = FROZEN ] || { echo "$state, not FROZEN"; exit 1; }

took=$(sockopt loop 10)
[ "$took" -lt 100000000 ] || { echo "others wait $took ns"; exit 1; }
iptables -A INPUT -s 192.0.2.1 -j DROP
iptables -F
[ "$(cat $group/freezer.state)" = FROZEN ]
echo THAWED >$group/freezer.state
wait $caller
[ "$(pidof bpfilter_umh)" = "$helper" ] || { echo "the helper was replaced"; exit 1; }
