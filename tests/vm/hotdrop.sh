#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A packet that a match says yes to and wants dropped all the same is dropped when
# its rule is done, as in ip_tables: what the rule asks and does beside, what it
# counts and what no rule counts any more are the same, wherever the rule stands.
#
# kernel: iptables
# where: host
# timeout: 600

cd "$(dirname "$0")/../.."
. tests/vm/packet_agent

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
echo 1 >/proc/sys/net/netfilter/nf_log_all_netns
for module in xt_NFQUEUE xt_string ts_bm; do modprobe $module; done

. compare
compare packet-agent hotdrop 16
# All of it has been there, and matched.
missing=
for what in '-m sctp ! --chunk-types any' '-m sctp ! --chunk-types all' '-m sctp ! --chunk-types only' \
	'-m dccp ! --dccp-option' '-j ACCEPT' '-j LOG' '-j MARK' '-j REJECT' '-j NFQUEUE' '-j SET' '-j HMARK' '-g c'; do
	number=$(grep -c -e "^\[[1-9].* $what" /tmp/bpfilter) || missing="$missing '$what'"
	echo "figure: $number rules with '$what' have matched"
done
[ -z "$missing" ] || { echo "none with$missing"; exit 1; }
END
$BOOT --add "$agent=/usr/bin/packet-agent" "$work/script"
