#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# 1,000 network namespaces, all there at once, each with a rule of its own: the
# helper keeps nothing for any of them, and when they die the kernel half does
# not either. Prints the kernel's memory and the helper's.
#
# kernel: y
# boot: own
# set: all
# timeout: 600

kb() { awk -v field="$1:" '$1 == field { print $2 }' "$2"; }
helper() { pidof bpfilter_umh; }

settled() {
	old=0 new=1
	while [ "$old" -ne "$new" ]; do
		sleep 3
		echo 3 >/proc/sys/vm/drop_caches
		old=$new
		# In steps of 256 KiB: it always breathes.
		new=$(awk '$1 == "MemFree:" { print int($2 / 256) }' /proc/meminfo)
	done
}

figures() {
	settled
	free=$(kb MemFree /proc/meminfo) slab=$(kb Slab /proc/meminfo) rss=$(kb VmRSS "/proc/$(helper)/status")
	echo "figure: $1: $free KiB free, $slab KiB of slab, the helper $rss KiB"
}

fill() { sockopt namespaces "$1" iptables -A INPUT -s 192.0.2.1 -j DROP; }

iptables -S >/dev/null
started=$(helper)
fill 1000 # fills the caches of the allocators
sleep 10
figures "after the first thousand"
before=$free small=$rss
fill 1000
# They die in the background, a thousand of them for some time. What is lost
# stays lost: 2 KiB for each, twice the smallest object that could be forgotten.
for i in 1 2 3 4 5 6; do
	sleep 10
	figures "after the second thousand"
	[ $((before - free)) -ge 2000 ] || break
done
echo "figure: $((before - free)) KiB lost over 1,000 namespaces"
[ $((before - free)) -lt 2000 ]
[ "$(helper)" = "$started" ]
# Two pages where a page has 64 KiB.
pages=$(awk '$1 == "nr_free_pages" { print $2 }' /proc/vmstat) free=$(kb MemFree /proc/meminfo)
page=$(((free + pages / 2) / pages))
[ "$rss" -le 64 ] || [ "$rss" -le $((2 * page)) ]
[ "$rss" -le $((small + 16)) ]
