#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The helper's private options do not exist for anybody else, and say so at once
# also while the helper waits inside one of them: here for a module.
#
# kernel: y m debug

# Not the one inside of busybox.
ip() { /usr/sbin/ip "$@"; }
net=net$$
ip netns add $net
modprobe_path=$(cat /proc/sys/kernel/modprobe)
trap 'echo "$modprobe_path" >/proc/sys/kernel/modprobe; ip netns del $net; rm -f /tmp/slow' EXIT
cat >/tmp/slow <<'END'
#!/bin/sh
case "$*" in *ts?bm*) touch /tmp/loading; sleep 3; rm /tmp/loading ;; esac
exec /sbin/modprobe "$@"
END
chmod 755 /tmp/slow
modprobe -r ts_bm 2>/dev/null || :
# Whatever else has to be loaded is loaded before.
modprobe xt_string
sockopt expect 0 get 64 84

echo /tmp/slow >/proc/sys/kernel/modprobe
ip netns exec $net iptables -A INPUT -m string --string x --algo bm &
rule=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ ! -e /tmp/loading ] || break; sleep 0.1; done
[ -e /tmp/loading ]
for option in 3056 3057 3058 3059 3060 3061 3062 3063 3064 3065 3066 3067; do
	su -s /bin/sh nobody -c "sockopt expect ENOPROTOOPT set $option 24; sockopt expect ENOPROTOOPT get $option 24"
done
[ -e /tmp/loading ] || { echo "had to wait for the helper"; exit 1; }
wait $rule
ip netns exec $net iptables -S INPUT | grep string
ip netns exec $net iptables -F
rmmod xt_string ts_bm
