#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What rules tell others of packets: records of the audit system, a light. And
# what packets bring along that no header has: the realm of their route. And
# chance. The same with ip_tables and with bpfilter beside it.
#
# kernel: iptables
# where: host
# timeout: 180

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
# Of what the audit system prints nothing may be left out.
echo 0 >/proc/sys/kernel/printk_ratelimit
ip() { /usr/sbin/ip "$@"; }
on() { ip netns exec "$@"; }
# A light of user space's, kept as long as fd 3 is open.
{ printf light; head -c 59 /dev/zero; printf '\377\0\0\0'; } >/tmp/light
exec 3<>/dev/uleds
dd if=/tmp/light bs=68 count=1 >&3 2>/dev/null
light=/sys/class/leds/light

# near CHAIN: packets that matched the first rule of CHAIN, within five standard
# deviations (97) of a quarter of 2,000?
near() {
	matched=$(on here iptables -L "$1" -n -v -x | awk 'NR == 3 { print $1 }')
	echo "figure: $matched of 2000" >&2
	[ "$matched" -gt 403 ] && [ "$matched" -lt 597 ] && echo near
}

record() {
	ip netns add here
	ip netns add there
	ip link add here netns here type veth peer name there netns there
	on here ip link set lo up
	on here ip link set here up
	on there ip link set there up
	on here ip addr add 192.0.2.1/24 dev here
	on there ip addr add 192.0.2.2/24 dev there
	on there ip addr add 198.51.100.2/32 dev there
	on there ip route add default dev there

	dmesg -c >/dev/null
	on here iptables -A OUTPUT -p icmp -j AUDIT --type accept
	on here iptables -A INPUT -p icmp -m length --length 100: -j AUDIT --type drop
	on here iptables -A INPUT -p icmp -j AUDIT --type reject
	on here iptables -A INPUT -p icmp -j MARK --set-mark 5
	on here iptables -A INPUT -p icmp -m mark --mark 5 -j AUDIT --type reject
	on here ping -c 2 -i 0.2 -W 1 -s 100 192.0.2.2 >/dev/null
	on here iptables-save -c -t filter | grep ^.[0-9]
	sleep 1
	dmesg | sed -n 's/.*\(type=1324\) audit([^)]*)/\1/p'
	on here iptables -F

	on here iptables -A OUTPUT -p icmp -s 192.0.2.1 -j LED --led-trigger-id now --led-delay 500
	on here iptables -A OUTPUT -p icmp -d 127.0.0.1 -j LED --led-trigger-id ever --led-delay inf
	for id in now ever; do
		echo netfilter-$id >$light/trigger
		echo "led $id $(cat $light/brightness)"
		on here ping -c 1 -W 1 192.0.2.2 >/dev/null
		echo "led $id $(cat $light/brightness)"
		on here ping -c 1 -W 1 127.0.0.1 >/dev/null
		sleep 1
		echo "led $id $(cat $light/brightness)"
	done
	on here iptables -F
	cat $light/trigger

	on here ip route add 198.51.100.0/24 dev here realm 7
	on here ip route change 192.0.2.0/24 dev here realm 3/5
	{
		echo '*filter'
		for chain in INPUT OUTPUT; do
			for realm in 0 3 5 7 0x30000/0xff0000 0x50000/0xff0000 0x70000/0xff0000 1/1; do
				echo "-A $chain -p icmp -m realm --realm $realm"
				echo "-A $chain -p icmp -m realm ! --realm $realm"
			done
		done
		echo COMMIT
	} | on here iptables-restore
	on here ping -c 1 -W 1 198.51.100.2 >/dev/null
	on here ping -c 2 -i 0.2 -W 1 192.0.2.2 >/dev/null
	on here iptables-save -c -t filter | grep ^.[0-9]
	on here iptables -F

	on here iptables-restore <<-RULES
		*filter
		-A INPUT -p icmp -m statistic --mode random --probability 0.25
		-A OUTPUT -p icmp -m statistic --mode random ! --probability 0.75
		-A INPUT -p icmp -m statistic --mode random --probability 0
		-A OUTPUT -p icmp -m statistic --mode random ! --probability 0
		-A INPUT -p icmp -m statistic --mode nth --every 7 --packet 3
		COMMIT
	RULES
	on here ping -q -f -c 1000 -W 1 127.0.0.1 >/dev/null
	near INPUT
	near OUTPUT
	on here iptables-save -c -t filter | grep -v -e '0.25' -e '0.75' | grep ^.[0-9]
	ip netns del here
	ip netns del there
}

. compare
compare record
# All of it has been there.
[ "$(grep -c type=1324 /tmp/bpfilter)" = 8 ]
[ "$(grep '^led now' /tmp/bpfilter | tr '\n' ' ')" = 'led now 0 led now 255 led now 0 ' ]
[ "$(grep '^led ever' /tmp/bpfilter | tail -n 1)" = 'led ever 255' ]
[ "$(grep -c '^\[[1-9].*-m realm --realm' /tmp/bpfilter)" -ge 4 ]
[ "$(grep -c near /tmp/bpfilter)" = 2 ]
END
$BOOT --append audit=1 "$work/script"
