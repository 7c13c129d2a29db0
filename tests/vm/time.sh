#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The match time on many days: the same rules in mangle, which is ip_tables',
# and in filter, which is ours, count the same packets, whatever the clock is
# set to.
#
# kernel: iptables
# cpus: 2
# boot: own
# timeout: 180

# It sets the clock.
case $(readlink /proc/1/exe) in
*busybox) ;;
*)
	echo "only for a machine whose clock is nobody else's"
	exit 1
	;;
esac

rules() {
	for day in $(seq 31); do echo "--monthdays $day"; done
	echo "! --monthdays 1,15,29,30,31"
	for day in Mon Tue Wed Thu Fri Sat Sun; do
		echo "--weekdays $day"
		echo "--weekdays $day --timestart 21:00 --timestop 03:00"
		echo "--weekdays $day --timestart 21:00 --timestop 03:00 --contiguous"
		echo "--weekdays $day --timestart 12:00 --timestop 12:00 --contiguous"
	done
	for hour in 00 03 09 12 21 23; do
		echo "--timestart $hour:00 --timestop $hour:59:59"
		echo "--timestart $hour:59:59 --timestop $hour:00 --monthdays 1,2,28,29,31"
	done
	echo "--datestart 2000-02-29 --datestop 2000-02-29T23:59:59"
	echo "--datestart 2024-02-29T12:00 --datestop 2030-01-01T00:00:01"
	echo "--datestop 1999-12-31T23:59:59"
	echo "--datestart 2037-12-31T23:59:59"
}

table() { # NAME
	echo "*$1"
	rules | sed 's/^/-A INPUT -p icmp -m time /'
	echo COMMIT
}

counts() { # TABLE
	iptables-save -c -t "$1" | sed -n 's/ -A INPUT / /p'
}

# Days on which a calendar may go wrong, the last second before and the first
# ones of each; and days by chance.
moments() {
	for day in 1970-01-02 1972-02-29 1972-03-01 1999-12-31 2000-01-01 2000-02-28 2000-02-29 \
		2000-03-01 2001-02-28 2001-03-01 2023-12-31 2024-02-29 2024-03-01 2025-01-01 \
		2026-10-31 2027-03-31 2028-02-29 2036-12-31 2037-12-31 2038-01-01; do
		midnight=$(date -u -d "$day 00:00:00" +%s)
		for second in -1 0 10799 10800 43200 75599 75600; do echo $((midnight + second)); done
	done
	awk 'BEGIN { srand(1); for (i = 0; i < 100; i++) print int(rand() * 2145916800) }'
}

ip link set lo up
for table in mangle filter; do table $table; done | iptables-restore
for second in $(moments); do
	date -u -s "@$second" >/dev/null
	ping -c 1 -q 127.0.0.1 >/dev/null
done
counts mangle >/tmp/mangle
counts filter >/tmp/filter
rules=$(rules | wc -l)
[ "$(wc -l </tmp/filter)" = "$rules" ] || {
	echo "not $rules rules:"
	cat /tmp/filter
	exit 1
}
# Each of them has met a packet.
if grep '^\[0:' /tmp/mangle; then
	echo "have met no packet"
	exit 1
fi
diff /tmp/mangle /tmp/filter
iptables -t filter -F
iptables -t mangle -F
