#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel half and the reference evaluator see the same in random packets
# under random rules; no packet is lost between two rule sets, no counter among
# many senders, and nothing changes for packets when the helper is killed.
#
# kernel: y m
# where: host
# timeout: 900

cd "$(dirname "$0")/../.."
. tests/vm/packet_agent

cat >"$work/script" <<'END'
set -eu
packet-agent cases 0 60 >/dev/null
packet-agent cases 1048 2 >/dev/null
packet-agent big mixed 10000 >/dev/null
packet-agent swaps 100
packet-agent senders 4 5000
packet-agent bulk 20

packet-agent steady 4000 >/tmp/said 2>&1 &
agent=$!
until grep -q ready /tmp/said; do sleep 0.1; done
kills=0
while kill -0 $agent 2>/dev/null; do
	if pid=$(pidof bpfilter_umh) && kill -KILL $pid; then kills=$((kills + 1)); fi
	sleep 0.1
done
cat /tmp/said
wait $agent
echo "killed $kills times"
[ $kills -ge 5 ]
END
$BOOT --add "$agent=/usr/bin/packet-agent" "$work/script"
