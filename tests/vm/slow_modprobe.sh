#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A modprobe that takes longer than an answer may: who needs the module waits for
# it, and nobody else; the helper stays. A match that no module has is refused.
#
# kernel: y m debug

sockopt expect 0 get 64 84
helper=$(pidof bpfilter_umh)
modprobe=$(cat /proc/sys/kernel/modprobe)
trap 'echo "$modprobe" >/proc/sys/kernel/modprobe; iptables -F' EXIT
rmmod xt_physdev 2>/dev/null || :
rmmod br_netfilter 2>/dev/null || :
rmmod xt_ipvs 2>/dev/null || :
cat >/tmp/slow <<END
#!/bin/sh
echo "\$*" >>/tmp/loading
sleep 7
exec $modprobe "\$@"
END
chmod +x /tmp/slow
: >/tmp/loading
echo /tmp/slow >/proc/sys/kernel/modprobe

# iptables does not ask for the revision of a match that has only one.
iptables -A FORWARD -m physdev --physdev-in x0 -j DROP &
caller=$!
until grep -q ipt_physdev /tmp/loading; do sleep 0.01; done
took=$(sockopt loop 10)
[ "$took" -lt 100000000 ] || { echo "others wait $took ns"; exit 1; }
kill -0 $caller
# Its check loads another one, from within the helper.
wait $caller
grep -q br_netfilter /tmp/loading
grep -q '^br_netfilter ' /proc/modules
iptables -S FORWARD | grep -q physdev
[ "$(pidof bpfilter_umh)" = "$helper" ] || { echo "the helper was replaced"; exit 1; }

# What is there is not loaded again; what is nowhere is looked for once by each of
# the two calls, for its revision and for the rule.
: >/tmp/loading
iptables -A FORWARD -m physdev --physdev-in x1 -j DROP
[ ! -s /tmp/loading ]
printf '#!/bin/sh\necho "$*" >>/tmp/loading\n' >/tmp/slow
if iptables -A INPUT -m ipvs --ipvs 2>/tmp/error; then exit 1; fi
grep -q 'No chain/target/match by that name' /tmp/error
[ "$(grep -c ipt_ipvs /tmp/loading)" = 2 ] || { cat /tmp/loading; exit 1; }
[ "$(pidof bpfilter_umh)" = "$helper" ] || { echo "the helper was replaced"; exit 1; }
