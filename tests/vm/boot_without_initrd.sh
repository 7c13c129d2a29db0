#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A kernel that cannot have an initramfs starts the helper all the same; then it
# panics, because its root file system is empty.
#
# kernel: noinitrd
# where: host

log=$(mktemp)
trap 'rm -f "$log"' EXIT

grep -qx '# CONFIG_BLK_DEV_INITRD is not set' "$KERNEL/config"

status=0
$BOOT --no-initrd --klog "$log" || status=$?
[ $status -eq 125 ] || { echo "status $status instead of 125, a panic"; exit 1; }

# The line number of the one line that matches, or failure.
line() {
	grep -c "$1" "$log" | grep -qx 1 || { echo "not once in the log: $1" >&2; grep -i -a bpfilter "$log" >&2; exit 1; }
	grep -n "$1" "$log" | cut -d: -f1
}
loaded=$(line 'Loaded bpfilter_umh pid [0-9][0-9]*$')
started=$(line 'Started bpfilter$')
panic=$(line 'Kernel panic - not syncing: No working init found')
[ "$loaded" -lt "$panic" ]
[ "$started" -lt "$panic" ]
