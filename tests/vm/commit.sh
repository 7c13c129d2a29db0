#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What a request commits stays if it is answered with success, and only then;
# it stays when the helper dies, and goes with the module and the namespace.
#
# kernel: m debug
# timeout: 120

# The helper is helpers/commits.c: the length says what it does.
DROP=1 DROP_REFUSE=2 DROP_EXIT=3 DROP_HANG=4 DROP_GARBAGE=5 NONE=6 NONE_REFUSE=7 TWICE=8
RECOVER=9 RECOVER_COMMIT=10 BAD_FLAGS=11 BAD_FILE=12 BAD_PROGRAM=13 TWO_PROGRAMS=14 CONNTRACK=15
FOUR_PROGRAMS=16 OTHER_TABLE=17 OTHER_FAMILY=18 BAD_READS=19 NO_PACKETS=20 FEW_PACKETS=21
SMALL_PACKETS=22 ODD_PACKETS=23 HASH_PACKETS=24 POLICY=25 BOTH=26 NO_POLICY=27 FEW_COUNTERS=28

[ ! -e /sys/module/bpfilter ] || rmmod bpfilter
insmod /lib/modules/broken/commits.ko

# answers ERRNO to ACTION, after which packets pass or drop
answers() {
	sockopt expect "$1" set 64 "$2" || { echo "action $2"; exit 1; }
	if ping -c 1 -W 1 127.0.0.1 >/dev/null; then got=pass; else got=drop; fi
	[ $got = "$3" ] || { echo "after action $2 packets $got"; exit 1; }
}

answers ENOENT $RECOVER pass
for refused in "EINVAL $DROP_REFUSE" "EFAULT $DROP_EXIT" "ETIMEDOUT $DROP_HANG" "EFAULT $DROP_GARBAGE" \
	"EBUSY $TWICE" "EINVAL $BAD_FLAGS" "EBADF $BAD_FILE" "EINVAL $BAD_PROGRAM" "EINVAL $TWO_PROGRAMS" \
	"EINVAL $FOUR_PROGRAMS" "EINVAL $OTHER_TABLE" "EINVAL $OTHER_FAMILY" "EINVAL $BAD_READS" \
	"EINVAL $NO_PACKETS" "EINVAL $FEW_PACKETS" "EINVAL $SMALL_PACKETS" "EINVAL $ODD_PACKETS" \
	"EINVAL $HASH_PACKETS" "EINVAL $BOTH" "EINVAL $NO_POLICY" "EINVAL $FEW_COUNTERS" "EINVAL $NONE_REFUSE"; do
	# shellcheck disable=SC2086 # two words
	answers $refused pass
done
answers ENOENT $RECOVER pass

answers 0 $DROP drop
for refused in "EINVAL $DROP_REFUSE" "EFAULT $DROP_EXIT" "EBUSY $TWICE" "EINVAL $NONE_REFUSE"; do
	# shellcheck disable=SC2086
	answers $refused drop
done
answers 0 $RECOVER drop
answers 0 $RECOVER_COMMIT drop
kill -9 "$(pidof bpfilter_umh)"
answers 0 $RECOVER drop

# Another namespace has rules of its own: none.
unshare -n sh -c 'ip link set lo up; ping -c 1 -W 1 127.0.0.1 >/dev/null'

answers 0 $POLICY drop
answers 0 $RECOVER_COMMIT drop

answers 0 $NONE pass
answers 0 $RECOVER pass

# The namespace that counts is the socket's, not that of who uses it.
sockopt elsewhere 0 set 64 $DROP
answers EINVAL $NONE_REFUSE drop
sockopt elsewhere 0 set 64 $NONE
answers EINVAL $DROP_REFUSE pass

answers 0 $DROP drop
answers 0 $NONE pass

# Connection tracking runs while a generation asks for it, and no longer.
tracks() { # 127.0.0.X
	ping -c 1 -W 1 127.0.0.$1 >/dev/null
	grep -q "dst=127.0.0.$1 " /proc/net/nf_conntrack
}
if tracks 2; then echo "tracked, and nobody asked"; exit 1; fi
answers 0 $CONNTRACK pass
tracks 3
answers 0 $RECOVER_COMMIT pass
tracks 4
answers EINVAL $NONE_REFUSE pass
tracks 5
answers 0 $NONE pass
if tracks 6; then echo "still tracked"; exit 1; fi

# A namespace that dies with rules, and many of them.
for round in 1 2 3 4 5 6 7 8 9 10; do
	unshare -n sh -c "ip link set lo up; sockopt expect 0 set 64 $DROP; sockopt expect 0 set 64 $CONNTRACK"
done

answers 0 $DROP drop
rmmod bpfilter
ping -c 1 -W 1 127.0.0.1 >/dev/null
