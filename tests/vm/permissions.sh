#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# CAP_NET_ADMIN over the socket's network namespace is asked for, before all
# but the range of the option: EPERM without, and root of a user namespace has
# it in its own network namespace only.
#
# kernel: y m debug

# The private options.
private='3056 3057 3058 3059 3060 3061 3062 3063 3064 3065 3066 3067'
as_nobody() { su -s /bin/sh nobody -c "$*"; }

for option in 64 65 66 67; do
	as_nobody sockopt expect EPERM get $option 1
done
for option in 64 65; do
	as_nobody sockopt expect EPERM set $option 1
done
for option in 63 68 69 $private; do
	as_nobody sockopt expect ENOPROTOOPT get $option 84
	sockopt expect ENOPROTOOPT get $option 84
done
for option in 63 66 67 $private; do
	as_nobody sockopt expect ENOPROTOOPT set $option 84
	sockopt expect ENOPROTOOPT set $option 84
done

# IPv6 has the same at a level of its own, but for the numbers of two, and no private ones.
for option in 64 65 68 69; do
	as_nobody sockopt -6 expect EPERM get $option 1
done
for option in 64 65; do
	as_nobody sockopt -6 expect EPERM set $option 1
done
for option in $private; do
	sockopt -6 expect ENOPROTOOPT get $option 84
	sockopt -6 expect ENOPROTOOPT set $option 84
done
sockopt -6 expect 0 get 64 84
as_nobody unshare -U -r sockopt -6 expect EPERM get 64 84
as_nobody unshare -U -r -n sockopt -6 expect 0 get 64 84

# The private options are there for the helper alone, and not for others while
# it works on a request.
sockopt expect 0 get 64 84
kill -STOP "$(pidof bpfilter_umh)"
sockopt expect 0 get 64 84 &
sleep 0.5
sockopt expect ENOPROTOOPT set 3056 24
sockopt expect ENOPROTOOPT get 3057 24
sockopt expect ENOPROTOOPT set 3058 6
sockopt expect ENOPROTOOPT get 3061 112
sockopt expect ENOPROTOOPT set 3062 24
kill -CONT "$(pidof bpfilter_umh)"
wait $!

as_nobody unshare -U -r -n sockopt expect 0 get 64 84
as_nobody XTABLES_LOCKFILE=/tmp/lock.$$ unshare -U -r -n iptables -L -n | grep -q '^Chain FORWARD (policy ACCEPT)'
# The user namespace's, but not on a socket of the first network namespace.
as_nobody unshare -U -r sockopt expect EPERM get 64 84
as_nobody sockopt foreign EPERM get 64 84
as_nobody sockopt foreign ENOPROTOOPT get 68 84
# The socket counts also for who may: here it is the first namespace's table.
sockopt foreign EPERM get 64 84
