#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The audit system is told of a table as ip_tables tells it: once when a namespace
# first uses it, of each REPLACE that succeeds, by whom, and when it goes.
#
# kernel: iptables
# where: host
# timeout: 120

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
# Nothing that the audit system prints may be left out.
echo 0 >/proc/sys/kernel/printk_ratelimit
ip() { /usr/sbin/ip "$@"; }

record() {
	dmesg -c >/dev/null
	ip netns add here
	ip netns add there
	# First uses, of one kind and of the other; and none.
	sh -c 'echo "who $$"; exec /usr/sbin/ip netns exec here iptables -L -n' | grep who >/tmp/who
	ip netns exec there iptables -A INPUT -s 192.0.2.1 -j DROP
	ip netns exec here iptables -A INPUT -s 192.0.2.1 -j DROP
	ip netns exec here iptables -N other
	ip netns exec here iptables -Z
	ip netns exec here iptables -L -n >/dev/null
	# These change nothing.
	! ip netns exec here iptables -A INPUT -m set --match-set nosuch src 2>/dev/null
	! ip netns exec here iptables -A INPUT -j nosuch 2>/dev/null
	! ip netns exec here iptables -D INPUT -s 192.0.2.9 2>/dev/null
	ip netns exec here iptables-restore <<-RULES
		*filter
		-A INPUT -s 192.0.2.1
		-A INPUT -s 192.0.2.2
		COMMIT
	RULES
	ip netns exec here iptables -F
	# One after the other: namespaces that go together go in any order.
	for which in 1 2; do
		if [ $which = 1 ]; then ip netns del here; else ip netns del there; fi
		for _ in 1 2 3 4 5 6 7 8 9 10; do [ "$(dmesg | grep -c 'type=1325.*xt_unregister')" -lt $which ] || break; sleep 0.5; done
	done
	dmesg | sed -n 's/.*type=1325 audit([^)]*): //p' >/tmp/records
	sed 's/^who /first by /' /tmp/who | sed "s/$(sed 's/who //' /tmp/who)/P/"
	# The first record's process is the one that asked; a worker ends it all.
	sed "s/pid=$(sed 's/who //' /tmp/who) /pid=P /; s/pid=[0-9]* /pid=N /; s/comm=\"kworker[^\"]*\"/comm=kworker/" /tmp/records
}

. compare
compare record
# All of it has been there.
grep -q 'op=xt_register pid=P' /tmp/bpfilter
[ "$(grep -c 'op=xt_register' /tmp/bpfilter)" = 2 ]
[ "$(grep -c 'op=xt_unregister' /tmp/bpfilter)" = 2 ]
grep -q 'entries=5 op=xt_replace.*comm="iptables"' /tmp/bpfilter
grep -q 'op=xt_replace.*comm="iptables-restor"' /tmp/bpfilter
END
$BOOT --append audit=1 "$work/script"
