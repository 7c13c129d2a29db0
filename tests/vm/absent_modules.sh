#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Matches that x_tables has not got: a call that needs several of them asks modprobe once
# for each (and iptables' question for a revision once before), and ends, whether the helper has a program in their place (tcpmss, ecn) or
# not (ipvs).
#
# kernel: y

cat >/tmp/modprobe <<'END'
#!/bin/sh
echo "$*" >>/tmp/asked
END
chmod +x /tmp/modprobe
modprobe=$(cat /proc/sys/kernel/modprobe)
echo /tmp/modprobe >/proc/sys/kernel/modprobe
trap 'echo "$modprobe" >/proc/sys/kernel/modprobe; iptables -F; ip6tables -F' EXIT

# ends STATUS MODULE... -- RULE...: how a REPLACE ends, and which modules it asks for.
ends() {
	wanted=$1
	shift
	: >/tmp/asked
	: >/tmp/wanted
	while [ "$1" != -- ]; do echo "$1" >>/tmp/wanted; shift; done
	shift
	(echo '*filter'; printf -- '-A FORWARD %s\n' "$@"; echo COMMIT) >/tmp/rules
	status=0
	timeout -s KILL 20 $restore </tmp/rules || status=$?
	[ $status = "$wanted" ] || { echo "status $status"; sort /tmp/asked | uniq -c; return 1; }
	sed -n 's/.* //; /t_/p' /tmp/asked | sort -u | diff /tmp/wanted -
	[ "$(sort /tmp/asked | uniq -c | awk '$1 > 2' | wc -l)" = 0 ] || { cat /tmp/asked; return 1; }
}
for family in ip ip6; do
	restore=${family}tables-restore
	ends 0 ${family}t_tcpmss -- '-p tcp -m tcpmss --mss 10:20'
	ends 0 ${family}t_ecn ${family}t_tcpmss -- '-p tcp -m tcpmss --mss 10:20' '-p tcp -m ecn --ecn-tcp-ece' \
		'-p tcp -m tcpmss --mss 11:20'
	ends 1 ${family}t_ecn ${family}t_ipvs ${family}t_tcpmss -- '-p tcp -m ecn --ecn-tcp-ece' '-p tcp -m tcpmss --mss 10:20' '-m ipvs --ipvs'
	dmesg | tail -n 3 | grep "rule 3 of chain FORWARD: match 'ipvs'"
done
