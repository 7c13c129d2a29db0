#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# On a stock kernel it is either ip_tables or bpfilter: who comes second is refused,
# and bpfilter says what to do. Where iptables asks for ip_tables, it gets bpfilter.
#
# kernel: debian-6.12 debian-7.3 debian-arm64 debian-armhf
# boot: own
# log: may warn

# Loaded before the script, as this machine's /etc/modules says.
grep -q '^bpfilter ' /proc/modules
iptables -L -n | grep -q '^Chain INPUT (policy ACCEPT)'
rmmod bpfilter
if grep -q '^bpfilter ' /proc/modules; then exit 1; fi

# iptables has "ip_tables" loaded when nobody answers; here that is bpfilter's alias.
iptables -L -n | grep -q '^Chain INPUT (policy ACCEPT)'
grep -q '^bpfilter ' /proc/modules

# 7.3 has no ip_tables.
[ -f /lib/modules/beside/ip_tables.ko ] || exit 0
# The kernel warns that it finds bpfilter's files in /proc/net.
if insmod /lib/modules/beside/ip_tables.ko; then exit 1; fi
rmmod bpfilter
insmod /lib/modules/beside/ip_tables.ko
insmod /lib/modules/beside/iptable_filter.ko
iptables -A INPUT -s 192.0.2.1 -j DROP
if modprobe bpfilter; then exit 1; fi
dmesg | grep -q 'bpfilter: ip_tables is loaded, or what answers in its place, and only one can answer iptables: remove it'
iptables -S INPUT | grep -q 192.0.2.1

# What it says helps.
iptables -F
rmmod iptable_filter ip_tables
modprobe bpfilter
iptables -A INPUT -s 192.0.2.2 -j DROP
iptables -S INPUT | grep -q 192.0.2.2
iptables -F
