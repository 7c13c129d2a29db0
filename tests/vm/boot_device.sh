#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A kernel image with boot rules, and a network device that comes up while it boots,
# on which packets arrive from the start: none that the rules drop gets past them.
# The same kernel without bpfilter lets them in.
#
# kernel: ynic
# where: host

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An Ethernet frame to all, with UDP from 192.0.2.2 to 192.0.2.15, port 9.
# No byte is a newline, at which bash would send what it has.
frame='\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x02\x08\x00'
frame+='\x45\x00\x00\x20\x00\x01\x00\x00\x40\x11\xf6\xba\xc0\x00\x02\x02\xc0\x00\x02\x0f'
frame+='\x10\x00\x00\x09\x00\x0c\x00\x00drip'

cat >"$work/script" <<'END'
set -eu
passed() { awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $2 + $3 }' /proc/net/snmp; }
came() { awk '$1 == "Ip:" && $2 ~ /^[0-9]/ { print $4 }' /proc/net/snmp; }
dmesg | grep 'IP-Config: Complete' >/dev/null
echo "before the script: $(came) came, $(passed) passed"
until [ "$(came)" -ge 100 ]; do sleep 0.01; done
echo "passed: $(passed)"
if [ -e /proc/net/ip_tables_names ]; then
	dmesg >/tmp/log
	line() { grep -n "$1" /tmp/log | head -n1 | cut -d: -f1; }
	[ "$(line 'boot rules in force')" -lt "$(line 'IP-Config: Complete')" ]
	iptables -L INPUT -n -v -x | awk '/^Chain INPUT/ { found = $5 >= 100 } END { exit !found }'
fi
END

# In a network of its own, so that its ports are free.
export BOOT work frame
cat >"$work/boot" <<'END'
ip link set lo up
while sleep 0.005; do printf "$frame" >/dev/udp/127.0.0.1/4001 || true; done 2>/dev/null &
sender=$!
trap 'kill $sender' EXIT
$BOOT --netdev socket,udp=127.0.0.1:4002,localaddr=127.0.0.1:4001 \
	--append "ip=192.0.2.15::192.0.2.2:255.255.255.0::eth0:off $1" "$work/script"
END
boots() { unshare -n bash -eu "$work/boot" "$1" | tee "$work/out"; }

boots ''
grep -qx 'passed: 0' "$work/out"
sed -n 's/^before/figure: with boot rules, before/p' "$work/out"
boots initcall_blacklist=bpfilter_init
grep -qx 'passed: [1-9][0-9]*' "$work/out"
sed -n 's/^before/figure: without bpfilter, before/p' "$work/out"
