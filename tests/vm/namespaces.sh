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

# 1,000 namespaces with a table of theirs.
round() { sockopt namespaces 1000 sockopt expect 0 set 64 $1; }

# The most after three rounds. The allocator of per-CPU memory keeps a chunk of 8 MiB
# after some of them, where it has put something else: that is no leak, and must not hide
# one either, which takes as much each time.
most_free_kb() {
	most=0
	for time in 1 2 3; do
		round $CONNTRACK
		kb=$(settled_kb)
		[ "$kb" -le $most ] || most=$kb
	done
	echo $most
}

round $DROP # fills the caches of the allocators
before=$(most_free_kb)
after=$(most_free_kb)
echo "figure: $((before - after)) KiB less free after 3,000 namespaces"
# A program alone takes a page for each hook. The measure itself varies by 2 MiB.
[ $((before - after)) -lt 4000 ]
[ -z "$(bpftool prog list)" ]
[ -z "$(bpftool map list)" ]
