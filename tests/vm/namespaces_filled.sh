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

. free_memory

helper() { pidof bpfilter_umh; }
helper_kb() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$(helper)/status"; }

fill() { sockopt namespaces 1000 iptables -A INPUT -s 192.0.2.1 -j DROP; }

iptables -S >/dev/null
started=$(helper)
fill
small=$(helper_kb)
before=$(most_free_kb fill)
for time in 1 2 3; do fill; done
after=$(most_free_kb fill)
rss=$(helper_kb)
echo "figure: $((before - after)) KiB less free after 6,000 namespaces, the helper $rss KiB"
# Two thirds of a KiB for each. On Linux 7.3 the measure itself varies by two and a half
# MiB, and by one with namespaces that nobody gives a rule.
[ $((before - after)) -lt 4000 ]
[ "$(helper)" = "$started" ]
# Two pages where a page has 64 KiB.
pages=$(awk '$1 == "nr_free_pages" { print $2 }' /proc/vmstat)
free=$(awk '$1 == "MemFree:" { print $2 }' /proc/meminfo)
page=$(((free + pages / 2) / pages))
[ "$rss" -le 64 ] || [ "$rss" -le $((2 * page)) ]
[ "$rss" -le $((small + 16)) ]
