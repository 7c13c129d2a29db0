#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Calls about each table of IPv4 and IPv6, right and wrong ones, get from bpfilter what they get
# from ip_tables, and change as much.
#
# kernel: iptables debian-arm64 debian-armhf
# boot: own
# timeout: 600

ip() { /usr/sbin/ip "$@"; }
printf '%s\n' 'icmp 1' 'tcp 6' 'udp 17' >/etc/protocols
# ip_tables says so of bad words in a rule.
dmesg -n 1
count=640
[ -z "$FULL" ] || count=5000
record() {
	ip netns add calls
	ip netns exec calls iptables-restore </rules
	ip netns exec calls probe 1 "$count" $TABLES
	ip netns exec calls iptables-save -t nat | grep -v '^#'
	ip netns exec calls ip6tables-restore </rules6
	ip netns exec calls probe -6 1 "$count" $TABLES
	for table in $TABLES; do ip netns exec calls ip6tables-save -t $table | grep -v '^#'; done
	# Matches that are not for each hook.
	for match in 'realm --realm 5' 'mac --mac-source 2:0:0:0:0:1' 'owner --uid-owner 0' 'devgroup --src-group 1' 'devgroup --dst-group 1' rpfilter; do
		for table in $TABLES; do
			for hook in PREROUTING INPUT FORWARD OUTPUT POSTROUTING; do
				for command in iptables ip6tables; do
					ip netns exec calls $command -t $table -A $hook -m $match 2>&1 | sed 's/^/'"$table $hook $match: /" || :
				done
			done
		done
	done
	for table in $TABLES; do ip netns exec calls iptables-save -t $table | grep -v '^#'; done
	ip netns del calls
}
cat >/rules <<'RULES'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -i eth0 -p tcp -m tcp --dport 21 -j CT --helper ftp
-A PREROUTING -s 10.0.0.0/8 -j CT --notrack
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:marks - [0:0]
-A PREROUTING -j marks
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A POSTROUTING -p udp -j TOS --set-tos 0x10/0x3f
-A POSTROUTING -o wan -j TTL --ttl-set 64
-A marks -m mark --mark 0x1/0xff -j RETURN
-A marks -m conntrack --ctstate NEW -j MARK --set-xmark 0x1/0xff
-A marks -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:forward - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j forward
-A OUTPUT -d 192.0.2.1/32 -p udp -m udp --dport 53 -j REDIRECT --to-ports 5300
-A POSTROUTING -s 10.5.0.0/24 -o wan -j MASQUERADE
-A POSTROUTING -s 10.6.0.0/24 -o wan -j SNAT --to-source 192.0.2.7
-A forward -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.5.0.2:80
-A forward -d 10.66.0.0/24 -j NETMAP --to 10.6.0.0/24
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:later - [0:0]
:most - [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p tcp -j later
-A later -p tcp -m multiport --dports 22,80 -g most
-A later -p tcp -j REJECT --reject-with tcp-reset
COMMIT
RULES
cat >/rules6 <<'RULES'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -i eth0 -p tcp -m tcp --dport 21 -j CT --helper ftp
-A PREROUTING -s 2001:db8::/32 -j CT --notrack
-A PREROUTING -m rpfilter --invert -j DROP
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:marks - [0:0]
-A PREROUTING -j marks
-A PREROUTING -s 2001:db8:1::/64 -j DNPT --src-pfx 2001:db8:1::/64 --dst-pfx fd00:1::/64
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A POSTROUTING -p udp -j TOS --set-tos 0x10/0x3f
-A POSTROUTING -o wan -m hl --hl-lt 5 -j HL --hl-set 64
-A marks -m mark --mark 0x1/0xff -j RETURN
-A marks -m conntrack --ctstate NEW -j MARK --set-xmark 0x1/0xff
-A marks -m frag --fragid 1:2 --fragfirst -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:forward - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j forward
-A OUTPUT -d 2001:db8::1/128 -p udp -m udp --dport 53 -j REDIRECT --to-ports 5300
-A POSTROUTING -s fd00:5::/64 -o wan -j MASQUERADE
-A POSTROUTING -s fd00:6::/64 -o wan -j SNAT --to-source 2001:db8::7
-A forward -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00:5::2]:80
-A forward -d fd00:66::/64 -j NETMAP --to fd00:6::/64
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:later - [0:0]
:most - [0:0]
-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -j ACCEPT
-A INPUT -m rt --rt-type 0 --rt-segsleft 1:2 -j DROP
-A INPUT -m ipv6header --header hop,dst --soft -j DROP
-A INPUT -m hbh --hbh-len 8 --hbh-opts 1:4,5:0 -m eui64 -j DROP
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p ah -m ah --ahspi 1:9 --ahlen 24 -j ACCEPT
-A FORWARD -p ipv6-mh -m mh --mh-type 1:3 -j ACCEPT
-A FORWARD -p tcp -j later
-A later -p tcp -m multiport --dports 22,80 -g most
-A later ! -s fe80::/10 -p tcp -j REJECT --reject-with tcp-reset
-A later -j REJECT --reject-with icmp6-adm-prohibited
COMMIT
RULES
# Where there are no labels, rules without.
label='SECMARK --selctx web'
labels web || label='MARK --set-xmark 0x1'
security() { # ADDRESS
	cat <<-RULES
		*security
		:INPUT ACCEPT [0:0]
		:FORWARD ACCEPT [0:0]
		:OUTPUT ACCEPT [0:0]
		:mark - [0:0]
		-A INPUT -p tcp -m tcp --dport 80 -j mark
		-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j CONNSECMARK --restore
		-A OUTPUT -m owner --uid-owner 0 -g mark
		-A FORWARD -s $1 -j DROP
		-A mark -j $label
		-A mark -m comment --comment "of the connection" -j CONNSECMARK --save
		COMMIT
	RULES
}
security 10.66.0.0/24 >>/rules
security fd00:66::/64 >>/rules6

# Modules of x_tables that both are to find there.
for module in xt_NFQUEUE ip6t_srh; do modprobe $module; done
# Of a table that is not there ip_tables says first what else is wrong. Beside bpfilter a
# stock kernel has no ip_tables that could say it: docs/differences.md.
comparable() {
	record >/tmp/all
	[ ! -f /lib/modules/beside/ip_tables.ko ] || sed -i '/, for another table$/d' /tmp/all
	cat /tmp/all
}
. compare
compare comparable
for table in $TABLES; do # of both families
	echo "figure: $table: $(grep -c "^$table [0-9]*: 0" /tmp/bpfilter) of $(grep -c "^$table [0-9]*:" /tmp/bpfilter) changed tables are right"
done
