#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The unmodified iptables prints the three empty chains of `filter`, on a kernel
# that has no ip_tables: the helper has answered.
#
# kernel: y m debug

if grep -q ' ipt_register_table' /proc/kallsyms; then
	echo "this kernel has ip_tables"
	exit 1
fi

iptables -L -n -v >/tmp/out
cat >/tmp/expected <<'END'
Chain INPUT (policy ACCEPT 0 packets, 0 bytes)
 pkts bytes target     prot opt in     out     source               destination         

Chain FORWARD (policy ACCEPT 0 packets, 0 bytes)
 pkts bytes target     prot opt in     out     source               destination         

Chain OUTPUT (policy ACCEPT 0 packets, 0 bytes)
 pkts bytes target     prot opt in     out     source               destination         
END
diff /tmp/expected /tmp/out

iptables -S >/tmp/out
printf '%s\n' '-P INPUT ACCEPT' '-P FORWARD ACCEPT' '-P OUTPUT ACCEPT' | diff - /tmp/out

# A table that nobody has.
if iptables -t nosuch -L -n >/tmp/out 2>&1; then cat /tmp/out; exit 1; fi
grep -q "can't initialize iptables table .nosuch': Table does not exist" /tmp/out
