#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tables with names on this kernel: the verifier takes them, they survive
# REPLACE and the helper's death, and namespaces share none.
#
# kernel: y m nobtf debug

set -e
# The next test of this boot finds no rule and no count.
trap 'iptables -F; iptables -Z' EXIT

packets() {
	iptables -L INPUT -n -v -x | awk -v rule="$1" 'NR == rule + 2 { print $1 }'
}

iptables -A INPUT -p icmp -m icmp --icmp-type 8 -m recent --name pings --set
iptables -A INPUT -p icmp -m icmp --icmp-type 8 -m recent --name pings --update --seconds 600 --hitcount 4 --reap -j DROP
ping -c 6 -i 0.1 -W 1 127.0.0.1 >/dev/null
[ "$(packets 1)" -ge 4 ]
dropped=$(packets 2)
[ "$dropped" -ge 1 ]

kill -KILL "$(pidof bpfilter_umh)"
iptables -A INPUT -s 192.0.2.1 -m recent --name other --rcheck --rttl
if ping -c 1 -W 1 127.0.0.1 >/dev/null; then exit 1; fi
[ "$(packets 2)" -gt "$dropped" ]

# The last rule goes, and the table with it.
iptables -F
iptables -A INPUT -p icmp -m icmp --icmp-type 8 -m recent --name pings --rcheck -j DROP
ping -c 1 -W 2 127.0.0.1 >/dev/null

# Tables of rates: three packets, and a full table that makes room again.
iptables -F
iptables -A INPUT -p icmp -m icmp --icmp-type 8 -m hashlimit --hashlimit-above 1/hour --hashlimit-burst 3 --hashlimit-name pings \
	--hashlimit-mode srcip,srcport --hashlimit-htable-size 1 --hashlimit-htable-max 1 --hashlimit-htable-expire 2000 \
	--hashlimit-htable-gcinterval 500 -j DROP
ping -c 5 -i 0.1 -W 1 127.0.0.1 >/dev/null
[ "$(packets 1)" -eq 2 ]
grep -q 127.0.0.1 /proc/net/ipt_hashlimit/pings
iptables -A INPUT -p icmp -m icmp --icmp-type 8 -m hashlimit --hashlimit-upto 10/sec --hashlimit-rate-match --hashlimit-rate-interval 1 \
	--hashlimit-name windows
if ping -c 1 -W 1 127.0.0.1 >/dev/null; then exit 1; fi
if ping -c 1 -W 1 -I 127.0.0.2 127.0.0.1 >/dev/null; then exit 1; fi
sleep 4
ping -c 1 -W 1 -I 127.0.0.2 127.0.0.1 >/dev/null
