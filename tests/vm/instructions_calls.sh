#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Instructions that a packet takes behind rules that only x_tables can answer: the
# datagram of instructions.sh, and rules that ask for a string or a set, all
# reached and none true. At most 1.3 times what ip_tables takes for the rules.
# bench/instructions makes a table of them.
#
# kernel: iptables
# boot: own
# timeout: 300

numbers='1 10 100'
[ -z "${FULL:-}" ] || numbers="$numbers 1000"
kinds='string set'

rules() { # KIND NUMBER
	echo '*filter'
	awk -v kind="$1" -v n="$2" 'BEGIN {
		for (i = 0; i < n; i++)
			if (kind == "string")
				printf "-A INPUT -m string --algo bm --string needle%d -j DROP\n", i
			else
				printf "-A INPUT -m set --match-set set%d %s -j DROP\n", i % 10, i % 20 < 10 ? "src" : "dst"
	}'
	echo COMMIT
}
for kind in $kinds; do
	for number in $numbers; do rules "$kind" "$number" >"/tmp/$kind.$number"; done
done
i=0
while [ $i -lt 10 ]; do
	echo "create set$i hash:net"
	echo "add set$i 10.$i.0.0/16"
	i=$((i + 1))
done >/tmp/sets

without() { unshare -n sh -euc 'ip link set lo up; datagrams 127.0.0.1'; }
with() { unshare -n sh -euc 'ip link set lo up; ipset restore </tmp/sets; iptables-restore <"$1"; datagrams 127.0.0.1' sh "$1"; }

# What ip_tables would ask for while nothing may be loaded.
for module in xt_string ts_bm; do modprobe $module; done
serve ip_tables
none=$(without)
for kind in $kinds; do
	for number in $numbers; do
		more=$(($(with "/tmp/$kind.$number") - none))
		echo "figure: $kind, ip_tables, $number rules: $more more"
		eval "${kind}_$number=$more"
	done
done
if pidof bpfilter_umh; then exit 1; fi

serve bpfilter
failed=0
for kind in $kinds; do
	for number in $numbers; do
		more=$(($(with "/tmp/$kind.$number") - none))
		echo "figure: $kind, bpfilter, $number rules: $more more"
		eval "than=\$${kind}_$number"
		if [ $((more * 10)) -gt $((than * 13)) ]; then
			echo "$number rules with -m $kind: $more instructions, and ip_tables takes $than"
			failed=1
		fi
	done
done
pidof bpfilter_umh
exit $failed
