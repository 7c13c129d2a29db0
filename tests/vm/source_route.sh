#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A packet's control block is IP's, and is the same behind the rules as before
# them: what IP has found in the options of a packet that it is to forward is
# still there.
#
# kernel: y m debug
#
#     lan 10.1.0.2 ---- 10.1.0.1 box 10.2.0.1 ---- 10.2.0.2 wan

# Not the one inside of busybox.
ip() { /usr/sbin/ip "$@"; }
lan=lan$$ box=box$$ wan=wan$$
file=$(mktemp)
cleanup() {
	for net in $lan $box $wan; do
		for pid in $(ip netns pids $net); do kill "$pid" || :; done
		ip netns del $net || :
	done
	rm -f "$file"
}
trap cleanup EXIT

for net in $lan $box $wan; do ip netns add $net; done
ip -n $box link add lan0 type veth peer name box0 netns $lan
ip -n $box link add wan0 type veth peer name box0 netns $wan
ip -n $box address add 10.1.0.1/24 dev lan0
ip -n $box address add 10.2.0.1/24 dev wan0
ip -n $lan address add 10.1.0.2/24 dev box0
ip -n $wan address add 10.2.0.2/24 dev box0
for end in "$box lan0" "$box wan0" "$lan box0" "$wan box0"; do
	# shellcheck disable=SC2086 # two words
	ip -n ${end% *} link set ${end#* } up
done
ip -n $lan route add default via 10.1.0.1
ip -n $wan route add default via 10.2.0.1
ip netns exec $box sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
for net in $box $wan; do
	ip netns exec $net sh -c 'for file in /proc/sys/net/ipv4/conf/*/accept_source_route; do echo 1 >"$file"; done'
done

ip netns exec $wan nc -n -v -u -l -p 7 >"$file" 2>&1 &
# Sends until one has arrived: the listener may not be there yet.
arrives() {
	: >"$file"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		ip netns exec $lan sourceroute 10.1.0.1 10.2.0.2 7
		sleep 0.2
		if grep -q through "$file"; then return; fi
	done
	return 1
}
arrives
ip netns exec $box iptables -P FORWARD DROP
ip netns exec $box iptables -A FORWARD -i lan0 -p udp --dport 7 -j ACCEPT
arrives
[ "$(ip netns exec $box iptables -L FORWARD -n -v -x | awk 'NR == 3 { print $1 }')" != 0 ]
