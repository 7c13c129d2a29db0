#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# SECMARK and CONNSECMARK in a kernel with a security module: what is refused in which
# table, which label packets and connections have, and what the audit system is told of
# the caller's, all as with ip_tables and ip6_tables.
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
# Of what the audit system prints nothing may be left out.
echo 0 >/proc/sys/kernel/printk_ratelimit
ip() { /usr/sbin/ip "$@"; }
on() { ip netns exec "$@"; }
labels web mail admin
families='iptables ip6tables'

record() {
	for name in here there; do
		ip netns add $name
		# What IPv6 sends on its own, at times of its choice, would be counted.
		for what in accept_dad=0 router_solicitations=0 mldv2_unsolicited_report_interval=1; do
			on $name sh -c "echo ${what#*=} >/proc/sys/net/ipv6/conf/default/${what%=*}"
		done
		ip -n $name link set lo up
	done
	ip link add eth0 netns here type veth peer name eth0 netns there
	number=1
	for name in here there; do
		ip -n $name addr add 192.0.2.$number/24 dev eth0
		ip -n $name addr add 2001:db8::$number/64 dev eth0 nodad
		ip -n $name link set eth0 up
		number=2
		# No connection is forgotten before it is looked at.
		for what in udp_timeout udp_timeout_stream icmp_timeout icmpv6_timeout; do
			on $name sh -c "echo 600 >/proc/sys/net/netfilter/nf_conntrack_$what"
		done
	done
	# The rest of it has been sent.
	sleep 3

	for iptables in $families; do
		for table in $TABLES; do
			for rule in 'SECMARK --selctx web' 'SECMARK --selctx nosuch' 'SECMARK --selctx _' SECMARK \
				"SECMARK --selctx $(printf %0256d 0)" "SECMARK --selctx $(printf %0255d 0)" \
				'CONNSECMARK --save' 'CONNSECMARK --restore' CONNSECMARK; do
				status=0
				# shellcheck disable=SC2086 # words
				on here $iptables -t $table -A OUTPUT -j $rule 2>/tmp/said || status=$?
				echo "$table $rule: $status $(tr '\n' ' ' </tmp/said)"
			done
			on here $iptables-save -t $table | grep -v '^#'
			on here $iptables -t $table -F
		done
	done

	# A packet gets a label in mangle and its connection gets it in security; later ones,
	# and answers, have it of the connection, and take it along to the other host, whose
	# connection is only labelled by what comes after its own answer.
	for iptables in $families; do
		icmp=icmp
		[ $iptables = iptables ] || icmp=ipv6-icmp
		on here $iptables-restore <<-RULES
			*mangle
			-A OUTPUT -p udp -m udp --dport 7 -m conntrack --ctstate NEW -j SECMARK --selctx web
			-A OUTPUT -p udp -m udp --dport 9 -m conntrack --ctstate NEW -j SECMARK --selctx mail
			COMMIT
			*security
			:later -
			-A OUTPUT -p $icmp -m length --length 150: -j SECMARK --selctx admin
			-A OUTPUT -m conntrack --ctstate NEW -j CONNSECMARK --save
			-A OUTPUT -m conntrack --ctstate ESTABLISHED -g later
			-A later -p udp -m udp --dport 11 -j DROP
			-A later -p udp -m udp --dport 9 -j SECMARK --selctx _
			-A later -j CONNSECMARK --restore
			COMMIT
		RULES
		on there $iptables-restore <<-RULES
			*security
			-A INPUT -m conntrack --ctstate ESTABLISHED -j CONNSECMARK --save
			COMMIT
		RULES
	done
	for to in 192.0.2.2 2001:db8::2; do
		for port in 7 9 11; do
			{
				{ sleep 2; echo answer; sleep 2; } | on there nc -u -l -n $to $port >/tmp/got &
				{ sleep 1; echo first; sleep 2; echo later; sleep 1; } | on here nc -u -n -p 4000 $to $port >/tmp/answered &
				sleep 5
				# shellcheck disable=SC2046 # one word each
				kill $(ip netns pids there; ip netns pids here) || :
				wait
			} 2>/dev/null
			echo "$to $port: $(xargs </tmp/got), $(xargs </tmp/answered)"
		done
		for size in 10 200; do on here ping -c 2 -s $size $to | grep received | sed 's/, time.*//'; done
	done
	for name in here there; do
		echo "$name:"
		for family in ipv4 ipv6; do
			on $name conntrack -L -f $family 2>/dev/null | sed -E 's/^([a-z0-9]+ +[0-9]+) [0-9]+ /\1 /; s/ id=[0-9]+//g; s/ \[ASSURED\]//' | sort
		done
		for iptables in $families; do for table in mangle security; do on $name $iptables-save -c -t $table | grep '^\[[1-9]' || :; done; done
	done

	# Who changes a table is told with the label of the caller.
	for iptables in $families; do
		dmesg -c >/dev/null
		sh -c 'echo admin >/proc/self/attr/current; exec /usr/sbin/ip netns exec here '$iptables' -t security -A INPUT -j SECMARK --selctx mail'
		dmesg | sed -n 's/.*type=1325 audit([^)]*): \(.*op=xt_replace .*\)/\1/p' | sed -E 's/pid=[0-9]+/pid=N/'
	done
	for name in here there; do ip netns del $name; done
}

. compare
compare record
# All of it has been there, in both families.
for what in '^security SECMARK --selctx web: 0' '^filter SECMARK --selctx web: [1-9]' '^security SECMARK --selctx nosuch: [1-9]' \
	'^raw CONNSECMARK --save: [1-9]' 'dport=7 .*secctx=web' 'dport=9 .*secctx=mail' 'dport=9 .*secctx=_' 'secctx=admin' 'op=xt_replace.*subj=admin' \
	': first later, answer$'; do
	number=$(grep -c -e "$what" /tmp/bpfilter) || :
	echo "figure: $number lines with '$what'"
	[ "$number" -ge 2 ]
done
END
$BOOT --append audit=1 "$work/script"
