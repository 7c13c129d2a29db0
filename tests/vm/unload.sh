#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The module can go while callers hammer it, takes its helper along, and comes
# back with the first use.
#
# kernel: m debug
# stock: no, nobody but modprobe loads it there, and it is not removed under a caller
# cpus: 2
# boot: own
# timeout: 180

no_helper() { ! pidof bpfilter_umh >/dev/null; }
not_loaded() { ! grep -q '^bpfilter ' /proc/modules; }

# Loaded by the first use, by modprobe in the name of the kernel.
not_loaded
iptables -L -n | grep -q '^Chain INPUT (policy ACCEPT)'
grep -q '^bpfilter ' /proc/modules

# Unloaded in a quiet moment, and at once loaded again.
for round in 1 2 3 4 5; do
	rmmod bpfilter
	no_helper
	not_loaded
	[ ! -e /proc/net/ip_tables_names ]
	modprobe bpfilter
	pidof bpfilter_umh >/dev/null
done

# Unloaded while a helper that does not answer has a request: when that is over.
modprobe bpfilter
kill -STOP "$(pidof bpfilter_umh)"
sockopt expect ETIMEDOUT get 64 84 &
# That it waits for the answer shows as an uninterruptible sleep.
until [ "$(awk '{ print $3 }' /proc/$!/stat)" = D ]; do sleep 0.1; done
rmmod bpfilter
no_helper
wait $!

# Unloaded under four callers, who may not load it again meanwhile.
modprobe bpfilter
modprobe_path=$(cat /proc/sys/kernel/modprobe)
echo /bin/false >/proc/sys/kernel/modprobe
for round in 1 2 3 4 5; do
	sockopt storm 4 4 &
	sleep 1
	rmmod bpfilter
	no_helper
	not_loaded
	sockopt expect ENOPROTOOPT get 64 84
	modprobe bpfilter
	sockopt expect 0 get 64 84
	wait $!
done
echo "$modprobe_path" >/proc/sys/kernel/modprobe

# Unloaded under four callers who load it again as soon as they can.
sockopt storm 4 10 &
for round in 1 2 3 4 5 6; do
	sleep 1
	rmmod bpfilter || modprobe bpfilter
done
wait $!
sockopt expect 0 get 64 84
[ "$(pidof bpfilter_umh | wc -w)" = 1 ]
