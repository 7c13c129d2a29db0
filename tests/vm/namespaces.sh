#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# 1,000 network namespaces with programs and connection tracking, all at once,
# leave nothing behind when they die: no memory, no program.
#
# kernel: m
# boot: own
# timeout: 600

. free_memory

DROP=1 CONNTRACK=15 # of helpers/commits.c
[ ! -e /sys/module/bpfilter ] || rmmod bpfilter
insmod /lib/modules/broken/commits.ko

# 1,000 namespaces with a table of theirs.
round() { sockopt namespaces 1000 sockopt expect 0 set 64 $1; }

round $DROP
before=$(most_free_kb round $CONNTRACK)
after=$(most_free_kb round $CONNTRACK)
echo "figure: $((before - after)) KiB less free after 3,000 namespaces"
# A program alone takes a page for each hook. The measure itself varies by 2 MiB.
[ $((before - after)) -lt 4000 ]
[ -z "$(bpftool prog list)" ]
[ -z "$(bpftool map list)" ]
