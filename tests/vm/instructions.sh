#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Instructions that a packet takes: a UDP datagram of 22 bytes to oneself over
# loopback, sent and received, behind rules that differ in address and port and
# do not match it. IPv4 and IPv6, without a filter, with ip_tables or ip6_tables, with
# bpfilter. The guest's clock counts them, so the figures are the same on every
# machine, and a tenth more than they were is a fault; so is IPv6 at more than 1.25
# times IPv4. bench/instructions makes tables of them.
#
# kernel: iptables
# boot: own

# What bpfilter takes above no filter, NUMBER OF RULES:INSTRUCTIONS of IPv4. To be
# lowered with the code.
bars='0:179 10:350 100:350 1000:350'

numbers='0 10 100 1000'
[ -z "${FULL:-}" ] || numbers="$numbers 10000"

rules() { # FAMILY NUMBER
	echo '*filter'
	awk -v address="$([ "$1" = 4 ] && echo 10.%d.%d.1/32 || echo fd00::%x:%x:1/128)" -v n="$2" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "-A INPUT -s " address " -p udp -m udp --dport %d -j DROP\n", i / 250, i % 250, 5000 + i
	}'
	echo COMMIT
}
for family in 4 6; do
	for number in $numbers; do rules $family "$number" >"/tmp/rules.$family.$number"; done
done

# In a network namespace of its own; until somebody asks for its table it has none.

measure() { # FAMILY [FILE]
	unshare -n sh -euc '
		ip link set lo up
		case $1 in
		4) address=127.0.0.1 restore=iptables-restore ;;
		6) address=::1 restore=ip6tables-restore ;;
		esac
		[ -z "$2" ] || $restore <"$2"
		datagrams $address' sh "$1" "${2:-}"
}
with() { # FAMILY NUMBER
	measure "$1" "/tmp/rules.$1.$2"
}
name() { # FAMILY
	[ "$1" = 4 ] || echo "IPv6, "
}

serve ip_tables
for family in 4 6; do
	none=$(measure $family)
	eval "none_$family=$none"
	echo "figure: $(name $family)no filter: $none"
	for number in $numbers; do
		echo "figure: $(name $family)ip_tables, $number rules: $(($(with $family "$number") - none)) more"
	done
done
if pidof bpfilter_umh; then exit 1; fi

serve bpfilter
failed=0
for family in 4 6; do
	eval "none=\$none_$family"
	for number in $numbers; do
		more=$(($(with $family "$number") - none))
		echo "figure: $(name $family)bpfilter, $number rules: $more more"
		eval "more_${family}_$number=$more"
	done
done
for number in $numbers; do
	eval "ipv4=\$more_4_$number ipv6=\$more_6_$number"
	bar=$(echo "$bars" | tr ' ' '\n' | sed -n "s/^$number://p")
	if [ -n "$bar" ] && [ "$ipv4" -gt $((bar + bar / 10)) ]; then
		echo "bpfilter with $number rules: $ipv4 instructions, and $bar are known"
		failed=1
	fi
	if [ $((ipv6 * 100)) -gt $((ipv4 * 125)) ]; then
		echo "bpfilter with $number rules of IPv6: $ipv6 instructions, and $ipv4 of IPv4"
		failed=1
	fi
done
pidof bpfilter_umh
exit $failed
