#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The helper was started, and has logged, before the kernel ran /init: from an
# initramfs without any device node, with devtmpfs and without it.
#
# kernel: y nodevtmpfs
# boot: own

dmesg >/tmp/log

# The line number of the one line that matches, or failure.
line() {
	grep -c "$1" /tmp/log | grep -qx 1 || { echo "not once in the log: $1"; grep -i bpfilter /tmp/log; exit 1; }
	grep -n "$1" /tmp/log | cut -d: -f1
}

loaded=$(line 'Loaded bpfilter_umh pid [0-9][0-9]*$')
started=$(line 'Started bpfilter$')
init=$(line 'Run /init as init process')
[ "$loaded" -lt "$init" ]
[ "$started" -lt "$init" ]

# The initramfs as it is below the file systems that init has mounted. The
# kernel itself always makes /dev/console (usr/default_cpio_list).
mount --bind / /mnt
nodes=$(find /mnt -xdev \( -type c -o -type b \) ! -path /mnt/dev/console)
umount /mnt
[ -z "$nodes" ] || { echo "device nodes in the initramfs: $nodes"; exit 1; }

# And it is alive now.
pid=$(sed -n 's/.*Loaded bpfilter_umh pid //p' /tmp/log)
grep -q bpfilter_umh "/proc/$pid/comm"
