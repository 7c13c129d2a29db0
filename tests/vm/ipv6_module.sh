#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Where IPv6 is a module, tables of IPv4 are served without it. The first socket of
# ip6tables loads it, and then all tables of IPv6 are there, with nat and rerouting;
# but for REJECT, whose answers are in a module that bpfilter, built in, cannot call.
#
# kernel: ipv6m
# boot: own

loaded() { grep -q '^ipv6 ' /proc/modules; }
answers() { ping -c 1 -W 1 "$1" >/dev/null 2>&1; }
ip() { /usr/sbin/ip "$@"; }

ip link set lo up
iptables -A INPUT -d 127.0.0.2 -j DROP
answers 127.0.0.1
if answers 127.0.0.2; then exit 1; fi
if loaded; then echo "IPv6 is loaded before anybody asks for it"; exit 1; fi

for table in $TABLES; do ip6tables -t $table -S >/dev/null; done
loaded
[ "$(sort </proc/net/ip6_tables_names)" = "$(echo "$TABLES" | tr ' ' '\n' | sort)" ]
ip addr add fd00::1/128 dev lo nodad
ip addr add fd00::2/128 dev lo nodad
ip addr add fd00::3/128 dev lo nodad
answers fd00::1
ip6tables -A INPUT -d fd00::2 -p ipv6-icmp -m icmp6 --icmpv6-type echo-request -j DROP
if ip6tables -A OUTPUT -d fd00::3 -j REJECT 2>/tmp/said; then exit 1; fi
grep -q 'No chain/target/match by that name' /tmp/said
dmesg | grep -q "target 'REJECT' revision 0: not in this kernel"
ip6tables -A OUTPUT -d fd00::3 -p ipv6-icmp -j DROP
answers fd00::1
if answers fd00::2; then exit 1; fi
if answers fd00::3; then exit 1; fi
ip6tables -L INPUT -vnx | grep -q '^ *1 *104 .*DROP'
ip6tables -L OUTPUT -vnx | grep -q '^ *1 *104 .*DROP'
ip6tables -F
ip -6 route add fd00::9/128 dev lo
ip6tables -t nat -A OUTPUT -d fd00::9 -j DNAT --to-destination fd00::1
answers fd00::9
# What rerouting needs of IPv6 is called where it is.
ip -6 rule add fwmark 7 lookup 100
ip -6 route add fd00::8/128 dev lo table 100
ip6tables -t mangle -A OUTPUT -d fd00::8 -j MARK --set-mark 7
ip addr add fd00::8/128 dev lo nodad
answers fd00::8
