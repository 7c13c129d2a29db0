#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Rules answer and log, as a module and built in; /proc lists what is served.
# What the answers and lines are, to the byte, is answers.sh's affair.
#
# kernel: y m nobtf btf debug

# Not the one inside of busybox.
ip() { /usr/sbin/ip "$@"; }
net=net$$
ip netns add $net
trap 'ip netns del $net' EXIT
on() { ip netns exec $net "$@"; }
on ip link set lo up
all=$(cat /proc/sys/net/netfilter/nf_log_all_netns)
echo 1 >/proc/sys/net/netfilter/nf_log_all_netns

on iptables-restore <<END
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 23 -j LOG --log-prefix "test $$ " --log-level 5
-A INPUT -p tcp -m tcp --dport 23 -j MARK --set-xmark 0x7/0xff
-A INPUT -p tcp -m tcp --dport 23 -m mark --mark 0x7/0xff -j CONNMARK --save-mark
-A INPUT -p tcp -m tcp --dport 23 -m addrtype --dst-type LOCAL -j REJECT --reject-with tcp-reset
-A INPUT -p tcp -m tcp --dport 24 -j NFLOG --nflog-group 3
-A INPUT -p tcp -m tcp --dport 24 -j REJECT --reject-with icmp-host-prohibited
COMMIT
END
said() { # PORT
	on nc -v -w 2 127.0.0.1 "$1" </dev/null 2>&1 || :
}
said 23 | grep 'Connection refused'
said 24 | grep 'No route to host'
dmesg | grep "test $$ IN=lo OUT= .* PROTO=TCP .* DPT=23 "
# Each rule but the policies counted.
on iptables-save -c -t filter
if on iptables-save -c -t filter | grep '^\[0:0\] -A'; then exit 1; fi
for target in CONNMARK LOG MARK NFLOG REJECT; do grep -qx $target /proc/net/ip_tables_targets; done
grep -qx addrtype /proc/net/ip_tables_matches
# Of x_tables, and on nobtf of bpfilter's own, as LOG and MARK are everywhere here.
on iptables -t raw -A OUTPUT -p tcp -m tcp --dport 25 -j TRACE
dmesg -c >/dev/null
said 25 | grep 'Connection refused'
for what in raw:OUTPUT:policy:2 filter:OUTPUT:policy:1 filter:INPUT:policy:7; do
	dmesg | grep "TRACE: $what .* DPT=25 "
done
on iptables -t raw -F
# A table that asks nothing and only acts.
on iptables -F
on iptables -A INPUT -p icmp -j REJECT
on ping -c 1 -W 2 127.0.0.1 | grep '100% packet loss'
echo "$all" >/proc/sys/net/netfilter/nf_log_all_netns
