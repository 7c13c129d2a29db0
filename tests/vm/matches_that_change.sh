#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Two matches change the packet: socket --restore-skmark its mark, cluster its type. What
# rules behind them see, and the rest of the same rule, is what ip_tables' see; also where
# an index has many rules, and of IPv6.
#
# kernel: iptables
# boot: own

# Not the one inside of busybox.
ip() { /usr/sbin/ip "$@"; }
ip netns add lan
ip netns add box
trap 'kill $(ip netns pids box) 2>/dev/null || :; ip netns del lan; ip netns del box' EXIT
ip -n lan link add eth0 type veth peer name eth0 netns box
ip -n lan address add 10.5.0.2/24 dev eth0
ip -n box address add 10.5.0.1/24 dev eth0
ip -n lan address add fd00:5::2/64 dev eth0 nodad
ip -n box address add fd00:5::1/64 dev eth0 nodad
for net in lan box; do ip -n $net link set eth0 up; done
# As a cluster's nodes have it: what is sent to one comes to all.
for to in 10.5.0.1 fd00:5::1; do ip -n lan neigh replace $to lladdr 01:00:5e:00:00:01 dev eth0; done
ip netns exec box marked 53 0x10 >/tmp/ready &
until grep -q ready /tmp/ready; do sleep 0.1; done

# Rules in front, so that there is an index.
many() { awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) print "-A PREROUTING -p udp -m mark --mark " i + 100 " --dport " i % 50 " -j DROP" }'; }
rules() { # COUNT
	echo '*mangle'
	many "$1"
	cat <<-END
		-A PREROUTING -p udp -m mark --mark 0 -m socket --nowildcard --restore-skmark -m mark --mark 0
		-A PREROUTING -p udp -m mark --mark 0x10
		-A PREROUTING -p udp -m mark --mark 0
		-A PREROUTING -p udp -m socket --nowildcard --restore-skmark -m mark --mark 0x10
		-A PREROUTING -p udp -m socket --nowildcard --restore-skmark -m mark ! --mark 0x10 -j DROP
		-A PREROUTING -p udp -m pkttype --pkt-type multicast
		-A PREROUTING -p udp -m cluster --cluster-total-nodes 1 --cluster-local-node 1 --cluster-hash-seed 0xdead -m pkttype --pkt-type unicast
		-A PREROUTING -p udp -m pkttype --pkt-type multicast -j DROP
		-A PREROUTING -p udp -m pkttype --pkt-type unicast
	END
	many "$1"
	cat <<-END
		-A PREROUTING -p udp -m mark --mark 0x10/0x10 -m pkttype --pkt-type unicast
		COMMIT
	END
}
packets() {
	for to in 10.5.0.1 fd00:5::1; do
		for _ in 1 2 3; do echo x | ip netns exec lan nc -u -w 1 -q 0 $to 53 || :; done
	done
}
record() {
	for count in 0 20 500; do
		rules $count | ip netns exec box iptables-restore
		rules $count | ip netns exec box ip6tables-restore
		packets
		for tool in iptables ip6tables; do
			echo "$tool, $count"
			ip netns exec box $tool -t mangle -L PREROUTING -v -x -n | awk '{ print $1, $2, $3 }'
		done
	done
}
. compare
compare record
# They have changed something.
grep -c '^3 ' /tmp/bpfilter
