#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The module with boot rules, policies and a lock, while packets come all the time:
# what the rules drop does not pass once insmod is back; rules that are cut off or
# ask for what is not there come into force in no table; where the policy is to
# drop nothing passes, whatever fails.
#
# kernel: m debug
# boot: own
# timeout: 120

# What it depends on is loaded; nobody loads it but this test.
modprobe bpfilter
rmmod bpfilter
rules=/lib/modules/boot
mv "$(find /lib/modules -name bpfilter.ko)" /tmp/
ko=/tmp/bpfilter.ko
drip 127.0.0.9 127.0.0.1 &

# What has got past LOCAL_IN, and what has come to IP.
passed() { awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $2 + $3 }' /proc/net/snmp; }
came() { awk '$1 == "Ip:" && $2 ~ /^[0-9]/ { print $4 }' /proc/net/snmp; }
all_pass() {
	p=$(passed) c=$(came)
	sleep 0.3
	p=$(($(passed) - p)) c=$(($(came) - c))
	[ $p -ge 20 ] || { echo "$p passed of $c"; return 1; }
}
none_passes() {
	p=$(passed) c=$(came)
	sleep 0.3
	p=$(($(passed) - p)) c=$(($(came) - c))
	[ $p -eq 0 ] || { echo "$p passed of $c"; return 1; }
	# Dropped as they come in, or before they are there at all.
	[ "${1:-}" = sent ] || [ $c -ge 20 ]
}
said() { dmesg | grep "bpfilter: $*" || { echo "not in the log: $*"; dmesg | tail; return 1; }; }
# load MODULE [PARAMETER]...: says what was logged by it alone.
load() {
	dmesg -c >/dev/null
	insmod "$@"
}
policies() { iptables -S >/tmp/out && printf '%s\n' "-P INPUT $1" "-P FORWARD $2" "-P OUTPUT $3" | diff - /tmp/out; }
section() { # TABLE FILE
	sed -n "/^\*$1\$/,/^COMMIT\$/p" "$2" | sed 's/ \[[0-9:]*\]$//'
}
all_pass

# The rules in force are those of the file.
load $rules/router.ko
none_passes
said 'boot rules in force: 5 tables'
for table in mangle nat filter; do
	section $table $rules/router.rules >/tmp/wanted
	iptables-save -t $table >/tmp/got
	section $table /tmp/got | diff /tmp/wanted -
done
if iptables-save -t raw | grep '^-A'; then exit 1; fi
for table in mangle filter; do
	section $table ${rules}/router.rules6 >/tmp/wanted
	ip6tables-save -t $table >/tmp/got
	section $table /tmp/got | diff /tmp/wanted -
done
# They count, and go as others do.
iptables -L INPUT -n -v -x | awk '/^Chain INPUT/ { found = $5 >= 20 } END { exit !found }'
iptables -P INPUT ACCEPT
all_pass
rmmod bpfilter

# Rules that are cut off; what the kernel has not got.
load $rules/truncated.ko
said 'boot rules: [0-9]* bytes that are no boot rules, or not all of them'
said 'boot rules not in force: packets pass'
all_pass
policies ACCEPT ACCEPT ACCEPT
rmmod bpfilter
load $rules/truncated.ko policy=drop
said 'boot rules not in force: packets meet the policies'
none_passes sent
policies DROP DROP DROP
rmmod bpfilter
load $rules/foreign.ko
# The target is not there (2), or not for this table (22).
said 'boot rules: table raw: errno 2'
said 'boot rules not in force: packets pass'
all_pass
policies ACCEPT ACCEPT ACCEPT
if iptables -t nat -S | grep '^-A'; then exit 1; fi
# Not even a program is left of those before.
[ -z "$(bpftool prog list)" ]
rmmod bpfilter
load $rules/foreign.ko policy=drop policy_output=accept
none_passes
policies DROP DROP ACCEPT
iptables -L INPUT -n -v -x | awk '/^Chain INPUT/ { found = $5 >= 20 } END { exit !found }'
iptables-restore <<END
*filter
:INPUT DROP
:FORWARD ACCEPT
-A INPUT -s 127.0.0.9 -j ACCEPT
COMMIT
END
all_pass
# As empty as before, but somebody has said so.
iptables -F
iptables -P INPUT ACCEPT
policies ACCEPT ACCEPT ACCEPT
all_pass
rmmod bpfilter

# No helper: the module stays, and drops; calls are answered with an error.
load /lib/modules/broken/exits.ko policy_input=drop
said 'no helper (errno 14): packets meet the policies'
none_passes
sockopt expect EFAULT get 64 84
none_passes
# In the first namespace alone.
unshare -n sh -c 'ip link set lo up; ping -c 1 -W 1 127.0.0.1 >/dev/null'
rmmod bpfilter
all_pass
load /lib/modules/broken/hangs.ko policy=DROP
said 'no helper (errno 110): packets meet the policies'
none_passes sent
rmmod bpfilter
if load /lib/modules/broken/exits.ko policy=accept; then exit 1; fi

# What is not understood.
if load "$ko" policy_input=dorp; then exit 1; fi
said 'policy_input=dorp is neither drop nor accept'
if load "$ko" policy=drop tables=nat; then exit 1; fi
said 'tables=nat: table filter has a policy, and must be served'
if grep '^bpfilter ' /proc/modules; then exit 1; fi
all_pass

# Every namespace: it drops before iptables has been there, and says so.
load "$ko" policy_input=drop policy_all_ns=1
none_passes
for who in 'unshare -n' 'unshare -U -r -n'; do
	$who sh -eu -c '
		ip link set lo up
		if ping -c 1 -W 1 127.0.0.1 >/dev/null; then exit 1; fi
		[ "$(iptables -S INPUT)" = "-P INPUT DROP" ]
		[ "$(iptables -S OUTPUT)" = "-P OUTPUT ACCEPT" ]
		if ping -c 2 -W 1 127.0.0.1 >/dev/null; then exit 1; fi
		iptables -L INPUT -n -v -x | grep -q "policy DROP 2 packets"
		iptables -P INPUT ACCEPT
		ping -c 1 -W 1 127.0.0.1 >/dev/null'
done
# Also when the helper is another one by then.
kill -KILL "$(pidof bpfilter_umh)"
unshare -n sh -eu -c '[ "$(iptables -S INPUT)" = "-P INPUT DROP" ]'
rmmod bpfilter

# A lock needs something that is locked.
load "$ko" lock=1
said 'nothing is locked'
iptables -A INPUT -s 127.0.0.9 -j DROP
none_passes
rmmod bpfilter
load $rules/router.ko lock=1
none_passes
sockopt expect EPERM set 64 96
sockopt expect EPERM set 65 40
sockopt expect 0 get 64 84
for change in '-P INPUT ACCEPT' '-F' '-Z' '-t raw -A PREROUTING -j ACCEPT'; do
	# shellcheck disable=SC2086 # words
	if iptables $change 2>/tmp/err; then exit 1; fi
	grep 'not permitted' /tmp/err || { cat /tmp/err; exit 1; }
done
section filter $rules/router.rules >/tmp/wanted
iptables-save -t filter >/tmp/got
section filter /tmp/got | diff /tmp/wanted -
none_passes
unshare -n iptables -A INPUT -s 127.0.0.9 -j DROP
if rmmod bpfilter; then exit 1; fi
if echo 0 2>/dev/null >/sys/module/bpfilter/parameters/lock; then exit 1; fi
# A helper that is killed opens nothing.
kill -KILL "$(pidof bpfilter_umh)"
sockopt expect EPERM set 64 96
none_passes
