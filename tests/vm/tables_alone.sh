#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# All tables in a kernel that has none of ip_tables': each has its own rules and
# counters, iptables-save finds those that were used, a table that there is not does
# not exist, and what belongs to one table is refused in another.
#
# kernel: y m debug
# timeout: 120

# Not the one inside of busybox.
ip() { /usr/sbin/ip "$@"; }
net=net$$
trap 'ip netns del $net 2>/dev/null || :' EXIT
ip netns add $net
on() { ip netns exec $net "$@"; }
on ip link set lo up
names() { on cat /proc/net/ip_tables_names | tr '\n' ' '; }

# In the order of ip_tables: who came last is first.
[ -z "$(names 2>/dev/null)" ]
for table in nat filter raw security mangle raw; do on iptables -t $table -S >/dev/null; done
[ "$(names)" = 'mangle security raw filter nat ' ]

cat >/tmp/rules.$$ <<'RULES'
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A OUTPUT -d 127.0.0.8/32 -p icmp -j MARK --set-xmark 0x8/0xff
COMMIT
*security
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -d 127.0.0.8/32 -p icmp -j ACCEPT
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A OUTPUT -d 127.0.0.8/32 -p icmp -j ACCEPT
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A OUTPUT -m mark --mark 0x8/0xff -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A OUTPUT -d 127.0.0.8/32 -p icmp -j DNAT --to-destination 127.0.0.7
COMMIT
RULES
on iptables-restore </tmp/rules.$$
on iptables-save | grep -v '^#' | diff /tmp/rules.$$ -
# filter comes behind NAT, which has changed the address, and sees the mark;
# security comes behind filter, where the packet arrives for another address.
on ping -c 3 127.0.0.8 >/dev/null
rules() { on iptables-save -c -t $1 | grep -o '^\[[0-9]*.*-A [A-Z]*' | tr '\n' ' '; }
[ "$(rules raw)" = '[3:252] -A OUTPUT ' ]
[ "$(rules mangle)" = '[3:252] -A OUTPUT ' ]
[ "$(rules nat)" = '[1:84] -A OUTPUT ' ]
[ "$(rules filter)" = '[3:252] -A OUTPUT ' ]
[ "$(rules security)" = '[0:0] -A INPUT ' ]
on ping -c 2 127.0.0.8 >/dev/null
on iptables -t security -R INPUT 1 -d 127.0.0.7 -p icmp
on ping -c 2 127.0.0.8 >/dev/null
[ "$(rules security)" = '[2:168] -A INPUT ' ]
[ "$(rules nat)" = '[3:252] -A OUTPUT ' ]

# One table is zeroed, emptied and refused without the others.
on iptables -t nat -Z
[ "$(rules nat)" = '[0:0] -A OUTPUT ' ]
[ "$(rules filter)" = '[7:588] -A OUTPUT ' ]
if on iptables -t nat -A OUTPUT -j REJECT; then exit 1; fi
if on iptables -t filter -A OUTPUT -d 127.0.0.8 -p icmp -j DNAT --to-destination 127.0.0.7; then exit 1; fi
if on iptables -t nat -A POSTROUTING -p icmp -j DNAT --to-destination 127.0.0.7; then exit 1; fi
if on iptables -t mangle -A OUTPUT -j CT --notrack; then exit 1; fi
if on iptables -t filter -A OUTPUT -j TTL --ttl-set 4; then exit 1; fi
on iptables -t mangle -F
on ping -c 1 127.0.0.8 >/dev/null
[ "$(rules filter)" = '[7:588] -A OUTPUT ' ]
[ "$(rules raw)" = '[8:672] -A OUTPUT ' ]

# What there is not.
status=0
on iptables -t nosuch -L -n 2>/tmp/out.$$ || status=$?
[ $status = 3 ]
grep 'Table does not exist' /tmp/out.$$
on sockopt expect ENOENT get 64 84 nosuch
on sockopt expect EINVAL get 64 83 nosuch
on sockopt expect ENOENT get 65 40 nosuch
on sockopt expect EINVAL get 65 41 nosuch
on sockopt expect EINVAL set 64 96 nosuch
on sockopt expect ENOPROTOOPT get 68 84 nosuch
[ "$(names)" = 'mangle security raw filter nat ' ]

# A namespace that goes takes its rules along, translated connections or not.
on iptables -t nat -A POSTROUTING -j SNAT --to-source 127.0.0.6
on ping -c 1 127.0.0.8 >/dev/null
ip netns del $net
ip netns add $net
[ -z "$(names 2>/dev/null)" ]
on ip link set lo up
on iptables-restore </tmp/rules.$$
[ "$(names)" = 'nat filter raw security mangle ' ]

# And with the module, which says what that means.
if grep -q '^bpfilter ' /proc/modules; then
	rmmod bpfilter
	dmesg | grep 'bpfilter: no address translation any more in [1-9]'
fi
rm /tmp/*.$$
