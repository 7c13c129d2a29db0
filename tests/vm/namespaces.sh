#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# 1,000 network namespaces with programs and connection tracking, all at once,
# leave nothing behind when they die: no memory, no program.
#
# kernel: m
# boot: own
# timeout: 600

DROP=1 CONNTRACK=15 # of helpers/commits.c
[ ! -e /sys/module/bpfilter ] || rmmod bpfilter
insmod /lib/modules/broken/commits.ko

# Free memory once it does not change any more.
settled_kb() {
	# Workers of the kernel's that were needed for a moment go when they have been idle
	# for five minutes; with PREEMPT_RT there are a thousand of them.
	sleep 400
	old=0 new=1
	while [ $old -ne $new ]; do
		sleep 3
		echo 3 >/proc/sys/vm/drop_caches
		old=$new
		# In steps of 256 KiB: it always breathes.
		new=$(awk '$1 == "MemFree:" { print int($2 / 256) }' /proc/meminfo)
	done
	echo $((new * 256))
}

# The most of three times: what somebody has for a while, 8 MiB of it in some boots of
# Debian's kernel, is no leak, and must not hide one either.
free_kb() {
	most=0
	for time in 1 2 3; do
		kb=$(settled_kb)
		[ "$kb" -le $most ] || most=$kb
	done
	echo $most
}

round() {
	sockopt namespaces 1000 sockopt expect 0 set 64 $1
	free_kb
}

round $DROP >/dev/null # fills the caches of the allocators
before=$(round $CONNTRACK)
after=$(round $CONNTRACK)
echo "figure: $((before - after)) KiB less free after 1,000 namespaces"
# A program alone takes a page for each hook. The measure itself varies by 1 MiB.
[ $((before - after)) -lt 4000 ]
[ -z "$(bpftool prog list)" ]
[ -z "$(bpftool map list)" ]
