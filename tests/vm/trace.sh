#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# TRACE: the lines of a packet that is traced are those of ip_tables and ip6_tables,
# through all tables, chains of the user's, calls of x_tables, returns and policies.
#
# kernel: iptables
# boot: own

ip() { /usr/sbin/ip "$@"; }
printf '%s\n' 'icmp 1' 'tcp 6' 'udp 17' 'ipv6-icmp 58' >/etc/protocols
ip link set lo up
modprobe ipt_TRACE 2>/dev/null || :
modprobe nf_log_syslog 2>/dev/null || :
labels web
# The log of the namespace that the machine starts with, where bpfilter.ko comes later.
echo 1 >/proc/sys/net/netfilter/nf_log_all_netns

rules() { # restore
	$1 <<'RULES'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -m comment --comment unseen -j ACCEPT
-A OUTPUT -p udp -m udp --dport 9 -j TRACE
-A OUTPUT -p udp -m udp --dport 11 -j TRACE
-A OUTPUT -m mark --mark 1
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A OUTPUT -p udp -j MARK --set-xmark 0x1/0xffffffff
-A OUTPUT -m mark --mark 1 -j TOS --set-tos 0x10/0x3f
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A OUTPUT -p udp -m udp --dport 9 -j REDIRECT --to-ports 10
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT DROP [0:0]
:deep - [0:0]
:end - [0:0]
:one - [0:0]
-A INPUT -p udp -g end
-A INPUT -j REJECT
-A OUTPUT -p udp -j one
-A OUTPUT -m addrtype --dst-type LOCAL -j deep
-A OUTPUT -p udp -m udp --dport 10 -j ACCEPT
-A deep -p udp -m length --length 0:100
-A deep -j RETURN
-A end -m connmark --mark 5 -j DROP
-A end -j DROP
-A one -p udp -m limit --limit 100/sec -j deep
-A one -p udp -m multiport --dports 9,10 -j RETURN
COMMIT
*security
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A OUTPUT -p udp -j SECMARK --selctx web
-A OUTPUT -p udp -m udp --dport 10 -j CONNSECMARK --save
COMMIT
RULES
}
# The lines, without what differs from packet to packet.
lines() {
	dmesg -c | sed -n 's/^\[[^]]*\] //; s/ ID=[0-9]*//; s/ FLOWLBL=[0-9]*//; s/ SPT=[0-9]*//; s/ UID=.*//; /TRACE: /p'
}
record() {
	for name in first second; do
		ip netns add traced
		ip -n traced link set lo up
		at() { ip netns exec traced "$@"; }
		rules "at iptables-restore"
		rules "at ip6tables-restore"
		# Rules that come when there is a trace already, and a table that goes back.
		if [ $name = second ]; then
			at iptables -I deep 1 -p udp -j one2 2>/dev/null || :
			at iptables -I OUTPUT 1 -p udp -m comment --comment first
			at ip6tables -t mangle -F
		fi
		dmesg -c >/dev/null
		for to in 127.0.0.1 ::1; do
			for port in 9 11; do echo hello | at nc -u -w 1 $to $port >/dev/null 2>&1 || :; done
		done
		lines
		for table in $TABLES; do
			at iptables-save -c -t $table | grep '^\[[1-9]' || :
			at ip6tables-save -c -t $table | grep '^\[[1-9]' || :
		done
		ip netns del traced
	done
}

. compare
compare record
for what in raw:OUTPUT:policy:4 mangle:POSTROUTING:policy:1 nat:OUTPUT:rule:1 filter:OUTPUT:rule:1 \
	filter:OUTPUT:policy:4 filter:one:rule:1 filter:deep:return:2 filter:end:return:2 security:OUTPUT:rule:1 security:OUTPUT:policy:3; do
	number=$(grep -c "TRACE: $what " /tmp/bpfilter) || { echo "not traced: $what"; exit 1; }
	echo "figure: $number lines of $what"
done
