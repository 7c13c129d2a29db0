#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Instructions that an `iptables-restore` takes, the whole process, for rule sets
# with many kinds of match: at most 3 times what it takes on ip_tables. Much of it
# is the verifier's work, see docs/verifier.md.
#
# kernel: iptables
# where: host
# timeout: 120

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/script" <<'EOF'
# Nanoseconds, which are instructions here.
now() { sed -n 's/^now at \([0-9]*\) nsecs$/\1/p' /proc/timer_list; }

# restores FILE: what one takes, the mean of ten.
restores() {
	iptables-restore <"$1"
	start=$(now)
	for i in 1 2 3 4 5 6 7 8 9 10; do iptables-restore <"$1"; done
	echo $((($(now) - start) / 10))
	iptables -F
	iptables -X
}

# What ip_tables would ask for while nothing may be loaded.
for module in xt_string ts_bm; do modprobe $module; done
serve ip_tables
for set in /rules/*; do restores $set >/tmp/${set##*/}; done

serve bpfilter
failed=0
for set in /rules/*; do
	name=${set##*/}
	than=$(cat /tmp/$name)
	takes=$(restores $set)
	echo "figure: $name: ip_tables $than, bpfilter $takes"
	if [ $takes -gt $((than * 3)) ]; then
		echo "$name: $takes instructions, and ip_tables takes $than"
		failed=1
	fi
done
exit $failed
EOF
adds=()
for set in router-vlans mixed-80 mixed-100 mixed-22-rates; do adds+=(--add "tests/rulesets/$set.rules=rules/$set"); done
$BOOT "${adds[@]}" "$work/script"
