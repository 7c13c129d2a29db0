#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Packets of IPv6 with chains of extension headers, whole, cut off and in fragments,
# fare as with ip6_tables under random rules in all tables at once:
# the same bytes leave, answers of REJECT among them, the log has the same lines, and
# counters and connections are the same.
#
# kernel: iptables
# where: host
# timeout: 300

cd "$(dirname "$0")/../.."
. tests/vm/packet_agent

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
echo 1 >/proc/sys/net/netfilter/nf_log_all_netns
labels web mail
# What ip6_tables would ask for while nothing may be loaded.
modprobe ip6t_srh
record() { packet-agent ip6 0 ${cases:-10}; }
. compare
compare record
# It was bpfilter that answered: ip6_tables knows nothing of its rules.
ip6tables -t raw -A PREROUTING -s 2001:db8::99 -j DROP
rmmod bpfilter
if ip6tables -t raw -S | grep 2001:db8::99; then exit 1; fi
# All of it has been there, and met packets.
for what in '-m frag' '-m hbh' '-m dst' '-m rt' '-m ipv6header' '-m ah' '-m esp' '-m icmp6' '-m hl' '-m rpfilter' \
	'-j HL' '-j MARK' '-j TOS' '-j DSCP' '-j SNAT' '-j DNAT' '-j MASQUERADE' '-j NETMAP' '-j CT' '-j LOG' \
	'-j REJECT --reject-with' '-j SECMARK' '-j CONNSECMARK --save' '-j CONNSECMARK --restore'; do
	number=$(grep -c -e "^\[[1-9].* $what" /tmp/bpfilter) || { echo "none with $what"; exit 1; }
	echo "figure: $number rules with '$what' have matched"
done
for label in web mail; do
	number=$(grep -c "secctx=$label" /tmp/bpfilter) || { echo "no connection is labelled $label"; exit 1; }
	echo "figure: $number connections are labelled $label"
done
for what in tun0 tun1x lo log; do
	number=$(grep -c "^[0-9]* $what " /tmp/bpfilter) || { echo "nothing of $what"; exit 1; }
	echo "figure: $number lines of $what"
done
END
sed -i "1i cases=${FULL:+60}" "$work/script"
$BOOT --add "$agent=/usr/bin/packet-agent" "$work/script"
