#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Policies and a lock on the kernel's command line, with bpfilter in the image.
#
# kernel: y
# where: host
# timeout: 120

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# boots COMMAND-LINE: with a script from stdin.
boots() {
	(echo 'set -eu
policies_of() { $1 -S >/tmp/out && printf "%s\n" "-P INPUT $2" "-P FORWARD $3" "-P OUTPUT $4" | diff - /tmp/out; }
policies() { policies_of iptables "$@" && policies_of ip6tables "$@"; }
said() { dmesg | grep "bpfilter: $*"; }
passes() { ping -c 1 -W 1 127.0.0.1 >/dev/null; }
passes6() { ping -c 1 -W 1 ::1 >/dev/null; }'; cat) >"$work/script"
	$BOOT --append "$1" --klog "$work/klog" "$work/script"
}
# When the kernel gets to /init, in seconds: a billion instructions are one.
started() { sed -n 's/^\[ *\([0-9.]*\)\] Run \/init as init process.*/\1/p' "$work/klog"; }

boots '' <<'END'
passes
passes6
policies ACCEPT ACCEPT ACCEPT
END
without=$(started)

boots bpfilter.policy=drop <<'END'
if passes || passes6; then exit 1; fi
policies DROP DROP DROP
iptables -L OUTPUT -n -v -x | grep 'policy DROP [1-9]'
ip6tables -L OUTPUT -n -v -x | grep 'policy DROP [1-9]'
unshare -n sh -c 'ip link set lo up; ping -c 1 -W 1 127.0.0.1; ping -c 1 -W 1 ::1' >/dev/null
iptables -P INPUT ACCEPT
if passes; then exit 1; fi
iptables -P OUTPUT ACCEPT
passes
if passes6; then exit 1; fi
ip6tables -P INPUT ACCEPT
ip6tables -P OUTPUT ACCEPT
passes6
END
echo "figure: /init after $without s, with a policy after $(started) s"

# What cannot be read drops, as nobody sees an errno.
boots bpfilter.policy_input=dorp <<'END'
if passes; then exit 1; fi
said 'policy_input=dorp is neither drop nor accept'
policies DROP ACCEPT ACCEPT
END

# Tables that are not served are not locked either: their bytes are looked at.
boots 'bpfilter.policy=accept bpfilter.policy_forward=drop bpfilter.lock=1 bpfilter.tables=filter' <<'END'
passes
policies ACCEPT DROP ACCEPT
sockopt expect EPERM set 64 96
sockopt expect EPERM set 65 40
sockopt expect EINVAL set 65 40 raw
if iptables -P FORWARD ACCEPT || ip6tables -P FORWARD ACCEPT; then exit 1; fi
policies ACCEPT DROP ACCEPT
unshare -n iptables -P FORWARD DROP
END

boots bpfilter.lock=1 <<'END'
said 'nothing is locked'
iptables -P FORWARD DROP
policies_of iptables ACCEPT DROP ACCEPT
policies_of ip6tables ACCEPT ACCEPT ACCEPT
END
