#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# 32-bit programs on a 64-bit kernel: Debian's iptables of i386 loads, reads, counts and
# changes tables of both families as it does in ip_tables, in turn with the 64-bit one,
# and raw calls of a 32-bit program, right and wrong ones, get what they get there.
#
# kernel: iptables
# where: host
# set: all
# timeout: 900

cd "$(dirname "$0")/../.."
. tools/cpus.sh
cpu "$(cat "$KERNEL/cpu")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debian=$(vm/debian --architecture "$compat_debian" trixie iptables)

cat >"$work/script" <<'END'
set -eu -o pipefail
dmesg -n 1
. /router
for folder in proc dev; do mount --bind /$folder /debian/$folder; done
# Of the 32-bit Debian, in the router's namespace.
at32() { at router chroot /debian "$@"; }
# legacy PROGRAM: the name of Debian's for it
legacy() { tables_of "-legacy${1-}"; }

# refused COMMAND...: what it says, and that it fails. Here it is the kernel that refuses.
refused() { if at32 "$@" 2>&1; then return 1; else echo "status $?"; fi; }

saved() { # by the 32-bit program, then by the other
	for table in $tables; do at32 $(legacy -save) -c -t $table | grep -v '^#'; done
	save
}
# Packets that all tables see, so that there are counters.
count() { at router ping -q -c 2 -W 1 $(address 10.5.0.2) >/dev/null || :; }

ruleset() { # FILE
	echo "== $1"
	tables=$(sed -n 's/^\*//p' $1)
	world
	at32 $(legacy -restore) <$1
	saved
	# A call about a rule keeps the counters of the others, or says which it sets.
	for table in $tables; do
		chain=$(at32 $(legacy) -t $table -S | sed -n 's/^-P \([A-Z]*\) .*/\1/p' | tail -n 1)
		at32 $(legacy) -t $table -I $chain 1 -m limit --limit 3/min
		at32 $(legacy) -t $table -A $chain -c 7 4294967297 -m mark --mark 0x1/0xff
		at router $(tables_of) -t $table -C $chain -m mark --mark 0x1/0xff
		at32 $(legacy) -t $table -C $chain -m limit --limit 3/min
	done
	count
	for table in $tables; do
		at32 $(legacy) -t $table -N user
		at32 $(legacy) -t $table -A $chain -j user
		refused $(legacy) -t $table -A user -j user
		at32 $(legacy) -t $table -vnxL
		at32 $(legacy) -t $table -Z $chain 1
		at32 $(legacy) -t $table -D $chain -j user
		at32 $(legacy) -t $table -X user
	done
	saved
	# What the one has saved, the other loads, with its counters.
	for table in $tables; do at32 $(legacy -save) -c -t $table; done >/tmp/kept
	for table in $tables; do at32 $(legacy) -t $table -F; done
	at router $(tables_of -restore) -c </tmp/kept
	save >/tmp/kept
	for table in $tables; do at32 $(legacy) -t $table -F; done
	at32 $(legacy -restore) -c </tmp/kept
	count
	saved
	gone
}

calls() { # FILE
	world
	at router $(tables_of -restore) <$1
	at router probe32 1 300 $TABLES
	for table in $TABLES; do at router $(tables_of -save) -t $table | grep -v '^#'; done
	gone
}

record() {
	ruleset /rules
	calls /rules
	family=6
	ruleset /rules6
	calls /rules6
	family=4
}

# What ip_tables would ask for while nothing may be loaded.
modprobe xt_NFQUEUE
. compare
compare record
grep -q '^\[7:4294967297\] -A' /tmp/bpfilter
echo "figure: $(grep -c '^\[[1-9]' /tmp/bpfilter) of $(grep -c '^\[' /tmp/bpfilter) rules have counted"
for table in $TABLES; do # of both families
	echo "figure: $table: $(grep -c "^$table [0-9]*: 0" /tmp/bpfilter) of $(grep -c "^$table [0-9]*:" /tmp/bpfilter) changed tables are right"
done
END
$BOOT --cpio "$debian" --add tests/vm/router=router --add tests/vm/router.ipv6=router.ipv6 \
	--add tests/vm/rulesets/home-router.rules=rules --add tests/vm/rulesets/ipv6/home-router.rules=rules6 "$work/script"
