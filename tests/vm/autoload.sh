#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# While there is no module to load, calls do not each start a modprobe; when
# there is one, a call loads it no more than a second or so later.
#
# kernel: m debug
# stock: no, who looks for a module there is iptables
# boot: own

cat >/tmp/modprobe <<'END'
#!/bin/sh
echo "$@" >>/tmp/asked
exit 1
END
chmod 755 /tmp/modprobe
modprobe_path=$(cat /proc/sys/kernel/modprobe)
seconds() { awk '{ print int($1) }' /proc/uptime; }

echo /tmp/modprobe >/proc/sys/kernel/modprobe
start=$(seconds)
sockopt loop 500 ENOPROTOOPT
took=$(($(seconds) - start))
asked=$(wc -l </tmp/asked)
grep -q bpfilter /tmp/asked
echo "figure: modprobe $asked times in $took s of 500 calls"
[ "$asked" -ge 1 ] && [ "$asked" -le $((took + 2)) ]

# As if it had been installed.
echo "$modprobe_path" >/proc/sys/kernel/modprobe
sleep 1
sockopt expect 0 get 64 84
grep -q '^bpfilter ' /proc/modules

# One that was there and is unloaded is loaded by the next call.
rmmod bpfilter
sockopt expect 0 get 64 84
