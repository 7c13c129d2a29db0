#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What MASQUERADE has translated goes when the address does, and when the device does;
# what comes then gets the new address. With ip_tables and with bpfilter.
#
# kernel: iptables
# boot: own
# timeout: 120

# Not the one inside of busybox.
ip() { /usr/sbin/ip "$@"; }
at() { host=$1; shift; ip netns exec "$host" "$@"; }

# client 10.5.0.2 ---- 10.5.0.1 router 10.6.0.1 ---- 10.6.0.2 server
world() {
	for host in client router server; do
		ip netns add $host
		at $host ip link set lo up
	done
	ip link add eth0 netns client type veth peer name lan netns router
	ip link add eth0 netns server type veth peer name wan netns router
	at client ip addr add 10.5.0.2/24 dev eth0
	at server ip addr add 10.6.0.2/24 dev eth0
	at router ip addr add 10.5.0.1/24 dev lan
	at router ip addr add 10.6.0.1/24 dev wan
	for device in lan wan; do at router ip link set $device up; done
	for host in client server; do at $host ip link set eth0 up; done
	at client ip route add default via 10.5.0.1
	at router sysctl -q -w net.ipv4.ip_forward=1
}
gone() { for host in client router server; do ip netns del $host; done; }

# The addresses that connections of the client are translated to.
translated() { at router conntrack -L -p udp 2>/dev/null | sed -n 's/.*src=10.5.0.2 .* src=10.6.0.2 dst=\([0-9.]*\) .*/\1/p' | sort | uniq -c | xargs; }
# One of a few ports, as new connections have.
send() { for port in 4000 4001 4002; do echo x | at client nc -u -p $port -w 1 10.6.0.2 7; done; }

# What is translated at each step.
steps() {
	world
	at router iptables -t nat -A POSTROUTING -o wan -j MASQUERADE
	send
	echo "first: $(translated)"
	at router ip addr del 10.6.0.1/24 dev wan
	sleep 2
	echo "without the address: $(translated)"
	at router ip addr add 10.6.0.9/24 dev wan
	send
	echo "another address: $(translated)"
	at router ip link set wan down
	sleep 2
	echo "without the device: $(translated)"
	at router ip link set wan up
	send
	echo "the device again: $(translated)"
	at router iptables -t nat -S POSTROUTING
	gone
}

. compare
compare steps
cat /tmp/bpfilter
grep -qx 'first: 3 10.6.0.1' /tmp/bpfilter
grep -qx 'without the address: ' /tmp/bpfilter
grep -qx 'another address: 3 10.6.0.9' /tmp/bpfilter
grep -qx 'without the device: ' /tmp/bpfilter
