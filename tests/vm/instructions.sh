#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Instructions that a packet takes: a UDP datagram of 22 bytes to oneself over
# loopback, sent and received, behind rules that differ in address and port and
# do not match it. IPv4 and IPv6, without a filter, with ip_tables or ip6_tables, with
# bpfilter. The guest's clock counts them, so the figures are the same on every
# machine, and more than the bars below is a fault; so is IPv6 at more than 1.25
# times IPv4. In full size with nf_tables, too: the same rules by iptables-nft, and a set
# of nft's own with a rule that drops what is in it; bpfilter must take less than either.
# bench/instructions makes tables of them.
#
# kernel: iptables
# boot: own
# timeout: 180

# What bpfilter may take above no filter, NUMBER OF RULES:INSTRUCTIONS of IPv4. It takes
# 149 and 334, on other CPUs than x86-64 up to a tenth more.
bars='0:150 10:350 100:350 1000:350 10000:350'
[ "$(uname -m)" = x86_64 ] || bars='0:163 10:367 100:367 1000:367 10000:367'

numbers='0 10 100 1000'
[ -z "${FULL:-}" ] || numbers="$numbers 10000"

rules() { # FAMILY NUMBER
	printf '%s\n' '*filter' ':INPUT ACCEPT [0:0]' ':FORWARD ACCEPT [0:0]' ':OUTPUT ACCEPT [0:0]'
	awk -v address="$([ "$1" = 4 ] && echo 10.%d.%d.1/32 || echo fd00::%x:%x:1/128)" -v n="$2" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "-A INPUT -s " address " -p udp -m udp --dport %d -j DROP\n", i / 250, i % 250, 5000 + i
	}'
	echo COMMIT
}
# The same by hand: what the rules drop is in a set.
set_of() { # FAMILY RULES
	case $1 in
	4) ip=ip type=ipv4_addr ;;
	6) ip=ip6 type=ipv6_addr ;;
	esac
	cat <<-NFT
		table $ip filter {
			set dropped {
				type $type . inet_service
				$(sed -n 's/^-A INPUT -s \([^/]*\).*--dport \([0-9]*\) .*/\1 . \2/p' "$2" | paste -s -d, | sed 's/..*/elements = { & }/')
			}
			chain input {
				type filter hook input priority filter
				$ip saddr . udp dport @dropped drop
			}
			chain output {
				type filter hook output priority filter
			}
		}
	NFT
}
for family in 4 6; do
	for number in $numbers; do
		rules $family "$number" >"/tmp/rules.$family.$number"
		[ -z "${FULL:-}" ] || set_of $family "/tmp/rules.$family.$number" >"/tmp/set.$family.$number"
	done
done

# In a network namespace of its own; until somebody asks for its table it has none.
measure() { # FAMILY [COMMAND FILE]
	address=127.0.0.1
	[ "$1" = 4 ] || address=::1
	unshare -n sh -euc '
		ip link set lo up
		[ -z "$2" ] || $2 <"$3"
		datagrams $1' sh $address "${2:-}" "${3:-}"
}
with() { # FAMILY NUMBER [-nft]
	iptables=iptables
	[ "$1" = 4 ] || iptables=ip6tables
	measure "$1" "$iptables${3:-}-restore" "/tmp/rules.$1.$2"
}
name() { # FAMILY
	[ "$1" = 4 ] || echo "IPv6, "
}

[ -z "${FULL:-}" ] || modprobe nft_compat
serve ip_tables
for family in 4 6; do
	none=$(measure $family)
	eval "none_$family=$none"
	echo "figure: $(name $family)no filter: $none"
	for number in $numbers; do
		echo "figure: $(name $family)ip_tables, $number rules: $(($(with $family "$number") - none)) more"
	done
	for number in ${FULL:+$numbers}; do
		nft=$(($(with $family "$number" -nft) - none))
		set=$(($(measure $family '/usr/local/lib/nft -f -' "/tmp/set.$family.$number") - none))
		echo "figure: $(name $family)nf_tables, $number rules: $nft more"
		echo "figure: $(name $family)a set of nft, $number rules: $set more"
		[ "$nft" -lt "$set" ] || nft=$set
		eval "nft_${family}_$number=$nft"
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
		eval "more_${family}_$number=$more nft=\${nft_${family}_$number:-}"
		if [ -n "$nft" ] && [ "$more" -gt "$nft" ]; then
			echo "bpfilter with $number rules of IPv$family: $more instructions, and $nft with nf_tables"
			failed=1
		fi
	done
done
for number in $numbers; do
	eval "ipv4=\$more_4_$number ipv6=\$more_6_$number"
	bar=$(echo "$bars" | tr ' ' '\n' | sed -n "s/^$number://p")
	if [ "$ipv4" -gt "$bar" ]; then
		echo "bpfilter with $number rules: $ipv4 instructions, and it may take $bar"
		failed=1
	fi
	if [ $((ipv6 * 100)) -gt $((ipv4 * 125)) ]; then
		echo "bpfilter with $number rules of IPv6: $ipv6 instructions, and $ipv4 of IPv4"
		failed=1
	fi
done
pidof bpfilter_umh
exit $failed
