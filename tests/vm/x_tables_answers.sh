#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Matches and targets that are called in x_tables do what they do in ip_tables:
# the same rules and packets leave the same counters, answers and saved text,
# before and after bpfilter is loaded beside ip_tables.
#
# kernel: iptables
# where: host
# timeout: 900

cd "$(dirname "$0")/../.."
. tests/vm/packet_agent

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
echo 1 >/proc/sys/net/netfilter/nf_log_all_netns
printf '%s\n' 'icmp 1' 'igmp 2' 'tcp 6' 'udp 17' 'dccp 33' 'gre 47' 'esp 50' 'ah 51' 'sctp 132' >/etc/protocols
# What ip_tables would ask for while nothing may be loaded.
for module in xt_NFQUEUE xt_connlimit xt_physdev xt_string ts_bm ts_kmp; do modprobe $module; done
. compare
compare packet-agent answers 1000 24
# All of it has been there, and said yes to something.
missing=
for what in 'm string' 'm time' 'm connbytes' 'm set' 'm bpf' 'm cluster' 'm helper' 'm cgroup' \
	'm physdev' 'm policy' 'm hashlimit' 'm sctp' 'm dccp' 'j NFQUEUE' 'j SET' 'j HMARK' 'j CLASSIFY' 'j IDLETIMER' 'j TEE' 'j RATEEST'; do
	number=$(grep -c -e "^\[[1-9].* -$what" /tmp/bpfilter) || missing="$missing '-$what'"
	echo "figure: $number rules with '-$what' have matched"
done
[ -z "$missing" ] || { echo "none with$missing"; exit 1; }
END
$BOOT --add "$agent=/usr/bin/packet-agent" "$work/script"
