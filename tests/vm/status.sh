#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# /proc/net/bpfilter: the numbers of each table, of the namespace that reads, for
# its root alone; the helper's process. The log says which rule was refused and why,
# and nobody can fill it by that.
#
# kernel: y m nobtf debug
# boot: own
# timeout: 120

# Not the one inside of busybox.
ip() { /usr/sbin/ip "$@"; }
iptables -S >/dev/null # on m: the first use loads the module
net=net$$
ip netns add $net
trap 'ip netns del $net; iptables -F' EXIT
on() { ip netns exec $net "$@"; }
value() { awk -v key="$1" '$1 == key { print $2 }' /proc/net/bpfilter; }
is() { # KEY VALUE: in the namespace
	on cat /proc/net/bpfilter | grep -qx "$1 $2" || { on cat /proc/net/bpfilter; echo "not $1 $2"; exit 1; }
}
number() { on cat /proc/net/bpfilter | awk -v key="ip.filter.$1" '$1 == key { print $2 }'; }

# --- root's, of its namespace ---------------------------------------------------

[ "$(stat -c '%a %u %g' /proc/net/bpfilter)" = '400 0 0' ]
if su -s /bin/sh nobody -c 'cat /proc/net/bpfilter'; then exit 1; fi
# Whose user namespace has a root when the network namespace is made.
su -s /bin/sh nobody -c "unshare -U -r unshare -n cat /proc/net/bpfilter" | grep -qx 'ip.filter.generation 0'
if grep -E '0x|[0-9a-f]{16}' /proc/net/bpfilter; then echo 'an address'; exit 1; fi

# --- the helper -------------------------------------------------------------------

[ "$(value helper.pid)" = "$(pidof bpfilter_umh)" ]
# One that another procfs does not show has no number there.
unshare -p -f -m sh -c 'mount -t proc proc /proc && grep -qx "helper.pid 0" /proc/net/bpfilter'
restarts=$(value helper.restarts)
kill -KILL "$(pidof bpfilter_umh)"
for _ in 1 2 3 4 5 6 7 8 9 10; do [ "$(value helper.pid)" != 0 ] || break; sleep 0.1; done
[ "$(value helper.pid)" = 0 ]
# Reading asks no helper, and starts none.
is ip.filter.generation 0
[ "$(value helper.restarts)" = "$restarts" ]
iptables -S >/dev/null
[ "$(value helper.pid)" = "$(pidof bpfilter_umh)" ]
[ "$(value helper.restarts)" = $((restarts + 1)) ]

# --- the numbers of a table -------------------------------------------------------

for key in entries rules chains instructions map_bytes tuples refusals; do is "ip.filter.$key" 0; done
on iptables -A INPUT -s 192.0.2.1 -j DROP
is ip.filter.generation 1
is ip.filter.rules 1
is ip.filter.chains 0
is ip.filter.entries 5
is ip.filter.entries_listed 5
is ip.filter.tuples 0
[ "$(number instructions)" -gt 50 ]
[ "$(number map_bytes)" -gt 500 ]
# Neither another table nor another namespace.
is ip.mangle.generation 0
unshare -n cat /proc/net/bpfilter | grep -qx 'ip.filter.rules 0'
# A policy alone needs no program.
on iptables -F
is ip.filter.generation 2
is ip.filter.rules 0
is ip.filter.instructions 0
on iptables -N some
on iptables -A some -j RETURN
on iptables -A FORWARD -j some
is ip.filter.chains 1
is ip.filter.rules 2
is ip.filter.entries 8
# Counters alone are no rules. What fails is no generation.
on iptables -t security -Z
before=$(number generation)
if on iptables -A FORWARD -j TRACE; then exit 1; fi
is ip.filter.generation "$before"

# How entries are found: each in one way.
rules() { # FORMAT: 300 rules
	echo '*filter'
	awk -v format="$1" 'BEGIN { for (i = 0; i < 300; i++) printf format "\n", i / 250, i % 250 }'
	echo COMMIT
}
sum() { echo $(($(number entries_in_tuples) + $(number entries_in_bitmaps) + $(number entries_listed))); }
rules '-A INPUT -s 192.0.%d.%d -j DROP' | on iptables-restore
is ip.filter.rules 300
[ "$(number tuples)" -ge 1 ]
[ "$(number entries_in_tuples)" -ge 150 ]
[ "$(sum)" = 304 ]
rules '-A INPUT -p tcp --dport 1%d%03d:20000 -j DROP' | on iptables-restore
[ "$(number entries_in_bitmaps)" -ge 300 ]
[ "$(sum)" = 304 ]
on iptables -F

# --- refusals -----------------------------------------------------------------------

logged() { dmesg | grep -cF "bpfilter: $1" || :; }
refused() { # LINE COMMAND...: it fails, and the file and the log say why
	line=$1 before=$(logged "filter: $1 (net:[")
	shift
	if on "$@" 2>/dev/null; then echo "not refused: $*"; exit 1; fi
	is ip.filter.refused "$line"
	[ "$(logged "filter: $line (net:[")" = $((before + 1)) ] || { dmesg | tail; echo "not logged: $line"; exit 1; }
}
refusals=$(number refusals)
on iptables -N some
on iptables -A some -s 192.0.2.1
refused "rule 2 of chain some: target 'TRACE' revision 0: does not take its options or this place, errno 22" \
	iptables -A some -j TRACE
is ip.filter.refusals $((refusals + 1))
is ip.filter.rules 1
# The same again is counted, and not logged for a minute.
lines=$(logged 'filter: rule 2 of chain some')
if on iptables -A some -j TRACE; then exit 1; fi
is ip.filter.refusals $((refusals + 2))
[ "$(logged 'filter: rule 2 of chain some')" = "$lines" ]
# A jump in a circle.
on iptables -N other
on iptables -A INPUT -j other
on iptables -A other -j some
refused 'rule 1 of chain other: packets get here from here, and would never leave' iptables -A some -j other
on iptables -F
on iptables -X
# A target that is there, and what its options name is not.
if on iptables -t raw -A PREROUTING -p tcp -j CT --helper nosuch; then exit 1; fi
absent="rule 1 of chain PREROUTING: target 'CT' revision 2: what its options name is not there, such as a set or a label, errno 2"
on grep -qx "ip.raw.refused $absent" /proc/net/bpfilter || { on grep '^ip.raw' /proc/net/bpfilter; exit 1; }

# Those of the first namespace do not name one.
if iptables -A FORWARD -j TRACE; then exit 1; fi
dmesg | grep "bpfilter: filter: rule 1 of chain FORWARD: target 'TRACE' revision 0: .*errno 22\$"
grep -q '^ip.filter.refused rule 1 of chain FORWARD: ' /proc/net/bpfilter

# The family is named where it is IPv6, and its tables have keys of their own.
if [ -e /proc/sys/net/ipv6 ]; then
	if on ip6tables -A INPUT -j TRACE; then exit 1; fi
	dmesg | grep "bpfilter: IPv6 filter: rule 1 of chain INPUT: target 'TRACE' revision 0: "
	on grep "^ip6.filter.refused rule 1 of chain INPUT: target 'TRACE' revision 0: " /proc/net/bpfilter
	on ip6tables -A INPUT -s 2001:db8::1 -j DROP
	is ip6.filter.rules 1
	is ip.filter.rules 0
	on ip6tables -F
fi

# Root of a user namespace: whatever it asks for, some lines in an hour, and no line
# of its own making. It takes nothing away from what others are told.
cat >/tmp/flood <<'END'
i=0
while [ $i -lt 40 ]; do
	iptables -N "c$i" && iptables -A "c$i" -j TRACE
	i=$((i + 1))
done
true
END
before=$(dmesg | grep -c 'bpfilter: filter: ')
su -s /bin/sh nobody -c 'XTABLES_LOCKFILE=/tmp/lock.$$ unshare -U -r -n sh /tmp/flood' 2>/dev/null
lines=$(($(dmesg | grep -c 'bpfilter: filter: ') - before))
[ $lines -ge 1 ] || { echo "nothing of it is logged"; exit 1; }
[ $lines -le 10 ] || { echo "$lines lines"; exit 1; }
# x_tables' own lines have their own limit.
if dmesg | tail -n 20 | grep 'callbacks suppressed' | grep -v 'xt_check_target:'; then exit 1; fi
if iptables -A OUTPUT -j TRACE; then exit 1; fi
dmesg | grep 'bpfilter: filter: rule 1 of chain OUTPUT: '
