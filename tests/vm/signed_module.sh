#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A kernel that wants modules signed loads bpfilter.ko, with the helper inside, when it
# is signed, and serves; one without a signature, or changed after it, is refused.
#
# kernel: signed
# boot: own

# The first use loads it, and nobody minds.
iptables -A INPUT -s 192.0.2.1 -j DROP
iptables -S INPUT | grep -q 192.0.2.1
grep -q '^bpfilter ' /proc/modules
[ "$(cat /proc/sys/kernel/tainted)" = 0 ]
iptables -F
rmmod bpfilter

refused() { # FILE
	if insmod "$1" 2>/tmp/error; then echo "loaded: $1"; exit 1; fi
	cat /tmp/error
	grep -q 'Key was rejected by service' /tmp/error
	! grep -q '^bpfilter ' /proc/modules
}
# The same code with another helper inside, which the build has not signed.
for module in /lib/modules/broken/*.ko; do refused "$module"; done
# A byte of the code is another one.
cp "$(find "/lib/modules/$(uname -r)" -name bpfilter.ko)" /tmp/bpfilter.ko
size=$(stat -c %s /tmp/bpfilter.ko)
tr '\000-\377' '\001-\377\000' </tmp/bpfilter.ko | dd of=/tmp/bpfilter.ko bs=1 skip=$((size / 2)) seek=$((size / 2)) count=1 conv=notrunc 2>/dev/null
refused /tmp/bpfilter.ko
