#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# REJECT, LOG, NFLOG, MARK, CONNMARK and addrtype do what they do in ip_tables:
# the same rules, random ones and those of tests/rulesets, and packets leave the
# same answers, lines in the log and counters, to the byte, before and after
# bpfilter is loaded beside ip_tables.
#
# kernel: iptables
# where: host
# timeout: 900

cd "$(dirname "$0")/../.."
. tests/vm/packet_agent
adds=(--add "$agent=/usr/bin/packet-agent")
for rules in $(grep -L -e '^# refused: ' tests/rulesets/*.rules); do
	adds+=(--add "$rules=/rulesets/$(basename "$rules")")
done

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
echo 1 >/proc/sys/net/netfilter/nf_log_all_netns
printf '%s\n' 'igmp 2' 'gre 47' 'esp 50' 'ah 51' >/etc/protocols
record() {
	packet-agent answers 0 12
	packet-agent answers 15 1
	packet-agent rulesets /rulesets/*
}
. compare
compare record
# Something must have happened.
for what in ' log ' ' lo ' ' tun0 4' '-j REJECT' '-j LOG' '-j MARK' '-j NFLOG' '-j CONNMARK' '-m addrtype' 'rules '; do
	number=$(grep -c -e "$what" /tmp/bpfilter) || { echo "nothing with '$what'"; exit 1; }
	echo "figure: $number lines with '$what'"
done
END
$BOOT "${adds[@]}" "$work/script"
