#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The machine goes to sleep while the helper works: the request ends before, the
# callers behind it are served after. Nobody gets an error, the helper stays.
#
# kernel: debug
# timeout: 120

sockopt expect 0 get 64 84
helper=$(pidof bpfilter_umh)
trap 'echo none >/sys/power/pm_test; iptables -F' EXIT
# All is frozen, and thawed a second later.
echo freezer >/sys/power/pm_test
echo 1 >/sys/module/suspend/parameters/pm_test_delay

rules=5000
{
	echo '*filter'
	i=0
	while [ $i -lt $rules ]; do
		echo "-A INPUT -s 10.0.$((i / 250)).$((i % 250)) -j DROP"
		i=$((i + 1))
	done
	echo COMMIT
} >/tmp/rules
for _ in 1 2 3; do
	iptables-restore </tmp/rules &
	restore=$!
	until [ "$(awk '{ print $3 }' "/proc/$helper/stat")" = R ]; do kill -0 $restore; done
	sockopt loop 10 >/tmp/loop &
	loop=$!
	echo freeze >/sys/power/state
	wait $restore
	wait $loop
	[ "$(iptables -S INPUT | wc -l)" = $((rules + 1)) ]
done
[ "$(pidof bpfilter_umh)" = "$helper" ] || { echo "the helper was replaced"; exit 1; }
