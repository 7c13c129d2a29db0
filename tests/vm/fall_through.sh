#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Beside the kernel's own ip_tables the helper answers for `filter` only; nat,
# mangle and raw stay with ip_tables, and get back all when bpfilter is gone.
#
# kernel: iptables
# cpus: 2
# boot: own

# Without the module ip_tables owns everything. Nothing may load it yet.
modprobe_path=$(cat /proc/sys/kernel/modprobe)
echo /bin/false >/proc/sys/kernel/modprobe
iptables -A INPUT -s 192.0.2.1 -j DROP
iptables -t nat -A POSTROUTING -s 192.0.2.2 -j MASQUERADE
iptables -t mangle -A PREROUTING -s 192.0.2.3 -j MARK --set-mark 3
iptables -S | grep -q 192.0.2.1
echo "$modprobe_path" >/proc/sys/kernel/modprobe

# With it the helper's filter table is another one, and empty.
modprobe bpfilter
iptables -t filter -S >/tmp/out
printf '%s\n' '-P INPUT ACCEPT' '-P FORWARD ACCEPT' '-P OUTPUT ACCEPT' | diff - /tmp/out
iptables -t nat -S | grep -qx -- '-A POSTROUTING -s 192.0.2.2/32 -j MASQUERADE'
iptables -t mangle -S | grep -q -- '-A PREROUTING -s 192.0.2.3/32 -j MARK'
iptables -t raw -L -n | grep -q 'Chain PREROUTING'

# Other tables can be changed, too, through extensions that only ip_tables has.
iptables -t nat -A POSTROUTING -s 192.0.2.4 -j MASQUERADE
iptables -t nat -S | grep -qx -- '-A POSTROUTING -s 192.0.2.4/32 -j MASQUERADE'
iptables -t mangle -D PREROUTING -s 192.0.2.3 -j MARK --set-mark 3
if iptables -t mangle -S | grep -q 192.0.2.3; then exit 1; fi

# Without it again, ip_tables has what it had.
echo /bin/false >/proc/sys/kernel/modprobe
rmmod bpfilter
iptables -S | grep -qx -- '-A INPUT -s 192.0.2.1/32 -j DROP'
iptables -t nat -S | grep -q 192.0.2.2
