#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A program has only what its table needs, so that a table with one rule is
# another program than one with many: each target alone, and with each match
# alone, of both families. The programs must load; that they mean what they should is
# the affair of answers.sh.
#
# kernel: y nobtf btf

set -ef
trap 'iptables -F; iptables -X; ip6tables -F' EXIT
count=0
restore=iptables-restore
load() { # CHAIN RULE
	printf '*filter\n-A %s\nCOMMIT\n' "$*" | $restore || {
		echo "refused: -A $*"
		exit 1
	}
	count=$((count + 1))
}

targets='-j REJECT
-j LOG
-j NFLOG
-j MARK --set-xmark 0x1/0xff
-j CONNMARK --save-mark
-j NFQUEUE --queue-num 3
-j HMARK --hmark-tuple src --hmark-mod 4 --hmark-rnd 7'

matches='
-i lo
-s 192.0.2.1
-p tcp
-f
-p tcp --dport 23
-p udp -m multiport --dports 1,2,3:4
-p tcp --tcp-option 4
-p tcp -m tcpmss --mss 4
-p icmp --icmp-type 8
-m addrtype --dst-type LOCAL
-m connmark --mark 1
-m connbytes --connbytes 9 --connbytes-mode bytes --connbytes-dir both
-m connlimit --connlimit-above 3
-m conntrack --ctstate NEW
-m dscp --dscp 4
-m iprange --src-range 192.0.2.1-192.0.2.9
-m length --length 40
-m limit
-m mac ! --mac-source 00:00:00:00:00:01
-m mark --mark 1
-m pkttype --pkt-type multicast
-m quota --quota 4
-m recent --set
-m statistic --mode random --probability 0.5
-m ttl --ttl-eq 3
-m u32 --u32 0=1'

IFS='
'
for target in $targets; do
	load "INPUT $target"
	for match in $matches; do load "INPUT $match $target"; done
	load "OUTPUT -m owner --uid-owner 1 $target"
	# Both ways on from it, and from a chain of the user's.
	iptables-restore <<-END
		*filter
		:sub - [0:0]
		:deeper - [0:0]
		-A INPUT -j sub
		-A sub -i lo $target
		-A sub -g deeper
		-A deeper $target
		COMMIT
	END
done

targets6='-m comment --comment none
-j ACCEPT
-j REJECT
-j LOG
-j MARK --set-xmark 0x1/0xff'

matches6='
-i lo
-s 2001:db8::1
-p all
-p all -i lo
-p tcp
-p tcp --dport 23
-p udp -m multiport --dports 1,2,3:4
-p tcp --tcp-option 4
-p tcp -m tcpmss --mss 4
-p icmpv6 --icmpv6-type 128
-m connmark --mark 1
-m conntrack --ctstate NEW
-m dscp --dscp 4
-m length --length 40
-m limit
-m mark --mark 1
-m pkttype --pkt-type multicast
-m quota --quota 4
-m statistic --mode random --probability 0.5
-m hl --hl-eq 3'

restore=ip6tables-restore
for target in $targets6; do
	load "INPUT $target"
	for match in $matches6; do load "INPUT $match $target"; done
done
echo "figure: $count tables of one rule"
