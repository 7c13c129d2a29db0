#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Debian's packages: on a Debian 13 that has nothing of ours bpfilter-dkms is installed,
# builds its module by DKMS, loads, takes Docker's rules, and is removed without a
# trace; bpfilter-run is there and says what it is.
#
# kernel: debian-6.12
# where: host
# set: all
# timeout: 300

cd "$(dirname "$0")/../.."
root=$(mktemp -d)
work=$(mktemp -d)
cleanup() {
	umount "$root/proc" 2>/dev/null || true
	rm -rf "$root" "$work"
}
trap cleanup EXIT
release=$(cat "$KERNEL/release")

# As installed there, with headers for the guest's kernel. mmdebstrap has sh write to the
# next free descriptor, and sh knows one digit.
mmdebstrap --mode=root --variant=apt --dpkgopt=force-confold --aptopt='Apt::Install-Recommends "false"' \
	--essential-hook='mkdir -p "$1/etc/initramfs-tools"; echo update_initramfs=no >"$1/etc/initramfs-tools/update-initramfs.conf"' \
	--include="dkms,gcc-14,make,iptables,linux-headers-$release" trixie "$root" >"$work/log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- ||
	{ tail -n 20 "$work/log"; exit 1; }
mapfile -t packages < <(packaging/deb/build "$work")
cp "${packages[@]}" "$root/tmp/"
mount -t proc proc "$root/proc"

# An earlier version had its lines for modprobe in /etc, where they would come first.
old=$work/old
mkdir -p "$old/DEBIAN" "$old/etc/modprobe.d"
printf '%s\n' 'Package: bpfilter-dkms' 'Version: 0' "Architecture: $(dpkg --print-architecture)" 'Maintainer: nobody' 'Description: of before' >"$old/DEBIAN/control"
echo /etc/modprobe.d/bpfilter.conf | tee "$old/DEBIAN/conffiles" >"$old/etc/modprobe.d/bpfilter.conf"
dpkg-deb --root-owner-group --build "$old" "$root/old.deb"
chroot "$root" dpkg -i /old.deb
[ -f "$root/etc/modprobe.d/bpfilter.conf" ]
chroot "$root" sh -c 'dpkg -i /tmp/*.deb' || { cat "$root"/var/lib/dkms/bpfilter/*/build/make.log; exit 1; }
chroot "$root" dkms status | tee "$work/status"
grep -q "^bpfilter/.*$release.*installed" "$work/status"
[ ! -e "$root/etc/modprobe.d/bpfilter.conf" ]
chroot "$root" bpfilter-run --help | grep -q -- --umh
module=$(find "$root/lib/modules/$release" -name 'bpfilter.ko*')
case $module in
*.xz) xz -dc "$module" >"$work/bpfilter.ko" ;;
*) cp "$module" "$work/bpfilter.ko" ;;
esac
# What iptables asks modprobe for is bpfilter.
chroot "$root" modprobe -n -v -S "$release" ip_tables | tee "$work/asked"
grep -q 'modprobe -q bpfilter' "$work/asked"

cat >"$work/script" <<'END'
set -eu
rmmod bpfilter
insmod /root/bpfilter.ko
iptables-restore </root/docker.rules
iptables-save -t nat | grep -q DOCKER
iptables-save -t filter | grep -q DOCKER
for table in $TABLES; do iptables -t $table -F; iptables -t $table -X; done
rmmod bpfilter
END
$BOOT --add "$work/bpfilter.ko=root/bpfilter.ko" --add tests/vm/rulesets/docker.rules=root/docker.rules "$work/script"

# Where there is none, as on a kernel that DKMS has built nothing for, it is ip_tables.
other=$(sed -n 's,^install ip_tables /sbin/modprobe -q bpfilter,false,; s/--ignore-install ip_tables$/-n -v -S RELEASE &/p' "$root/usr/lib/modprobe.d/bpfilter.conf")
chroot "$root" sh -c "${other/RELEASE/"$release"}" | tee "$work/asked"
grep -q '^insmod .*/ip_tables.ko' "$work/asked"

# Removed, not purged: nothing of it is in force any more.
chroot "$root" dpkg --remove bpfilter-dkms bpfilter-run
[ -z "$(find "$root/lib/modules/$release" "$root/usr/src" "$root/var/lib/dkms" "$root/etc" "$root/usr/lib/modprobe.d" -name 'bpfilter*')" ]
