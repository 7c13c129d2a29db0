#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A BPF program of a cgroup that looks at setsockopts and changes none changes
# nothing: what is short comes from the kernel's memory then, what is long from
# the caller's.
#
# kernel: y

mount -t tmpfs tmpfs /mnt
mkdir /mnt/cgroup
mount -t cgroup2 cgroup /mnt/cgroup
mkdir /mnt/cgroup/passed
clean() {
	iptables -F
	rmdir /mnt/cgroup/passed
	umount /mnt/cgroup
	umount /mnt
}
trap clean EXIT
passed() { sh -c 'echo $$ >/mnt/cgroup/passed/cgroup.procs; exec "$@"' sh "$@"; }

try() {
	passed iptables -A INPUT -s 192.0.2.1 -j DROP
	passed iptables -A INPUT -s 192.0.2.2
	iptables -S INPUT
	passed iptables -Z
	i=0
	{
		echo '*filter'
		while [ $i -lt 50 ]; do echo "-A INPUT -s 192.0.2.$i -j DROP"; i=$((i + 1)); done
		echo COMMIT
	} | passed iptables-restore
	iptables -S INPUT
	passed iptables -F
	iptables -S INPUT
	# Where the memory is not even.
	passed sockopt expect EINVAL set 64 95
	passed sockopt expect EINVAL set 64 96
	passed sockopt expect EINVAL set 65 39
}
try >/mnt/without
pass_sockopts /mnt/cgroup/passed
try >/mnt/with
diff -u /mnt/without /mnt/with
[ "$(wc -l </mnt/with)" = 55 ]
