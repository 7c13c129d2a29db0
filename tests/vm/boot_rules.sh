#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A kernel image with boot rules: they are in force before /init, they are those of
# the file, and what they drop does not pass from the first packet on.
#
# kernel: yrules
# boot: own

rules=/lib/modules/boot/router.rules
dmesg >/tmp/log
line() {
	grep -c "$1" /tmp/log | grep -qx 1 || { echo "not once in the log: $1"; grep -i bpfilter /tmp/log; exit 1; }
	grep -n "$1" /tmp/log | cut -d: -f1
}
[ "$(line 'bpfilter: boot rules in force: 5 tables')" -lt "$(line 'Run /init as init process')" ]

ip() { /usr/sbin/ip "$@"; }
passed() { awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $2 + $3 }' /proc/net/snmp; }
came() { awk '$1 == "Ip:" && $2 ~ /^[0-9]/ { print $4 }' /proc/net/snmp; }
passed6() { awk '$1 == "Udp6InDatagrams" || $1 == "Udp6NoPorts" { n += $2 } END { print n }' /proc/net/snmp6; }
came6() { awk '$1 == "Ip6InReceives" { print $2 }' /proc/net/snmp6; }

# Over loopback, and over a pair of devices to another namespace that come up
# while packets are sent already.
ip link set lo down
drip 127.0.0.9 127.0.0.1 &
ip netns add peer
ip netns exec peer drip 10.9.0.2 10.9.0.1 &
ip netns exec peer drip fd00:9::2 fd00:9::1 &
ip link set lo up
ip link add wan type veth peer name eth0 netns peer
ip -n peer addr add 10.9.0.2/24 dev eth0
ip -n peer addr add fd00:9::2/64 dev eth0 nodad
ip addr add fd00:9::1/64 dev wan nodad
ip -n peer link set eth0 up
ip addr add 10.9.0.1/24 dev wan
ip link set wan up
until [ "$(came)" -ge 500 ]; do sleep 0.1; done
[ "$(passed)" = 0 ] || { echo "$(passed) of $(came) packets have passed"; exit 1; }
until [ "$(came6)" -ge 300 ]; do sleep 0.1; done
[ "$(passed6)" = 0 ] || { echo "$(passed6) of $(came6) packets of IPv6 have passed"; exit 1; }
iptables -L INPUT -n -v -x | awk '/^Chain INPUT/ { found = $5 >= 500 } END { exit !found }'
ip6tables -L INPUT -n -v -x | awk '/^Chain INPUT/ { found = $5 >= 250 } END { exit !found }'
echo "figure: $(came) packets have come, and $(came6) of IPv6, none that the rules drop has passed"
# What they do not drop passes.
ip netns exec peer ping -c 1 -W 1 10.9.0.1 >/dev/null
ip netns exec peer ping -c 1 -W 1 fd00:9::1 >/dev/null

section() { # TABLE FILE
	sed -n "/^\*$1\$/,/^COMMIT\$/p" "$2" | sed 's/ \[[0-9:]*\]$//'
}
for table in mangle nat filter; do
	section $table $rules >/tmp/wanted
	iptables-save -t $table >/tmp/got
	section $table /tmp/got | diff /tmp/wanted -
done
for table in mangle filter; do
	section $table ${rules}6 >/tmp/wanted
	ip6tables-save -t $table >/tmp/got
	section $table /tmp/got | diff /tmp/wanted -
done

seconds=$(sed -n 's/^\[ *\([0-9.]*\)\] Run \/init as init process.*/\1/p' /tmp/log)
echo "figure: /init after $seconds s"

# The first iptables-restore replaces them.
iptables-restore <<END
*filter
:INPUT ACCEPT
COMMIT
END
until [ "$(passed)" -ge 50 ]; do sleep 0.1; done
