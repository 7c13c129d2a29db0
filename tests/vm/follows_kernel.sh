#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Where kernels differ in what a match means or refuses, rules do what x_tables does
# on the kernel that runs: as ip_tables there; on 7.3, where its tables cannot be, as
# its source says.
#
# kernel: iptables debian-6.12 debian-7.3
# boot: own

net=net$$
trap '/usr/sbin/ip netns del $net 2>/dev/null || :' EXIT

record() {
	/usr/sbin/ip netns add $net
	/usr/sbin/ip netns exec $net sh -eu -c '
	/usr/sbin/ip link set lo up
	# 7.2: later fragments have no header to look at.
	iptables -A OUTPUT -p tcp -m tcpmss --mss 1400:1500
	iptables -A OUTPUT -p tcp -m ecn --ecn-tcp-ece
	iptables -A OUTPUT -p tcp -m ecn --ecn-ip-ect 0
	later_fragment 127.0.0.1
	iptables -L OUTPUT -n -v -x | awk "NR > 2 { print \"later fragments:\", \$1 }"
	iptables -F
	# 7.3: a least size above the most, and inversion flags that are neither 0 nor 1.
	iptables -A INPUT -p tcp -m tcpmss --mss 10:20
	probe set filter tcpmss 0 21
	iptables -F
	iptables -A INPUT -p tcp -m tcpmss --mss 10:20
	probe set filter tcpmss 4 2
	iptables -F
	iptables -A INPUT -m tos --tos 0x10/0x3f
	probe set filter tos 2 2
	iptables -F
	# Some kernels take modes of these that there are not.
	iptables -A INPUT -m ttl --ttl-lt 9
	probe set filter ttl 0 4
	ip6tables -A INPUT -m hl --hl-lt 9
	probe -6 set filter hl 0 4
	'
	/usr/sbin/ip netns del $net
}

case $(uname -r) in
6.*)
	. compare
	compare record
	grep -c '^later fragments: 1$' /tmp/bpfilter | grep -x 3
	;;
*)
	record >/tmp/bpfilter
	cat >/tmp/expected <<-END
	later fragments: 0
	later fragments: 0
	later fragments: 1
	filter tcpmss 0 21: 22
	filter tcpmss 4 2: 22
	filter tos 2 2: 22
	filter ttl 0 4: 22
	filter hl 0 4: 22
	END
	diff /tmp/expected /tmp/bpfilter
	;;
esac
