#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The memory of a table, its programs and maps is charged to the cgroup of who
# made it. One that may have no more gets an error, and is alone with it.
#
# kernel: y
# timeout: 240

ip() { /usr/sbin/ip "$@"; }
group=/tmp/cgroup/small
nets='one two three four five six seven eight nine ten eleven twelve'
mkdir /tmp/cgroup
mount -t cgroup2 cgroup /tmp/cgroup
clean() {
	for net in $nets outside; do ip netns del $net 2>/dev/null || :; done
	rmdir $group
	echo -memory >/tmp/cgroup/cgroup.subtree_control
	umount /tmp/cgroup
	rmdir /tmp/cgroup
}
trap clean EXIT
echo +memory >/tmp/cgroup/cgroup.subtree_control
mkdir $group

rules=5000
rules_of() { # CHAIN
	echo '*filter'
	[ "$1" = INPUT ] || echo ":$1 - [0:0]"
	i=0
	while [ $i -lt $rules ]; do
		echo "-A $1 -s 10.0.$((i / 250)).$((i % 250)) -j DROP"
		i=$((i + 1))
	done
	echo COMMIT
}
rules_of INPUT >/tmp/rules
# Without a program, as nothing jumps there: counters are all that it has.
rules_of unused >/tmp/unused
# What such a rule takes in a table: 112 bytes of entry, 40 of target.
size=$((rules * 152))

shmem() { sed -n 's/^shmem //p' $group/memory.stat; }
kernel() { sed -n 's/^kernel //p' $group/memory.stat; }
# All programs and maps that there are, in bytes.
objects() {
	{ bpftool prog show; bpftool map show; } |
		awk '{ for (i = 1; i < NF; i++) if ($i == "memlock") sum += $(i + 1) } END { print sum + 0 }'
}
restore() { # NETWORK [RULES]
	sh -c "echo \$\$ >$group/cgroup.procs; exec /usr/sbin/ip netns exec $1 iptables-restore" <"${2:-/tmp/rules}"
}

before=$(shmem)
kernel_before=$(kernel)
objects_before=$(objects)
ip netns add one
restore one
objects=$(($(objects) - objects_before))
kernel=$(($(kernel) - kernel_before))
echo "figure: $kernel bytes of the kernel's charged for programs and maps of $objects"
[ $objects -gt 0 ]
[ $kernel -ge $objects ] || { echo "only $kernel bytes charged for programs and maps of $objects"; exit 1; }
charged=$(($(shmem) - before))
echo "figure: $charged bytes charged for a table of $size"
[ $charged -ge $size ] || { echo "only $charged bytes charged for a table of $size"; exit 1; }
ip netns exec one iptables -S INPUT | tail -n 1 | grep -q DROP
ip netns del one
for _ in 1 2 3 4 5 6 7 8 9 10; do [ $(($(shmem) - before)) -ge $size ] || break; sleep 0.5; done
[ $(($(shmem) - before)) -lt $size ] || { echo "still charged when the table is gone"; exit 1; }
[ $(($(kernel) - kernel_before)) -lt $objects ] || { echo "still charged when the programs are gone"; exit 1; }

kernel_before=$(kernel)
objects_before=$(objects)
ip netns add one
restore one /tmp/unused
[ "$(bpftool prog show | grep -c .)" = 0 ] || { echo "a program for rules that no packet reaches"; exit 1; }
objects=$(($(objects) - objects_before))
kernel=$(($(kernel) - kernel_before))
echo "figure: $kernel bytes of the kernel's charged for counters of $objects"
[ $objects -ge $((rules * 16)) ]
[ $kernel -ge $objects ] || { echo "only $kernel bytes charged for counters of $objects"; exit 1; }
ip netns del one

# Room for who makes a table, and for four more.
limit=$(($(cat $group/memory.peak) + 4 * size))
echo $limit >$group/memory.max
made=0 refused=''
for net in $nets; do
	ip netns add $net
	if restore $net 2>/tmp/error; then
		made=$((made + 1))
	else
		refused=1
		break
	fi
done
[ $made -gt 0 ]
[ -n "$refused" ] || { echo "$made tables of $size bytes in $limit"; exit 1; }
# Nobody was killed for it, and it has the table it had.
cat /tmp/error
grep -qx 'oom_kill 0' $group/memory.events
[ "$(ip netns exec $net iptables -S | wc -l)" = 3 ]
# Everybody else goes on.
ip netns add outside
ip netns exec outside iptables-restore </tmp/rules
[ "$(ip netns exec outside iptables -S INPUT | wc -l)" = $((rules + 1)) ]
