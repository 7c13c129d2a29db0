#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is accepted, what is refused and with which message, what iptables-save
# prints afterwards and what GET_ENTRIES gives back: for every match and target
# the same as in ip_tables, before and after bpfilter is loaded beside it. Then
# the same of rules that iptables would not send, and of GET_REVISION.
#
# kernel: iptables
# cpus: 2
# where: host
# timeout: 900

cd "$(dirname "$0")/../.."
. tests/vm/packet_agent

# All of what broken rules come to takes ten minutes; in CI every sixteenth.
cat >"$work/script" <<END
thin=${FULL:-16}
END
cat >>"$work/script" <<'END'
set -eu
dmesg -n 1
printf '%s\n' 'icmp 1' 'igmp 2' 'tcp 6' 'udp 17' 'dccp 33' 'gre 47' 'esp 50' 'ah 51' 'ipcomp 108' 'sctp 132' 'udplite 136' >/etc/protocols
# All is there beforehand: what has not been found is not looked for again.
for module in xt_NFQUEUE xt_connlimit xt_ipvs xt_physdev xt_string ts_bm ts_kmp; do modprobe $module; done
modprobe=$(cat /proc/sys/kernel/modprobe)
echo >/proc/sys/kernel/modprobe
packet-agent arguments $thin >/tmp/ip_tables
if pidof bpfilter_umh; then exit 1; fi
ip_tables=$(awk '{ print int($1) }' /proc/uptime)
echo $modprobe >/proc/sys/kernel/modprobe
modprobe bpfilter
echo >/proc/sys/kernel/modprobe
packet-agent arguments $thin >/tmp/bpfilter
pidof bpfilter_umh
echo "figure: $(grep -c ': accepted$' /tmp/bpfilter) lines accepted, $(grep -c ': [1-9]: ' /tmp/bpfilter) refused; of broken rules $(grep -o ' E[A-Z]*' /tmp/bpfilter | wc -l) answers"
echo "figure: ip_tables until $ip_tables s, bpfilter until $(awk '{ print int($1) }' /proc/uptime) s"
if ! diff -u /tmp/ip_tables /tmp/bpfilter >/tmp/diff; then
	grep '^[-+]' /tmp/diff | head -n 100 | cut -c1-300
	exit 1
fi
END
$BOOT --add "$agent=/usr/bin/packet-agent" "$work/script"
