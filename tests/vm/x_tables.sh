#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Matches and targets that are x_tables' own: what rules hold of them is there
# as long as the rule is, whatever becomes of the helper; a REPLACE that fails,
# a rule, a namespace and the module leave nothing of it behind. What they say
# of packets, to the last counter, is x_tables_answers.sh's affair.
#
# kernel: y m nobtf btf debug
# timeout: 180

# Not the one inside of busybox.
ip() { /usr/sbin/ip "$@"; }
net=net$$
ip netns add $net
trap 'iptables -F; ipset destroy; ip netns del $net 2>/dev/null || :' EXIT
on() { ip netns exec $net "$@"; }
on ip link set lo up
uses() { awk -v module="$1" '$1 == module { print $3 }' /proc/modules; }
pings() { on ping -c 1 -W 1 127.0.0.1 >/dev/null; }
packets() { # CHAIN RULE
	on iptables -L "$1" -n -v -x | awk -v rule="$2" 'NR == rule + 2 { print $1 }'
}

# A verdict that is no accept and no drop: nobody listens.
on iptables -A INPUT -p icmp -j NFQUEUE --queue-num 5 --queue-bypass
pings
on iptables -R INPUT 1 -p icmp -j NFQUEUE --queue-num 5
if pings; then exit 1; fi
[ "$(packets INPUT 1)" = 1 ]
on iptables -F

# Sets: a rule holds its set, and sees what is added.
on ipset create known hash:ip
on iptables -A INPUT -p icmp -m set ! --match-set known src -j DROP
if pings; then exit 1; fi
on ipset add known 127.0.0.1
pings
if on ipset destroy known; then exit 1; fi
# In another namespace there is no such set.
if iptables -A INPUT -p icmp -m set ! --match-set known src -j DROP; then exit 1; fi
on iptables -F
on iptables -A OUTPUT -p icmp -d 127.0.0.9 -j SET --add-set known dst
on ping -c 1 -W 1 127.0.0.9 >/dev/null
on ipset test known 127.0.0.9
on iptables -F
on ipset destroy known

# Connections are counted for each rule: three of them hold open.
on iptables -A INPUT -p tcp --syn --dport 7 -m connlimit --connlimit-above 2 --connlimit-mask 0 -j REJECT --reject-with tcp-reset
on nc -l -k 127.0.0.1 7 >/dev/null &
for _ in 1 2 3 4 5 6 7 8 9 10; do on ip -o link >/dev/null; [ -z "$(on cat /proc/net/tcp | grep ':0007 .* 0A ')" ] || break; sleep 0.2; done
open() { on sh -c 'sleep 60 | nc 127.0.0.1 7 >/dev/null' & }
connections() { on cat /proc/net/tcp | grep -c ' 0100007F:0007 01 ' || :; }
open; open
for _ in 1 2 3 4 5 6 7 8 9 10; do [ "$(connections)" != 2 ] || break; sleep 0.2; done
[ "$(connections)" = 2 ]
on nc -v -w 2 127.0.0.1 7 </dev/null 2>&1 | grep 'Connection refused'
[ "$(packets INPUT 1)" = 1 ]
# The rule is made anew with every change, and the count with it, as in
# ip_tables; a helper that dies is none.
kill -KILL "$(pidof bpfilter_umh)"
on nc -v -w 2 127.0.0.1 7 </dev/null 2>&1 | grep 'Connection refused'
[ "$(packets INPUT 1)" = 2 ]
# One of them may be gone because another one is.
# shellcheck disable=SC2046 # one word each
kill $(ip netns pids $net) 2>/dev/null || :

# A module is held once for each rule, through changes, and by nothing else.
[ "$(uses xt_connlimit)" = 1 ]
iptables -A INPUT -p tcp -m connlimit --connlimit-upto 5
on iptables -A INPUT -p udp -m string --string hello --algo bm
on iptables -A INPUT -p udp -m string --string hello --algo kmp
[ "$(uses xt_connlimit) $(uses xt_string)" = '2 2' ]
if rmmod xt_string; then exit 1; fi
# One that fails behind them, in the same request.
if on iptables-restore <<END
*filter
-A INPUT -p udp -m string --string hello --algo bm
-A INPUT -p udp -m connlimit --connlimit-upto 5
-A INPUT -m set --match-set nosuch src
COMMIT
END
then exit 1; fi
if on iptables -A INPUT -p udp -m string --string hello --algo nosuch; then exit 1; fi
if on iptables -A FORWARD -m cgroup --path /; then exit 1; fi
[ "$(uses xt_connlimit) $(uses xt_string)" = '2 2' ]
on iptables-save -t filter | grep -c string | grep -x 2
# The other namespace keeps its own.
iptables -F
[ "$(uses xt_connlimit) $(uses xt_string)" = '1 2' ]

# What rules have used is listed.
for match in connlimit set string; do grep -qx $match /proc/net/ip_tables_matches; done
for target in NFQUEUE SET; do grep -qx $target /proc/net/ip_tables_targets; done

# They go with their namespace.
ip netns del $net
for _ in 1 2 3 4 5 6 7 8 9 10; do [ "$(uses xt_string)" != 0 ] || break; sleep 0.5; done
[ "$(uses xt_connlimit) $(uses xt_string)" = '0 0' ]
rmmod xt_string

# And with bpfilter, where that is a module.
if grep -q '^bpfilter ' /proc/modules; then
	iptables -A INPUT -p tcp -m connlimit --connlimit-upto 5
	[ "$(uses xt_connlimit)" = 1 ]
	rmmod bpfilter
	[ "$(uses xt_connlimit)" = 0 ]
fi
