#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# All tables at once do what they do in ip_tables: rule sets of routers, OpenWrt, firewalld, Docker,
# kube-proxy, mwan3 and tunnels, and of IPv6 those of a router, Docker and ufw, come back as they were loaded, and the same
# packets through a router leave the same counters of every rule, the same
# connections with the same translations, and arrive as the same packets; what is
# translated goes on when rules are replaced and when the helper dies.
#
# kernel: iptables
# where: host
# timeout: 900

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
. /router

# One rule set. What is left to chance, where a packet goes and which port it gets,
# is not when packets come.
ruleset() { # FILE
	echo "== $1"
	tables=$(sed -n 's/^\*//p' $1)
	world
	at router $(tables_of -restore) <$1
	save
	sed 's/--mode random --probability .*-j/--mode nth --every 2 --packet 1 -j/; s/ --random-fully//' $1 | at router $(tables_of -restore)
	packets
	left
	for table in $tables; do at router $(tables_of) -t $table -F; at router $(tables_of) -t $table -X; done
	save
	gone
}

# Conversations that go on, whatever becomes of the rules that translated their
# first packets. Prints what was said, and who said it.
talk() { # DIRECTORY
	world
	at router iptables -t nat -A POSTROUTING -o wan -j MASQUERADE
	at router iptables -t nat -A PREROUTING -i wan -p tcp --dport 8000 -j DNAT --to 10.5.0.2:80
	at router iptables -t raw -A PREROUTING -p tcp --dport 21 -j CT --helper ftp
	mkdir -p $1
	for fifo in udp tcp in; do mkfifo $1/$fifo; done
	at server nc -u -l -v -n 10.6.0.2 7 >$1/got.udp 2>$1/who.udp &
	at server nc -l -v -n 10.6.0.2 7 >$1/got.tcp 2>$1/who.tcp &
	at client nc -l -v -n 10.5.0.2 80 >$1/got.in 2>$1/who.in &
	at server nc -l -v -n 10.6.0.2 21 >$1/got.ftp 2>/dev/null &
	sleep 1
	at client nc -u -p 4000 10.6.0.2 7 <$1/udp &
	at client nc -N -p 4000 10.6.0.2 7 <$1/tcp &
	at server nc -N -p 4001 10.6.0.1 8000 <$1/in &
	exec 3>$1/udp 4>$1/tcp 5>$1/in
	say() { for fd in 3 4 5; do echo "$1" >&$fd; done; sleep 1; }
	say first
	(printf 'USER x\r\n'; sleep 1; printf 'PORT 10,5,0,2,15,160\r\n') | at client nc -N -p 4002 -w 2 10.6.0.2 21 || :
	at router iptables -t nat -I POSTROUTING -s 10.5.0.77 -j ACCEPT
	at router iptables -t mangle -A FORWARD -p tcp -j MARK --set-mark 1
	say replaced
	if pid=$(pidof bpfilter_umh); then kill -KILL $pid; fi
	say killed
	at router iptables -t nat -F
	say flushed
	exec 3>&- 4>&- 5>&-
	sleep 1
	for what in udp tcp in ftp; do echo "$what:"; cat $1/got.$what; done
	grep -h 'received on' $1/who.*
	# shellcheck disable=SC2046 # one word each
	kill $(ip netns pids client; ip netns pids server) 2>/dev/null || :
	wait 2>/dev/null
	rm -r $1
	gone
}

record() {
	for file in /rulesets/*.rules; do ruleset $file; done
	talk /tmp/talk
	family=6
	for file in /rulesets/ipv6/*.rules; do ruleset $file; done
	family=4
}

# What ip_tables would ask for while nothing may be loaded.
modprobe xt_NFQUEUE
. compare
compare record
# All of it has been there, and met packets.
grep -q 'PORT 10,6,0,1,' /tmp/bpfilter
for what in 'j DNAT' 'j SNAT' 'j MASQUERADE' 'j REDIRECT' 'j NETMAP' 'j MARK' 'j CONNMARK' 'j TOS' 'j DSCP' 'j TTL' \
	'j TCPMSS' 'j CLASSIFY' 'j CHECKSUM' 'j TCPOPTSTRIP' 'j CT' 'j TPROXY' 'm set' 'm recent' 'm addrtype' \
	'p ipv6-icmp' 'j HL' 'j REJECT --reject-with icmp6' 'd fd00:5::2/128 .* -j ACCEPT'; do
	number=$(grep -c -e "^\[[1-9].* -$what" /tmp/bpfilter) || { echo "none with -$what"; exit 1; }
	echo "figure: $number rules with '-$what' have matched"
done
END
adds=(--add tests/vm/router=router --add tests/vm/router.ipv6=router.ipv6)
for file in $(cd tests/vm && find rulesets -name '*.rules'); do adds+=(--add "tests/vm/$file=$file"); done
$BOOT "${adds[@]}" "$work/script"
