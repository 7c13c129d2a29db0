#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Programs that make rules, from Debian's packages: ufw, fail2ban, firewalld with its
# iptables backend, ferm, Shorewall and Docker's daemon with containers do with bpfilter
# what they do with the kernel's own ip_tables, on the same kernel: what they say, and
# all tables of both families after each step, are the same. Without a network, so no
# packet is sent.
#
# kernel: debian-6.12
# where: host
# set: all
# timeout: 900

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each has a function do_* below.
programs='ufw fail2ban firewalld ferm shorewall docker'
debian=$(vm/debian --installed trixie iptables ipset ufw fail2ban firewalld dbus ferm shorewall shorewall6 \
	docker.io docker-cli busybox-static kmod iproute2 procps)

# In Debian, in a network namespace of its own.
cat >"$work/steps" <<'END'
set -eu
# Python's sets have the same order each time.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PYTHONHASHSEED=0
ip link set lo up
# What is in force, without counters and dates.
tables() { for family in iptables ip6tables; do echo "-- $family"; $family-save | grep -v '^#' | sed 's/ \[[0-9:]*\]$//'; done; }
step() {
	echo "== $*"
	"$@" || echo "status $?"
	tables
}
until_it_says() { # TEXT COMMAND...: a minute at most
	text=$1 n=0
	shift
	until "$@" 2>&1 | grep -q "$text"; do
		n=$((n + 1))
		[ $n -lt 120 ] || { "$@"; return 1; }
		sleep 0.5
	done
}

do_ufw() {
	step ufw --force enable
	step ufw allow 80/tcp
	step ufw limit ssh
	step ufw deny from 192.0.2.0/24 to any port 53 proto udp
	step ufw allow from 2001:db8::/32
	step ufw route allow in on eth0 out on eth1
	step ufw default deny outgoing
	step ufw logging high
	step ufw status numbered
	step ufw reload
	step ufw --force delete 2
	step ufw disable
}

do_fail2ban() {
	mkdir -p /run/fail2ban
	: >/var/log/auth.log
	cat >/etc/fail2ban/jail.d/zz.local <<-'JAIL'
		[DEFAULT]
		banaction = iptables-multiport
		banaction_allports = iptables-allports
		backend = polling
		[sshd]
		enabled = true
		logpath = /var/log/auth.log
		[all]
		enabled = true
		filter = sshd
		logpath = /var/log/auth.log
		banaction = iptables-allports
		[ipset]
		enabled = true
		filter = sshd
		logpath = /var/log/auth.log
		banaction = iptables-ipset-proto6
	JAIL
	fail2ban-server -b --logtarget /var/log/fail2ban.log >/dev/null
	until_it_says pong fail2ban-client ping
	# A thread of its own does what is to be done, after the answer.
	known() { iptables-save; ip6tables-save; ipset save; }
	for jail in sshd all ipset; do
		fail2ban-client set $jail banip 192.0.2.5
		until_it_says "f2b-$jail.* 192.0.2.5" known
		fail2ban-client set $jail banip 192.0.2.6 2001:db8::5
		until_it_says "f2b-$jail.* 192.0.2.6" known
		until_it_says "f2b-$jail.* 2001:db8::5" known
		step fail2ban-client status $jail
		fail2ban-client set $jail unbanip 192.0.2.5
		while known | grep -q "f2b-$jail.* 192.0.2.5"; do sleep 0.5; done
		step fail2ban-client status $jail
	done
	step fail2ban-client stop
	until_it_says 'Is fail2ban running' fail2ban-client ping
	tables
}

do_firewalld() {
	sed -i 's/^FirewallBackend=.*/FirewallBackend=iptables/' /etc/firewalld/firewalld.conf
	mkdir -p /run/dbus
	rm -f /run/dbus/pid
	dbus-daemon --system --fork --print-pid=3 3>/run/bus.pid
	firewalld --nofork >/var/log/firewalld.out 2>&1 &
	daemon=$!
	until_it_says '^running' firewall-cmd --state
	step firewall-cmd --add-service=http
	step firewall-cmd --add-port=5000-5010/udp
	step firewall-cmd --zone=external --change-interface=lo
	step firewall-cmd --zone=external --add-forward-port=port=8080:proto=tcp:toport=80:toaddr=192.0.2.9
	step firewall-cmd --add-rich-rule='rule family=ipv4 source address=192.0.2.0/24 service name=ssh log prefix="ssh " limit value=3/m reject'
	step firewall-cmd --zone=internal --add-source=2001:db8::/32
	step firewall-cmd --panic-on
	step firewall-cmd --panic-off
	step firewall-cmd --set-log-denied=all
	step firewall-cmd --reload
	kill $daemon
	wait $daemon || :
	kill $(cat /run/bus.pid)
	tables
	grep -E 'ERROR|WARNING' /var/log/firewalld.out | sed 's/^[0-9 :-]*//' || :
}

do_ferm() {
	cat >/etc/ferm/ferm.conf <<-'FERM'
		domain (ip ip6) {
			table filter {
				chain INPUT {
					policy DROP;
					mod state state INVALID DROP;
					mod state state (ESTABLISHED RELATED) ACCEPT;
					interface lo ACCEPT;
					proto tcp dport (ssh http https) ACCEPT;
					mod limit limit 3/minute LOG log-prefix "ferm ";
				}
				chain FORWARD { policy DROP; jump forwards; }
				chain forwards proto tcp dport 1024:2048 REJECT reject-with tcp-reset;
			}
		}
		domain ip table nat {
			chain POSTROUTING outerface eth0 saddr 10.0.0.0/8 MASQUERADE;
			chain PREROUTING proto tcp dport 8080 DNAT to 10.0.0.2:80;
		}
		domain ip table mangle chain FORWARD proto tcp tcp-flags (SYN RST) SYN TCPMSS clamp-mss-to-pmtu;
	FERM
	step ferm /etc/ferm/ferm.conf
	step ferm --flush /etc/ferm/ferm.conf
}

do_shorewall() {
	: >/var/log/messages
	for name in eth0 eth1; do ip link add $name type dummy; done
	ip addr add 192.0.2.1/24 dev eth0
	ip addr add 10.0.0.1/8 dev eth1
	ip addr add 2001:db8::1/64 dev eth0
	for name in eth0 eth1; do ip link set $name up; done
	for family in '' 6; do
		cd /etc/shorewall$family
		ip=ipv${family:-4}
		sed -i 's/^STARTUP_ENABLED=.*/STARTUP_ENABLED=Yes/' shorewall$family.conf
		printf '%s\n' 'fw firewall' "net $ip" "loc $ip" >zones
		printf '%s\n' '?FORMAT 2' 'net eth0 tcpflags' 'loc eth1 tcpflags' >interfaces
		printf '%s\n' 'loc net ACCEPT' '$FW all ACCEPT' 'net all DROP info' 'all all REJECT info' >policy
		printf '%s\n' '?SECTION NEW' 'Invalid(DROP) net all tcp' 'SSH(ACCEPT) loc $FW' 'Ping(ACCEPT) all $FW' \
			'ACCEPT net $FW tcp 8000:8010 - - s:1/min:3' >rules
	done
	echo 'DNAT net loc:10.0.0.5 tcp 80' >>/etc/shorewall/rules
	echo 'MASQUERADE 10.0.0.0/8 eth0' >/etc/shorewall/snat
	# It asks for each match and target by trying it.
	step shorewall show -f capabilities
	step shorewall6 show -f capabilities
	step shorewall start
	step shorewall6 start
	step shorewall drop 192.0.2.7
	step shorewall reload
	step shorewall6 stop
	step shorewall clear
}

do_docker() {
	ip addr add 192.0.2.1/32 dev lo
	# The root is an initramfs, where no container can pivot_root.
	export DOCKER_RAMDISK=1
	dockerd --storage-driver vfs --userland-proxy=false >/var/log/docker.out 2>&1 &
	daemon=$!
	trap 'kill $daemon; wait $daemon || :' EXIT
	until_it_says '^[0-9]' docker version --format '{{.Server.Version}}'
	tables
	step docker network create --subnet 172.30.0.0/24 -o com.docker.network.bridge.name=outside outside
	step docker network create --subnet 172.31.0.0/24 -o com.docker.network.bridge.name=inside --internal inside
	tar -C /usr -c bin/busybox | docker import - box
	step docker run -d --name web --network outside --ip 172.30.0.9 -p 8080:80 -p 192.0.2.1:53:53/udp \
		box /bin/busybox sleep 100000
	step docker run -d --name db --network inside --ip 172.31.0.9 box /bin/busybox sleep 100000
	step docker network connect --ip 172.31.0.10 inside web
	step docker rm -f web db
	step docker network rm outside inside
	trap - EXIT
	kill $daemon
	wait $daemon || :
	tables
}

do_$1
END

echo "programs='$programs'" >"$work/script"
cat >>"$work/script" <<'END'
set -eu
dmesg -n 1
# The root of a mount, as containers want to find it.
mount --bind /debian /debian
for folder in proc sys dev lib/modules; do mkdir -p /debian/$folder; mount --bind /$folder /debian/$folder; done
for name in iptables ip6tables; do chroot /debian /usr/bin/update-alternatives --quiet --set $name /usr/sbin/$name-legacy; done
mount -t cgroup2 cgroup /debian/sys/fs/cgroup
cp -a /debian/etc /debian.etc
cp -a /debian/var/lib /debian.var
# What is another one each time: the date of Shorewall's list, the names of two chains,
# and the numbers by which Docker calls what it has made.
made_up='s/^(# Shorewall6? .* capabilities) - .*/\1/; s/sha-([lr]h)-[0-9a-f]{20}/sha-\1/g; s/^(sha256:)?[0-9a-f]{64}$/number/'
# Each program finds its files as they were installed.
record() {
	for program in $programs; do
		echo "@@@ $program"
		{ unshare -nm chroot /debian bash /steps $program 2>&1 || echo "status $?"; } | sed -E "$made_up"
		rm -rf /debian/etc /debian/var/lib
		cp -a /debian.etc /debian/etc
		cp -a /debian.var /debian/var/lib
		rm -rf /debian/run/*
	done
}
. compare
compare record
status=0
# Each has done its work: so many rules, one step with another.
for program in $programs; do
	sed -n "/^@@@ $program\$/,/^@@@/p" /tmp/bpfilter >/tmp/program
	rules=$(grep -c '^-A' /tmp/program || :)
	echo "figure: $program: $(grep -c '^==' /tmp/program) steps, $rules rules"
	if [ $rules -eq 0 ] || grep -q '^status' /tmp/program; then
		status=1
		echo "$program did not work"
		grep -v '^-A\|^:' /tmp/program | head -n 40
	fi
done
exit $status
END
$BOOT --memory 4096 --cpio "$debian" --add "$work/steps=debian/steps" "$work/script"
