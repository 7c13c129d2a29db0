#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A module whose helper does not work cannot be loaded: insmod says why, and
# nothing stays behind.
#
# kernel: m debug
# cpus: 2

[ ! -e /sys/module/bpfilter ] || rmmod bpfilter
modprobe_path=$(cat /proc/sys/kernel/modprobe)
echo /bin/false >/proc/sys/kernel/modprobe

refused() { # NAME ERRNO-TEXT
	if insmod "/lib/modules/broken/$1.ko" 2>/tmp/insmod; then
		echo "$1: was loaded"
		exit 1
	fi
	grep -q "$2" /tmp/insmod || { cat /tmp/insmod; exit 1; }
	if grep -q '^bpfilter ' /proc/modules; then exit 1; fi
	if pidof bpfilter_umh; then echo "$1: a helper is left"; exit 1; fi
	[ ! -e /proc/net/ip_tables_names ]
	sockopt expect ENOPROTOOPT get 64 84
}

# With callers that come while it fails.
sockopt storm 2 10 &
refused exits 'Bad address'
refused garbage 'Bad address'
refused short 'Bad address'
refused refuses 'Bad address'
refused hangs 'Bad address'
wait $!

echo "$modprobe_path" >/proc/sys/kernel/modprobe
# Calls that found no module keep others from asking for it, for a second.
sleep 1
iptables -L -n | grep -q '^Chain INPUT (policy ACCEPT)'
