#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Instructions that a packet takes: a UDP datagram of 22 bytes to oneself over
# loopback, sent and received, behind rules that differ in address and port and
# do not match it. Without a filter, with ip_tables, with bpfilter. The guest's
# clock counts them, so the figures are the same on every machine, and a tenth
# more than they were is a fault. bench/instructions makes a table of them.
#
# kernel: iptables
# boot: own

# What bpfilter takes above no filter, NUMBER OF RULES:INSTRUCTIONS. To be lowered
# with the code.
bars='0:248 10:417 100:417 1000:417'

numbers='0 10 100 1000'
[ -z "${FULL:-}" ] || numbers="$numbers 10000"

rules() { # NUMBER
	echo '*filter'
	awk -v n="$1" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "-A INPUT -s 10.%d.%d.1/32 -p udp -m udp --dport %d -j DROP\n", i / 250, i % 250, 5000 + i
	}'
	echo COMMIT
}
for number in $numbers; do rules "$number" >"/tmp/rules.$number"; done

# In a network namespace of its own; until somebody asks for its table it has none.
without() { unshare -n sh -euc 'ip link set lo up; datagrams'; }
with() { # NUMBER
	unshare -n sh -euc 'ip link set lo up; iptables-restore <"$1"; datagrams' sh "/tmp/rules.$1"
}

modprobe=$(cat /proc/sys/kernel/modprobe)
echo /bin/false >/proc/sys/kernel/modprobe
none=$(without)
echo "figure: no filter: $none"
for number in $numbers; do
	echo "figure: ip_tables, $number rules: $(($(with "$number") - none)) more"
done
if pidof bpfilter_umh; then exit 1; fi

echo "$modprobe" >/proc/sys/kernel/modprobe
modprobe bpfilter
failed=0
for number in $numbers; do
	more=$(($(with "$number") - none))
	echo "figure: bpfilter, $number rules: $more more"
	bar=$(echo "$bars" | tr ' ' '\n' | sed -n "s/^$number://p")
	if [ -n "$bar" ] && [ "$more" -gt $((bar + bar / 10)) ]; then
		echo "bpfilter with $number rules: $more instructions, and $bar are known"
		failed=1
	fi
done
pidof bpfilter_umh
exit $failed
