#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `make run` as a person meets it, on a terminal: the banner, a shell in which
# iptables works, and the way out.
#
# kernel: y m debug
# cpus: 2
# where: host

. tools/cpus.sh
cpu "$(cat "$KERNEL/cpu")"

# A terminal for the machine: script(1) makes one. What we type goes into the
# pipe only when the machine shows that it waits for it.
coproc vm { exec script -qefc "$BOOT --shell" /dev/null 2>&1; }
seen=''

# until TEXT: reads what the machine prints until TEXT has come.
until_seen() {
	local c
	while [[ $seen != *"$1"* ]]; do
		if ! IFS= read -r -t 300 -N 1 c <&"${vm[0]}"; then
			printf 'never seen: %s; but:\n' "$1"; tail -n 20 <<<"$seen"
			exit 1
		fi
		seen+=$c
	done
	printf '%s' "$seen"
	seen=''
}

until_seen 'Ctrl-A X stops QEMU'
until_seen '# '
echo 'iptables -L INPUT -n -v && echo status=$?' >&"${vm[1]}"
until_seen 'Chain INPUT (policy ACCEPT 0 packets, 0 bytes)'
until_seen 'status=0'
until_seen '# '
echo 'tty' >&"${vm[1]}"
until_seen "/dev/$console"
until_seen '# '
pid=$vm_PID
echo 'exit' >&"${vm[1]}"
last=$(cat <&"${vm[0]}")
printf '%s' "$last"
# With PREEMPT_RT a thread prints the kernel's last words, and the machine may be gone before.
grep -qx CONFIG_PREEMPT_RT=y "$KERNEL/config" || [[ $last == *'Restarting system'* ]] || exit 1
wait "$pid"
