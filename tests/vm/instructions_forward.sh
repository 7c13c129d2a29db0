#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Instructions that a packet takes through a router that masquerades, with rules in
# raw, mangle, nat and filter: a UDP datagram of 22 bytes from one host to another,
# the first one of a connection and later ones. Without a filter, with ip_tables,
# with bpfilter, which must take less at any size; and a namespace without tables
# takes with bpfilter what it takes without. In full size with nf_tables, too, by
# iptables-nft, which must not take less than bpfilter either. bench/instructions makes
# a table of them.
#
# kernel: iptables
# boot: own
# timeout: 300

numbers='0 10 100'
[ -z "${FULL:-}" ] || numbers="$numbers 1000"

# What a router at home has, and NUMBER of rules more in each table, of which none
# matches. In filter they stand behind the one that lets connections go on.
rules() { # NUMBER
	awk -v n="$1" '
	function more(rule, verdict) {
		for (i = 0; i < n; i++)
			printf "-A %s 10.%d.%d.1/32 -p udp -m udp --dport %d -j %s\n", rule, 9 + i / 250, i % 250, 5000 + i, verdict
	}
	BEGIN {
		print "*raw\n-A PREROUTING -s 10.5.0.0/24 -i wan -j DROP"
		more("PREROUTING -s", "DROP")
		print "COMMIT\n*mangle\n-A FORWARD -o wan -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
		more("FORWARD -s", "MARK --set-xmark 0x1/0xff")
		print "COMMIT\n*nat"
		more("PREROUTING -d", "DNAT --to-destination 10.5.0.3")
		print "-A POSTROUTING -s 10.5.0.0/24 -o wan -j MASQUERADE"
		print "COMMIT\n*filter\n:FORWARD DROP\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
		more("FORWARD -s", "DROP")
		print "-A FORWARD -i lan -o wan -j ACCEPT\nCOMMIT"
	}'
}
for number in $numbers; do rules "$number" >"/tmp/rules.$number"; done

ip() { /usr/sbin/ip "$@"; }
names='client router server'
# measure [FILE [IPTABLES]]: sets $first and $later.
measure() {
	for name in $names; do ip netns add "$name"; done
	ip link add eth0 netns client type veth peer name lan netns router
	ip link add eth0 netns server type veth peer name wan netns router
	ip -n client addr add 10.5.0.2/24 dev eth0
	ip -n router addr add 10.5.0.1/24 dev lan
	ip -n router addr add 10.6.0.1/24 dev wan
	ip -n server addr add 10.6.0.2/24 dev eth0
	for name in client server; do ip -n "$name" link set eth0 up; done
	for name in lan wan; do ip -n router link set "$name" up; done
	ip -n client route add default via 10.5.0.1
	ip -n server route add default via 10.6.0.1
	ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	[ $# -eq 0 ] || ip netns exec router "${2:-iptables}-restore" <"$1"
	first=$(datagrams client server 10.6.0.2 new)
	later=$(datagrams client server 10.6.0.2)
	# They have met the rules, but for those whose port another one had.
	[ $# -eq 0 ] || ip netns exec router "${2:-iptables}-save" -c -t nat | grep -q '^\[[12][0-9][0-9][0-9]:.*MASQUERADE'
	for name in $names; do ip netns del "$name"; done
}

[ -z "${FULL:-}" ] || for module in nft_compat nft_chain_nat; do modprobe $module; done
serve ip_tables
measure
none_first=$first none_later=$later
echo "figure: first, no filter: $first"
echo "figure: later, no filter: $later"
for number in $numbers; do
	measure "/tmp/rules.$number"
	echo "figure: first, ip_tables, $number rules: $((first - none_first)) more"
	echo "figure: later, ip_tables, $number rules: $((later - none_later)) more"
	eval "first_$number=$first later_$number=$later"
done
for number in ${FULL:+$numbers}; do
	measure "/tmp/rules.$number" iptables-nft
	echo "figure: first, nf_tables, $number rules: $((first - none_first)) more"
	echo "figure: later, nf_tables, $number rules: $((later - none_later)) more"
	eval "nft_first_$number=$first nft_later_$number=$later"
done
if pidof bpfilter_umh; then exit 1; fi

serve bpfilter
failed=0
# worse WHAT THIS THAN: more by a hundredth, or more; which slot of a hash table a
# new connection gets is left to chance.
worse() {
	[ "$2" -gt $(($3 + $3 / 100)) ] || return 0
	echo "$1: $2 instructions, and not $3"
	failed=1
}
measure
worse "first, no table" "$first" "$none_first"
worse "later, no table" "$later" "$none_later"
for number in $numbers; do
	measure "/tmp/rules.$number"
	echo "figure: first, bpfilter, $number rules: $((first - none_first)) more"
	echo "figure: later, bpfilter, $number rules: $((later - none_later)) more"
	eval "worse 'first, $number rules' $first \$first_$number"
	eval "worse 'later, $number rules' $later \$later_$number"
	[ -n "${FULL:-}" ] || continue
	eval "worse 'first, $number rules, nf_tables' $first \$nft_first_$number"
	eval "worse 'later, $number rules, nf_tables' $later \$nft_later_$number"
done
pidof bpfilter_umh
exit $failed
