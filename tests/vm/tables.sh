#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# All tables at once do what they do in ip_tables: rule sets of routers, Docker,
# kube-proxy, mwan3 and tunnels come back as they were loaded, and the same
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
ip() { /usr/sbin/ip "$@"; }
printf '%s\n' 'icmp 1' 'tcp 6' 'udp 17' >/etc/protocols
at() { name=$1; shift; /usr/sbin/ip netns exec $name "$@"; }
# A table that nobody has changed counts nothing here, and in ip_tables from its
# first use on: what a rule set has not got is not asked for.
save() { for table in $tables; do at router iptables-save -c -t $table | grep -v '^#'; done; }

# client - lan router wan - server, and a second way out to serverb
world() {
	for name in client router server serverb; do ip netns add $name; ip -n $name link set lo up; done
	ip link add eth0 netns client type veth peer name lan netns router
	ip link add eth0 netns server type veth peer name wan netns router
	ip link add eth0 netns serverb type veth peer name wanb netns router
	for dev in lan wan wanb; do ip -n router link set $dev up; done
	for name in client server serverb; do ip -n $name link set eth0 up; done
	ip -n client addr add 10.5.0.2/24 dev eth0
	ip -n client addr add 10.5.0.9/24 dev eth0
	ip -n router addr add 10.5.0.1/24 dev lan
	ip -n router addr add 10.6.0.1/24 dev wan
	ip -n router addr add 10.7.0.1/24 dev wanb
	for last in 2 3 4; do ip -n server addr add 10.6.0.$last/24 dev eth0; done
	ip -n serverb addr add 10.7.0.2/24 dev eth0
	ip -n client route add default via 10.5.0.1
	ip -n server route add default via 10.6.0.1
	ip -n serverb route add default via 10.7.0.1
	ip -n router route add default via 10.6.0.2
	at router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	# What decides by mark where a packet goes, forwarded or from here.
	ip -n router rule add fwmark 0x2 lookup 100
	ip -n router rule add fwmark 0x200/0x3f00 lookup 100
	ip -n router route add default via 10.7.0.2 table 100
	at router ipset create mwan3_connected hash:net
	at router ipset add mwan3_connected 10.5.0.0/24
	at router ipset add mwan3_connected 127.0.0.0/8
	# What arrives, as rules see it.
	for name in client server serverb; do
		at $name iptables-restore <<-'RULES'
			*raw
			:PREROUTING ACCEPT [0:0]
			:OUTPUT ACCEPT [0:0]
			-A PREROUTING -s 10.5.0.1/32
			-A PREROUTING -s 10.5.0.2/32
			-A PREROUTING -s 10.6.0.1/32
			-A PREROUTING -s 10.6.1.0/24
			-A PREROUTING -s 10.7.0.1/32
			-A PREROUTING -m ttl --ttl-eq 64
			-A PREROUTING -m ttl --ttl-eq 63
			-A PREROUTING -m tos --tos 0x10/0x3f
			-A PREROUTING -m dscp --dscp 0x00
			-A PREROUTING -m dscp --dscp-class AF42
			-A PREROUTING -p tcp -m tcp --tcp-flags SYN,RST SYN -m tcpmss --mss 1460
			-A PREROUTING -p tcp -m tcp --tcp-flags SYN,RST SYN -m tcpmss --mss 1412
			-A PREROUTING -p tcp -m tcp --tcp-flags SYN,RST SYN -m tcpmss --mss 1360
			-A PREROUTING -p tcp -m tcp --tcp-option 8
			-A PREROUTING -p udp -m udp --sport 4000:4099
			-A PREROUTING -p udp -m udp --sport 10000:19999
			-A PREROUTING -p icmp -m icmp --icmp-type port-unreachable
			COMMIT
		RULES
	done
}
gone() { for name in client router server serverb; do ip netns del $name; done; }

# datagram FROM PORT TO PORT, and a SYN from there
datagram() { echo hello | at $1 nc -u -p $2 -w 1 $3 $4 >/dev/null 2>&1 || :; }
syn() { at $1 nc -z -p $2 -w 2 $3 $4 >/dev/null 2>&1 || :; }
pings() { name=$1; shift; at $name ping -c 1 -W 1 "$@" | grep -o 'bytes from [^:]*' || echo "$name: none from $*"; }

packets() {
	for to in 10.6.0.2 10.66.0.3 10.5.0.1 10.7.0.2; do pings client $to; pings router $to; done
	pings client -I 10.5.0.9 10.5.0.1
	pings client -s 3000 10.6.0.2
	pings server 10.5.0.2
	pings server 10.6.0.1
	pings serverb 10.7.0.1
	pings serverb 10.5.0.2
	datagram client 4000 10.6.0.2 53
	datagram client 4001 10.6.0.2 123
	datagram client 4002 10.96.0.11 53
	datagram client 4003 10.96.0.11 53
	datagram client 4004 10.6.0.1 1194
	datagram server 4005 10.6.0.1 1194
	datagram server 4006 10.6.0.1 5003
	datagram serverb 4007 10.6.0.1 5003
	datagram router 4008 192.0.2.1 53
	datagram router 4009 10.96.0.11 53
	datagram router 4010 127.0.0.1 7
	datagram router 4011 10.6.0.2 123
	datagram client 4012 10.6.0.2 68
	syn client 4013 10.6.0.2 80
	syn client 4014 10.96.0.10 80
	syn client 4015 10.96.0.10 80
	syn client 4016 10.96.0.12 80
	syn client 4017 10.6.0.1 8443
	syn client 4018 10.5.0.1 3128
	syn client 4019 10.6.0.2 443
	syn client 4020 10.7.0.2 22
	syn server 4021 10.6.0.1 8443
	syn server 4022 10.6.0.1 8080
	syn serverb 4023 10.7.0.1 30080
	syn router 4024 10.6.0.2 21
	syn router 4025 10.96.0.10 80
	syn router 4026 127.0.0.1 5432
}

# One rule set. What is left to chance, where a packet goes and which port it gets,
# is not when packets come.
ruleset() { # FILE
	echo "== $1"
	tables=$(sed -n 's/^\*//p' $1)
	world
	at router iptables-restore <$1
	save
	sed 's/--mode random --probability .*-j/--mode nth --every 2 --packet 1 -j/; s/ --random-fully//' $1 | at router iptables-restore
	packets
	save
	for name in client server serverb; do echo "$name"; at $name iptables-save -c -t raw | grep -v '^#'; done
	# Which port of a range NAT takes is random.
	at router conntrack -L 2>/dev/null | sed -E 's/^([a-z]+ +[0-9]+) [0-9]+ /\1 /; s/ id=[0-9]+//g; s/ dport=1[0-9]{4} / dport=any /' | sort
	for table in $tables; do at router iptables -t $table -F; at router iptables -t $table -X; done
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
	gone
}

record() {
	for file in /rulesets/*.rules; do ruleset $file; done
	talk /tmp/$1.talk
}

modprobe=$(cat /proc/sys/kernel/modprobe)
echo /bin/false >/proc/sys/kernel/modprobe
record first >/tmp/ip_tables
if pidof bpfilter_umh; then exit 1; fi
ip_tables=$(awk '{ print int($1) }' /proc/uptime)
echo $modprobe >/proc/sys/kernel/modprobe
modprobe bpfilter
record second >/tmp/bpfilter
pidof bpfilter_umh >/dev/null
echo "figure: ip_tables until $ip_tables s, bpfilter until $(awk '{ print int($1) }' /proc/uptime) s"
if ! diff -u /tmp/ip_tables /tmp/bpfilter >/tmp/diff; then
	head -n 200 /tmp/diff | cut -c1-300
	exit 1
fi
# All of it has been there, and met packets.
grep -q 'PORT 10,6,0,1,' /tmp/bpfilter
for what in 'j DNAT' 'j SNAT' 'j MASQUERADE' 'j REDIRECT' 'j NETMAP' 'j MARK' 'j CONNMARK' 'j TOS' 'j DSCP' 'j TTL' \
	'j TCPMSS' 'j CLASSIFY' 'j CHECKSUM' 'j TCPOPTSTRIP' 'j CT' 'j TPROXY' 'm set' 'm recent' 'm addrtype'; do
	number=$(grep -c -e "^\[[1-9].* -$what" /tmp/bpfilter) || { echo "none with -$what"; exit 1; }
	echo "figure: $number rules with '-$what' have matched"
done
END
adds=()
for file in tests/vm/rulesets/*.rules; do adds+=(--add "$file=rulesets/$(basename "$file")"); done
$BOOT "${adds[@]}" "$work/script"
