#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The options that the log names for matches and targets which a kernel has not got are
# options of the kernel: one of a distribution has all of them.
#
# kernel: debian-6.12 debian-7.3
# where: host

source=umh-nostd/core/src/extension/options.rs

# A list of names, each behind a prefix in capitals.
listed() { # CONST PREFIX
	local names name
	names=$(sed -n "/^const $1: &str/,/\";\$/p" $source | tr -d '\\\n' | sed 's/[^"]*"\([^"]*\)".*/\1/')
	for name in $names; do echo "$2${name^^}"; done
}
# Names with an option of their own, that may be behind IP or IP6.
others() {
	local option
	sed -n '/^const OTHERS/,/^];/s/^ *("[A-Za-z0-9]*", "\([A-Z0-9_]*\)"),$/\1/p' $source | while read -r option; do
		case $option in _*) echo "IP$option"; echo "IP6$option" ;; *) echo "$option" ;; esac
	done
}
options() { listed MATCHES NETFILTER_XT_MATCH_; listed TARGETS NETFILTER_XT_TARGET_; others; }

number=$(options | wc -l)
[ "$number" -gt 90 ] || { echo "only $number options found in $source"; exit 1; }
missing=$(options | while read -r option; do
	# A kernel for virtual machines may have no LEDs at all.
	[ "$option" != NETFILTER_XT_TARGET_LED ] || ! grep -qx '# CONFIG_NEW_LEDS is not set' "$KERNEL/config" || continue
	grep -qE "^CONFIG_$option=[ym]$" "$KERNEL/config" || echo "no CONFIG_$option"
done)
[ -z "$missing" ] || { echo "$missing"; exit 1; }
