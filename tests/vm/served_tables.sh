#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Which tables bpfilter serves is a parameter: the others stay with ip_tables,
# and where they have rules while bpfilter takes their table over, the log says so.
#
# kernel: iptables
# boot: own

modprobe_path=$(cat /proc/sys/kernel/modprobe)
echo /bin/false >/proc/sys/kernel/modprobe
iptables -A INPUT -s 192.0.2.1 -j ACCEPT
iptables -t nat -A POSTROUTING -s 192.0.2.2 -j MASQUERADE
# Used, and without rules.
iptables -t mangle -L -n >/dev/null
said() { dmesg | grep "bpfilter: $*"; }
ip() { /usr/sbin/ip "$@"; }

# A table that there is not.
if modprobe bpfilter tables=filter,nosuch; then exit 1; fi
said 'tables=filter,nosuch: this kernel has no table "nosuch"'
if grep '^bpfilter ' /proc/modules; then exit 1; fi

modprobe bpfilter tables=filter,raw
said "ip_tables' table filter has rules, 5 entries"
[ "$(dmesg | grep -c 'has rules')" = 1 ]
iptables -S >/tmp/out
printf '%s\n' '-P INPUT ACCEPT' '-P FORWARD ACCEPT' '-P OUTPUT ACCEPT' | diff - /tmp/out
iptables -t nat -S | grep -qx -- '-A POSTROUTING -s 192.0.2.2/32 -j MASQUERADE'
iptables -t nat -A POSTROUTING -s 192.0.2.3 -j MASQUERADE
iptables -t raw -A PREROUTING -s 192.0.2.4 -j DROP
if iptables -t nosuch -L -n 2>/tmp/out; then exit 1; fi
grep 'Table does not exist' /tmp/out
# Both are asked: ours, which drops, and ip_tables', which has counted before.
iptables -A OUTPUT -d 127.0.0.9 -j DROP
if ping -c 1 -W 1 127.0.0.9; then exit 1; fi
rmmod bpfilter
iptables -t nat -S | grep -qx -- '-A POSTROUTING -s 192.0.2.3/32 -j MASQUERADE'
if iptables -t raw -S | grep 192.0.2.4; then exit 1; fi
iptables -S | grep -qx -- '-A INPUT -s 192.0.2.1/32 -j ACCEPT'

# All of them: one more has rules, two have none.
dmesg -c >/dev/null
modprobe bpfilter
said "ip_tables' table filter has rules, 5 entries"
said "ip_tables' table nat has rules, 7 entries"
[ "$(dmesg | grep -c 'has rules')" = 2 ]
if iptables -t nat -S | grep 192.0.2; then exit 1; fi
# A namespace that has used nothing has nothing to say.
ip netns add other
[ "$(dmesg | grep -c 'has rules')" = 2 ]
ip netns del other
rmmod bpfilter
if said 'no address translation any more'; then exit 1; fi

# raw before defragmentation: fragments are what it sees.
modprobe bpfilter raw_before_defrag=1
iptables -t raw -A PREROUTING -f -j ACCEPT
iptables -t mangle -A PREROUTING -m conntrack --ctstate INVALID -j ACCEPT
iptables -t mangle -A PREROUTING -f -j ACCEPT
ip link set lo mtu 1500
ping -c 1 -s 3000 127.0.0.1 >/dev/null
iptables -t raw -L PREROUTING -n -v -x | awk 'NR == 3 && $1 == 4 { found = 1 } END { exit !found }'
iptables -t mangle -L PREROUTING -n -v -x | awk 'NR == 4 && $1 == 0 { found = 1 } END { exit !found }'
iptables -t nat -A POSTROUTING -s 192.0.2.5 -j MASQUERADE
ip6tables -t nat -A POSTROUTING -s 2001:db8::5 -j MASQUERADE
rmmod bpfilter
said 'no address translation any more in 1 network namespaces'
echo "$modprobe_path" >/proc/sys/kernel/modprobe
