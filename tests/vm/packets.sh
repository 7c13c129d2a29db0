#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel half and the reference evaluator see the same in random packets
# under random rules; no packet is lost between two rule sets, no counter among
# many senders, and nothing changes for packets when the helper is killed.
#
# kernel: y m nobtf btf debug
# cpus: 2
# where: host
# timeout: 900

cd "$(dirname "$0")/../.."
. tests/vm/packet_agent

# The unit tests run the same on this machine's kernel, and more of it: here the
# kernel half is new.
cat >"$work/script" <<END
cases=${FULL:+60} rules=${FULL:+10000} swaps=${FULL:+100} packets=${FULL:+5000} megabytes=${FULL:+20}
END
cat >>"$work/script" <<'END'
set -eu
packet-agent cases 0 ${cases:-12} >/dev/null
packet-agent cases 1048 2 >/dev/null
packet-agent big mixed ${rules:-2000} >/dev/null
packet-agent swaps ${swaps:-30}
packet-agent senders 4 ${packets:-1000}
packet-agent bulk ${megabytes:-5}

# Each helper is another one's successor: that there is one is what is waited for.
mkfifo /tmp/end
packet-agent steady </tmp/end >/tmp/said 2>&1 &
agent=$!
exec 3>/tmp/end
until grep -q ready /tmp/said; do sleep 0.1; done
kills=0 last=
while [ $kills -lt 20 ]; do
	kill -0 $agent
	if pid=$(pidof bpfilter_umh) && [ "$pid" != "$last" ]; then
		kill -KILL $pid
		kills=$((kills + 1)) last=$pid
	fi
	sleep 0.05
done
exec 3>&-
wait $agent || { cat /tmp/said; exit 1; }
cat /tmp/said
END
$BOOT --add "$agent=/usr/bin/packet-agent" "$work/script"
