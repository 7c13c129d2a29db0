#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Random rules of IPv4, and of IPv6, in all tables at once do what they do in ip_tables:
# the same packets through a router leave the same counters of every rule, the same
# connections with the same translations and labels, and arrive as the same packets;
# what one refuses, the other refuses with the same words.
#
# kernel: iptables debian-arm64 debian-armhf
# where: host
# timeout: 1800

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# rules SEED: a rule set. Nothing in it is left to chance once it is made: no port
# range, no --random, no probability, no rate.
cat >"$work/rules.awk" <<'END_OF_AWK'
function pick(list,   parts, n) { n = split(list, parts, "|"); return parts[1 + int(rand() * n)] }
function one_in(n) { return int(rand() * n) == 0 }
function not() { return one_in(4) ? "! " : "" }
function address() {
	return pick("10.5.0.0/24|10.5.0.2/32|10.5.0.9/32|10.6.0.0/24|10.6.0.2/32|10.6.0.0/16|10.7.0.0/24|10.7.0.2/32|10.96.0.0/24|10.96.0.10/32|10.0.0.0/8|10.5.0.1/32|10.6.0.1/32")
}
function port() { return pick("53|80|443|123|22|8080|4000:4005|4013:4020|1:1023|1024:65535") }

# What a rule asks; sets protocol to what it has then.
function asks(hook,   text, kind) {
	text = ""; protocol = ""
	if (one_in(5)) text = text " " not() "-s " address()
	if (one_in(5)) text = text " " not() "-d " address()
	if (one_in(6) && hook ~ /^(PREROUTING|INPUT|FORWARD)$/) text = text " " not() "-i " pick("lan|wan|wanb|lo|w+")
	if (one_in(6) && hook ~ /^(OUTPUT|POSTROUTING|FORWARD)$/) text = text " " not() "-o " pick("lan|wan|wanb|lo|w+")
	kind = int(rand() * 20)
	if (kind < 2) { protocol = "udp"; text = text " -p udp -m udp " not() pick("--sport |--dport ") port() }
	else if (kind < 4) { protocol = "tcp"; text = text " -p tcp -m tcp " not() pick("--sport |--dport ") port() }
	else if (kind == 4) { protocol = "tcp"; text = text " -p tcp -m tcp --tcp-flags " pick("SYN,RST SYN|SYN,ACK SYN,ACK|RST RST|FIN FIN") }
	else if (kind == 5) { protocol = "icmp"; text = text " -p icmp -m icmp --icmp-type " pick("8|0|3/3|11|any") }
	else if (kind == 6) { protocol = "udp"; text = text " -p udp -m multiport " not() pick("--ports|--dports|--sports") " 53,123,4000:4004" }
	else if (kind == 7) text = text " " not() "-f"
	if (one_in(4)) text = text also()
	return text
}
function also(   kind) {
	kind = int(rand() * 11)
	if (kind < 2) return " -m mark " not() "--mark " pick("0x0/0xff|0x1/0xff|0x2/0x3|0x1|0x0|0x10/0xf0")
	if (kind == 2) return " -m connmark " not() "--mark " pick("0x0/0xff|0x1/0xff|0x2")
	if (kind < 5) return " -m conntrack " not() "--ctstate " pick("NEW|ESTABLISHED|RELATED,ESTABLISHED|INVALID|UNTRACKED|DNAT|SNAT|NEW,UNTRACKED")
	if (kind == 5) return " -m conntrack --ctdir " pick("ORIGINAL|REPLY")
	if (kind == 6) return " -m dscp " not() "--dscp " pick("0x00|0x0a|0x22")
	if (kind == 7) return " -m ttl --ttl-" pick("eq 64|lt 64|gt 63|eq 40")
	if (kind == 8) return " -m addrtype " not() "--" pick("src|dst") "-type " pick("LOCAL|UNICAST")
	if (kind == 9) return " -m set " not() "--match-set mwan3_connected " pick("src|dst")
	return " -m length " not() "--length " pick("0:84|0:60|33:34|1000:65535")
}

# What a rule of a table does, given $protocol; a chain of the user's by a smaller chance.
function does(table, hook,   kind) {
	if (table == "nat") return translates(hook)
	kind = table == "mangle" && one_in(2) ? 9 : int(rand() * 10)
	if (kind < 2 && hook != "") return " -" pick("j|j|g") " " pick("one|two")
	if (kind == 2) return one_in(6) ? " -j DROP" : ""
	if (kind == 3) return one_in(2) ? " -j ACCEPT" : ""
	if (kind == 4) return hook == "" ? " -j RETURN" : " -j NFLOG"
	if (table == "security" || (labels && table == "mangle" && one_in(4))) return labelled()
	if (table == "raw") return pick(" -j CT --notrack| -j CT --zone 3| -j CT --zone-orig 4||")
	if (table == "filter") return one_in(4) ? " -j REJECT" (protocol == "tcp" ? " --reject-with tcp-reset" : "") : ""
	kind = int(rand() * 12)
	if (protocol == "tcp" && kind == 9) return " -j ECN --ecn-tcp-remove"
	if (kind < 3) return " -j MARK " pick("--set-xmark 0x1/0xff|--set-xmark 0x2/0xffffffff|--and-mark 0xfe|--or-mark 0x10|--xor-mark 0x3|--set-xmark 0x200/0x3f00")
	if (kind < 5) return " -j CONNMARK " pick("--set-xmark 0x1/0xff|--save-mark|--restore-mark|--save-mark --nfmask 0xff --ctmask 0xff|--restore-mark --nfmask 0xf0 --ctmask 0xf0")
	if (kind == 5) return " -j TOS --set-tos " pick("0x10/0x3f|0x88/0xff|0x00/0xff")
	if (kind == 6) return " -j DSCP --set-dscp " pick("0x0a|0x22|0x00")
	if (kind == 7) return " -j TTL --ttl-" pick("set 40|dec 1|inc 3|set 64")
	if (kind == 8 && hook ~ /^(FORWARD|OUTPUT|POSTROUTING)$/) return " -j CLASSIFY --set-class 1:" int(1 + rand() * 3)
	if (kind == 9) return " -j HMARK --hmark-tuple src,dst --hmark-mod 4 --hmark-rnd 7 --hmark-offset 1"
	return ""
}
function labelled() {
	if (labels && one_in(2)) return " -j SECMARK --selctx " pick("web|mail")
	if (!labels || one_in(4)) return " -j MARK --set-xmark 0x4/0x4"
	return " -j CONNSECMARK " pick("--save|--restore")
}
function translates(hook,   kind) {
	kind = int(rand() * 8)
	if (kind == 0) return one_in(3) ? " -j " pick("ACCEPT|RETURN") : ""
	if (kind == 1 && hook ~ /^(PREROUTING|OUTPUT)$/) return " -j " pick("one|two")
	if (kind == 2) return ""
	if (hook == "POSTROUTING" && kind < 5) return " -j MASQUERADE"
	if (hook ~ /^(POSTROUTING|INPUT)$/)
		return " -j " pick("SNAT --to-source 10.6.0.1|SNAT --to-source 10.5.0.1|SNAT --to-source 10.7.0.1" \
			(protocol ~ /tcp|udp/ ? "|SNAT --to-source 10.6.0.1:5555" : "") (hook == "POSTROUTING" ? "|NETMAP --to 10.6.1.0/24" : ""))
	return " -j " pick("DNAT --to-destination 10.6.0.2|DNAT --to-destination 10.6.0.3|DNAT --to-destination 10.7.0.2|DNAT --to-destination 10.5.0.2|REDIRECT|NETMAP --to 10.6.0.0/24" \
		(protocol ~ /tcp|udp/ ? "|DNAT --to-destination 10.6.0.4:8080|REDIRECT --to-ports 7777|DNAT --to-destination 10.5.0.2:99" : ""))
}
function table(name, hooks,   h, parts, n, i, chain, text) {
	print "*" name
	n = split(hooks, parts, " ")
	for (h = 1; h <= n; h++) print ":" parts[h] " " (name == "filter" && one_in(6) ? "DROP" : "ACCEPT")
	print ":one -\n:two -"
	for (h = 1; h <= n; h++)
		for (i = int(rand() * 7); i > 0; i--) {
			text = asks(parts[h])
			print "-A " parts[h] text does(name, parts[h])
		}
	if (name == "nat")
		print "-A POSTROUTING -o wan -j MASQUERADE\n-A PREROUTING -p tcp -m tcp --dport 8443 -j DNAT --to-destination 10.5.0.2:443"
	for (h = 0; h < 2; h++)
		for (i = 1 + int(rand() * 4); i > 0; i--) {
			text = asks("")
			print "-A " (h ? "two" : "one") text does(name, name == "nat" ? "PREROUTING only" : "")
		}
	print "COMMIT"
}
BEGIN {
	srand(seed)
	table("raw", "PREROUTING OUTPUT")
	table("mangle", "PREROUTING INPUT FORWARD OUTPUT POSTROUTING")
	table("nat", "PREROUTING INPUT OUTPUT POSTROUTING")
	table("filter", "INPUT FORWARD OUTPUT")
	table("security", "INPUT FORWARD OUTPUT")
}
END_OF_AWK

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
. /router
tables=$TABLES
labels=''
! labels web mail || labels=1
sets=2
[ -z "$FULL" ] || sets=60
seed=1
while [ $seed -le $sets ]; do
	for family in 4 6; do
		awk -v seed=$seed$family -v labels=$labels -f /rules.awk | to_family >/tmp/rules.$family.$seed
	done
	seed=$((seed + 1))
done
record() {
	for family in 4 6; do
		seed=1
		while [ $seed -le $sets ]; do
			echo "== IPv$family: $seed"
			world
			at router $(tables_of -restore) </tmp/rules.$family.$seed 2>&1 || echo "refused: $?"
			packets
			left
			gone
			seed=$((seed + 1))
		done
	done
}

. compare
compare record
for family in 4 6; do
	sed -n "/^== IPv$family/,/^== IPv[^$family]/p" /tmp/bpfilter >/tmp/bpfilter.$family
	refused=$(grep -c '^refused' /tmp/bpfilter.$family || :)
	echo "figure: IPv$family: $sets rule sets, $refused refused"
	[ $refused -le $((sets / 3)) ]
	echo "figure: IPv$family: $(grep -c '^\[[1-9][^]]*\] -A' /tmp/bpfilter.$family) of $(grep -c '^\[[^]]*\] -A' /tmp/bpfilter.$family) rules have matched"
done
# The few sets of CI do not have all of it.
for what in DNAT SNAT MASQUERADE MARK ${labels:+SECMARK CONNSECMARK} ${FULL:+CONNMARK TOS DSCP TTL CT conntrack mark}; do
	number=$(grep -c -e "^\[[1-9].* -[jm] $what" /tmp/bpfilter) || { echo "none with $what"; exit 1; }
	echo "figure: $number rules with $what have matched"
done
if [ -n "$labels" ]; then
	number=$(grep -c 'secctx=[a-z]' /tmp/bpfilter) || { echo 'no connection is labelled'; exit 1; }
	echo "figure: $number connections are labelled"
fi
END
$BOOT --append "FULL=$FULL" --add tests/vm/router=router --add tests/vm/router.ipv6=router.ipv6 --add "$work/rules.awk=rules.awk" "$work/script"
