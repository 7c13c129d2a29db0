#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A kernel without IPv6: tables of IPv4 are served, ip6tables hears what it hears from
# ip_tables there, and nothing of IPv6 is in /proc.
#
# kernel: noipv6

ip link set lo up
iptables -A INPUT -d 127.0.0.2 -j DROP
ping -c 1 -W 1 127.0.0.1 >/dev/null
if ping -c 1 -W 1 127.0.0.2 >/dev/null; then exit 1; fi
iptables -F
for table in $TABLES; do
	iptables -t $table -S >/dev/null
	if ip6tables -t $table -S 2>/tmp/said; then exit 1; fi
	grep -q "can't initialize ip6tables table \`$table'" /tmp/said
done
if ls /proc/net/ip6_tables_* 2>/dev/null; then exit 1; fi
iptables -t nat -L >/dev/null
