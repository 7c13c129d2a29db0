#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The test suite of iptables itself, from Debian's source package: its shell scripts and
# .t files pass with bpfilter, but for those that upstream.expected lists with the
# reason. A test that fails and is not there, or is there and passes, fails this one. In
# full size the kernel's own ip_tables is held to the same list before.
#
# kernel: debian-6.12
# where: host
# timeout: 600

set -o pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The version of the suite is that of the programs that run in it: both of one Debian.
suite=bookworm
sides="${FULL:+ip_tables }bpfilter"
# What is left out is for nftables' iptables alone, and says so and ends with legacy.
scripts='chain firewalld-restore ip6tables ipt-restore ipt-save iptables'
extensions='iptables libipt_ libip6t_ libxt_'

# --- What the guest gets: a Debian with the programs, and upstream's files -----

debian=$(vm/debian $suite iptables nftables python3-minimal libpam-modules libpam-modules-bin netbase)
tarball=$(tools/debian-package --source iptables $suite 2>"$work/apt" | grep '\.orig\.tar') || { cat "$work/apt"; exit 1; }
upstream=$work/root/debian/upstream
mkdir -p "$work/source" "$upstream"
tar -C "$work/source" --strip-components=1 -xf "$tarball"
(
	cd "$work/source"
	# shellcheck disable=SC2086,SC2046 # lists
	cp --parents -r iptables-test.py iptables/tests/shell/run-tests.sh \
		$(printf 'iptables/tests/shell/testcases/%s\n' $scripts) $(printf '%s\n' $extensions | sed 's#.*#ls extensions/&*.t#' | sh) "$upstream"
)
(cd "$work/root" && find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet) >"$work/upstream.cpio"
n_files=$(find "$upstream/extensions" -name '*.t' | wc -l)
n_scripts=$(find "$upstream/iptables/tests/shell/testcases" -name '*_[0-9]' -executable | wc -l)

# --- There, by their own runners -----------------------------------------------

echo "sides='$sides'" >"$work/script"
cat >>"$work/script" <<'END'
set -eu
dmesg -n 1
for folder in proc sys dev; do mount --bind /$folder /debian/$folder; done
! grep -q '^bpfilter ' /proc/modules || rmmod bpfilter
for side in $sides; do
	cd /lib/modules/beside
	case $side in
	ip_tables) for name in ip_tables ip6_tables iptable_* ip6table_*; do insmod ${name%.ko}.ko; done ;;
	bpfilter) modprobe bpfilter ;;
	esac
	echo "@@@ $side"
	chroot /debian bash -c '
		export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C
		cd /upstream
		python3 iptables-test.py --legacy --host
		iptables/tests/shell/run-tests.sh --legacy --host' 2>&1 | cat
	case $side in
	ip_tables) for name in iptable_* ip6table_* ip6_tables ip_tables; do rmmod ${name%.ko}; done ;;
	bpfilter) pidof bpfilter_umh >/dev/null ;;
	esac
done
END
$BOOT --cpio "$debian" --cpio "$work/upstream.cpio" "$work/script" | sed 's/\x1b\[[0-9;]*[A-Za-z]//g; s/\r//g' >"$work/out" ||
	{ tail -n 20 "$work/out"; exit 1; }

# --- What failed, and what was to ------------------------------------------------

status=0
for side in $sides; do
	sed -n "/^@@@ $side\$/,/^@@@ /p" "$work/out" | sed '1d; /^@@@ /d' >"$work/side"
	# All of them have run.
	{ grep -q "^legacy: $n_files test files, " "$work/side" && grep -q "^I: legacy results: .*\[TOTAL\] $n_scripts\$" "$work/side"; } ||
		{ echo "$side: not all of $n_files files and $n_scripts scripts have run:"; tail -n 20 "$work/side"; exit 1; }
	{
		sed -nE 's#^extensions/(.*\.t): ERROR: line ([0-9]+) .*#\1:\2#p; s#^extensions/(.*\.t): OK but fast mode failed.*#\1:restore#p' "$work/side"
		sed -nE 's#^W: \[FAILED\] .*/testcases/([^:]*): .*#\1#p' "$work/side"
	} | LC_ALL=C sort -u >"$work/failed"
	awk -v side=$side '!/^#/ && ($1 == side || $1 == "both") { print $2 }' tests/vm/upstream.expected | LC_ALL=C sort -u >"$work/expected"
	echo "figure: $side: $(sed -n 's/^legacy: .* files, //p' "$work/side"); of $n_scripts scripts $(sed -n 's/^I: legacy results: \[OK\] \([0-9]*\).*/\1/p' "$work/side")"
	cmp -s "$work/expected" "$work/failed" || status=1
	LC_ALL=C comm -23 "$work/expected" "$work/failed" | sed "s/^/$side: expected to fail, and passes: /"
	LC_ALL=C comm -13 "$work/expected" "$work/failed" | while read -r name; do
		echo "$side: fails, and is not expected to: $name"
		grep -F -e "extensions/${name%:*}: ERROR: line ${name#*:} " -e "/$name: " "$work/side" || :
	done
done
exit $status
