#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A stateful firewall, first of a host, then of a router, with real clients:
# what was reachable before is not reachable after, but for what the rules let
# through, answers, and what belongs to a connection; and all is as before when
# the rules are gone.
#
# kernel: y m nobtf btf debug
# timeout: 180
#
#     lan 10.1.0.2 ---- 10.1.0.1 box 10.2.0.1 ---- 10.2.0.2 wan

# Not the one inside of busybox.
ip() { /usr/sbin/ip "$@"; }
lan=lan$$ box=box$$ wan=wan$$
dir=$(mktemp -d)
on() { # NAMESPACE COMMAND...
	net=$1
	shift
	ip netns exec "$net" "$@"
}
cleanup() {
	for net in $lan $box $wan; do
		for pid in $(ip netns pids $net); do kill "$pid" || :; done
		ip netns del $net || :
	done
	rm -rf "$dir"
}
trap cleanup EXIT
fail() {
	echo "FAILED: $*"
	on $box iptables -L -n -v -x
	exit 1
}
yes() { "$@" >/dev/null 2>&1 </dev/null || fail "should work: $*"; }
no() { if "$@" >/dev/null 2>&1 </dev/null; then fail "should not work: $*"; fi; }

for net in $lan $box $wan; do
	ip netns add $net
	ip -n $net link set lo up
done
ip -n $box link add lan0 type veth peer name box0 netns $lan
ip -n $box link add wan0 type veth peer name box0 netns $wan
ip -n $box addr add 10.1.0.1/24 dev lan0
ip -n $box addr add 10.2.0.1/24 dev wan0
ip -n $lan addr add 10.1.0.2/24 dev box0
ip -n $wan addr add 10.2.0.2/24 dev box0
for end in "$box lan0" "$box wan0" "$lan box0" "$wan box0"; do
	# shellcheck disable=SC2086
	ip -n ${end% *} link set ${end#* } up
done
ip -n $lan route add default via 10.1.0.1
ip -n $wan route add default via 10.2.0.1
on $box sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
# Every question gets its answer, however many there are.
for net in $lan $box $wan; do on $net sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'; done

address() { # NAMESPACE, as seen from outside
	case $1 in
	"$lan") echo 10.1.0.2 ;;
	"$wan") echo 10.2.0.2 ;;
	"$box") if [ "$client" = "$lan" ]; then echo 10.1.0.1; else echo 10.2.0.1; fi ;;
	esac
}
# Until a socket of a namespace waits at a port; one of an old connection does not.
bound() { # NAMESPACE tcp|udp PORT
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		on "$1" grep -q ":$(printf %04X "$3") 00000000:0000 0[A7] " "/proc/net/$2" && return
		sleep 0.1
	done
	fail "no server at $2 $3"
}
tcp() { # CLIENT SERVER PORT: is the server's greeting heard?
	client=$1 status=0
	echo hello | on "$2" nc -N -l "$3" >/dev/null &
	server=$!
	bound "$2" tcp "$3"
	[ "$(on "$1" nc -w 2 "$(address "$2")" "$3")" = hello ] || status=1
	kill $server 2>/dev/null || :
	wait $server || :
	return $status
}
udp() { # CLIENT SERVER PORT: is a question answered?
	client=$1 status=0
	rm -f "$dir/fifo"
	mkfifo "$dir/fifo"
	on "$2" nc -u -l "$3" <"$dir/fifo" | while read -r question; do echo "answer to $question"; done >"$dir/fifo" &
	bound "$2" udp "$3"
	[ "$(echo name | on "$1" nc -u -w 2 -W 1 "$(address "$2")" "$3")" = "answer to name" ] || status=1
	for pid in $(ip netns pids "$2"); do
		if [ "$(cat "/proc/$pid/comm")" = nc ]; then kill "$pid" || :; fi
	done
	wait
	return $status
}
echoes() { # CLIENT SERVER
	client=$1
	on "$1" ping -q -c 1 -W 1 "$(address "$2")"
}
counted() { # TEXT of a rule that must have counted
	on $box iptables -L -n -v -x | grep -F -- "$1" | grep -qv '^ *0 '
}
everything() {
	yes echoes $wan $box
	yes echoes $box $wan
	yes echoes $lan $wan
	yes echoes $wan $lan
	yes tcp $wan $box 22
	yes tcp $wan $box 23
	yes tcp $box $wan 80
	yes tcp $lan $wan 80
	yes tcp $wan $lan 80
	yes udp $box $wan 53
	yes udp $lan $wan 53
	yes udp $wan $lan 53
}

echo "before"
everything

echo "a host"
on $box iptables-restore <<END
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:services - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -m conntrack --ctstate NEW -j services
-A services -p icmp -m icmp --icmp-type 8 -s 10.2.0.2 -j ACCEPT
-A services -i wan+ -p tcp -m tcp --dport 22 --syn -j ACCEPT
COMMIT
END
yes on $box ping -q -c 1 -W 1 127.0.0.1
yes echoes $wan $box
no echoes $lan $box
yes tcp $wan $box 22
no tcp $wan $box 23
no tcp $lan $box 22
yes echoes $box $wan
yes tcp $box $wan 80
yes udp $box $wan 53
no udp $wan $box 53
no echoes $lan $wan
no tcp $lan $wan 80
yes counted 'ctstate ESTABLISHED'
# Nobody listens there, and the ICMP error that says so is let in.
no counted 'ctstate RELATED'
echo name | on $box nc -u -w 1 10.2.0.2 9 || :
yes counted 'ctstate RELATED'
yes counted 'icmptype 8'
yes counted 'tcp dpt:22'

echo "a host that only asks"
on $box iptables -F services
no echoes $wan $box
no tcp $wan $box 22
yes echoes $box $wan
yes tcp $box $wan 80
yes udp $box $wan 53

echo "a host that only asks for names"
on $box iptables -P OUTPUT DROP
on $box iptables -A OUTPUT -p udp -m udp --dport 53 -j ACCEPT
no echoes $box $wan
no tcp $box $wan 80
yes udp $box $wan 53

echo "a router"
on $box iptables-restore <<END
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:outwards - [0:0]
:inwards - [0:0]
-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i lan0 -o wan0 -j outwards
-A FORWARD -i wan0 -o lan0 -g inwards
-A FORWARD -j ACCEPT
-A outwards -p tcp -m multiport --dports 80,443 -j ACCEPT
-A outwards -p udp -m udp --dport 53 -j ACCEPT
-A outwards -p icmp -m icmp --icmp-type 8 -m length --length 0:128 -j ACCEPT
-A outwards -j DROP
-A inwards -d 10.1.0.2 -p tcp -m tcp --dport 25 -j ACCEPT
COMMIT
END
yes tcp $lan $wan 80
yes tcp $lan $wan 443
no tcp $lan $wan 22
yes udp $lan $wan 53
no udp $lan $wan 54
yes echoes $lan $wan
no on $lan ping -q -c 1 -W 1 -s 1000 10.2.0.2
yes tcp $wan $lan 25
no tcp $wan $lan 80
no udp $wan $lan 53
no echoes $wan $lan
yes tcp $wan $box 22
yes echoes $lan $box
yes counted 'dpt:25'
yes counted 'multiport dports 80,443'

echo "after"
on $box iptables -F
on $box iptables -X
on $box iptables -P FORWARD ACCEPT
everything
