#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A match from outside of the kernel's tree may change the packet, too, and nobody can
# know by its name. Rules behind it, and the rest of its own rule, see what ip_tables'
# see: here that the packet has got a mark, and is to be dropped for it.
#
# kernel: iptables
# boot: own

insmod /lib/modules/foreign/changing_match.ko
rules() { # ADDRESS
	cat <<-END
		*filter
		-A OUTPUT -d $1 -m mark --mark 7
		-A OUTPUT -d $1 -m connlimit --connlimit-above 1 -m mark --mark 7
		-A OUTPUT -d $1 -m mark --mark 0 -j ACCEPT
		-A OUTPUT -d $1 -m mark --mark 7 -j DROP
		COMMIT
	END
}
record() {
	rules 127.0.0.1 | iptables-restore
	rules ::1 | ip6tables-restore
	for to in 127.0.0.1 ::1; do
		if ping -c 2 -W 1 $to >/dev/null 2>&1; then echo "passes to $to"; fi
	done
	for tool in iptables ip6tables; do $tool -L OUTPUT -v -x -n | awk '{ print $1, $2, $3 }'; done
	iptables -F
	ip6tables -F
}
. compare
compare record
# Each of them has seen what it changes.
[ "$(grep -c '^1 \|^2 ' /tmp/bpfilter)" = 4 ]
