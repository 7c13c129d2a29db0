#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Targets that change a packet (TCPMSS) or take it away (SYNPROXY) do what they do
# in ip_tables: the packets that leave are the same to the byte, and what rules
# behind them see of these, their bytes included; and connections come about
# through SYNPROXY.
#
# kernel: iptables
# where: host
# timeout: 600

cd "$(dirname "$0")/../.."
. tests/vm/packet_agent

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
ip() { /usr/sbin/ip "$@"; }
printf '%s\n' 'icmp 1' 'tcp 6' 'udp 17' >/etc/protocols
for module in xt_string ts_bm ts_kmp; do modprobe $module; done

# A server behind SYNPROXY, here and one hop further, and who asks it.
record() {
	packet-agent changed 12
	for name in client proxy server; do ip netns add $name; ip -n $name link set lo up; done
	for name in client server; do
		ip link add $name netns proxy type veth peer name proxy netns $name
		ip -n proxy link set $name up
		ip -n $name link set proxy up
	done
	ip -n client addr add 10.5.0.2/24 dev proxy
	ip -n proxy addr add 10.5.0.1/24 dev client
	ip -n proxy addr add 10.6.0.1/24 dev server
	ip -n server addr add 10.6.0.2/24 dev proxy
	ip -n client route add default via 10.5.0.1
	ip -n server route add default via 10.6.0.1
	ip netns exec proxy sh -eu <<-'PROXY'
		echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose
		iptables -t raw -A PREROUTING -i client -p tcp --dport 80 --syn -j CT --notrack
		for chain in INPUT FORWARD; do
			iptables -A $chain -i client -p tcp --dport 80 -m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460
			iptables -A $chain -i client -p tcp --dport 80 -m conntrack --ctstate INVALID -j DROP
			iptables -A $chain -i client -p tcp --dport 80 -m conntrack --ctstate ESTABLISHED
		done
		iptables -A FORWARD -p tcp --tcp-flags SYN SYN -j TCPMSS --set-mss 900
	PROXY
	for place in 10.5.0.1 10.6.0.2; do
		where=server
		[ $place = 10.6.0.2 ] || where=proxy
		seq 20000 | ip netns exec $where nc -l -N $place 80 >/tmp/asked &
		for _ in 1 2 3 4 5 6 7 8 9 10; do ! ip netns exec $where grep -q ':0050 .* 0A ' /proc/net/tcp || break; sleep 0.2; done
		seq 10000 | ip netns exec client nc -N -w 9 $place 80 >/tmp/answered
		wait
		# The server leaves when the client has said all.
		echo "$place: asked $(md5sum </tmp/asked) answered $(head -n 50 /tmp/answered | md5sum)"
		# Nobody is there.
		if ip netns exec client nc -w 2 $place 81; then exit 1; fi
	done
	# How many packets there are otherwise is a matter of time.
	ip netns exec proxy iptables-save -c -t filter | grep -e SYNPROXY -e 'INVALID -j DROP'
	ip netns exec proxy awk '{ syn += $2; invalid += $3; valid += $4 } END { print "synproxy", syn, invalid, valid }' /proc/net/stat/synproxy
	for name in client proxy server; do ip netns del $name; done
}

. compare
compare record
# All of it has been there.
for what in 'TCPMSS --set' 'TCPMSS --clamp' SYNPROXY; do
	number=$(grep -c "^\[[1-9].*-j $what" /tmp/bpfilter)
	echo "figure: $number rules with '$what' have matched"
done
grep -qx 'synproxy 2 0 2' /tmp/bpfilter
END
$BOOT --add "$agent=/usr/bin/packet-agent" "$work/script"
