#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the kernel half tells a program of a packet, and what becomes of what a
# program calls: matches that answer, targets that let the packet go on, one that
# sends a copy, and one that sends an answer and drops.
#
# kernel: m debug

# The helper is helpers/records.c: the length says what it does.
RECORD=1 CHECK_RECORD=2 CALLS=3 CHECK_CALLS=4 NO_SUCH_CALL=5

# Not busybox's.
ip() { /usr/sbin/ip "$@"; }

[ ! -e /sys/module/bpfilter ] || rmmod bpfilter
insmod /lib/modules/broken/records.ko

ip netns add other
ip link add v0 address 02:00:00:00:00:11 type veth peer name v1 netns other address 02:00:00:00:00:22
ip link set v0 up group 7
ip address add 10.9.0.1/24 dev v0
ip route replace 10.9.0.0/24 dev v0 src 10.9.0.1 realm 5
ip -n other link set v1 up
ip -n other address add 10.9.0.2/24 dev v1
# Nothing of ours but what is sent below.
ping -c 1 -W 1 10.9.0.2 >/dev/null

answers() { # ERRNO ACTION
	sockopt expect "$1" set 64 "$2" || { dmesg | grep records: | tail -n 50; exit 1; }
}
send() { echo >/tmp/byte; /usr/bin/nc -u -p 4000 -w 1 10.9.0.2 9 </tmp/byte >/dev/null 2>&1 || true; }

answers 0 $RECORD
send
answers 0 $CHECK_RECORD

answers 0 $CALLS
send
answers 0 $CHECK_CALLS

# What is not there is a fault of the programs: the packet is dropped.
answers 0 $NO_SUCH_CALL
if ping -c 1 -W 1 10.9.0.2 >/dev/null; then exit 1; fi

rmmod bpfilter
ip netns del other
