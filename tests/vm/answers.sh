#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# REJECT, LOG, NFLOG, MARK, CONNMARK and addrtype do what they do in ip_tables:
# the same rules, random ones and those of tests/rulesets, and packets leave the same answers, lines in the log and
# counters, to the byte, on this kernel, whose bpfilter is not loaded, and on
# those with bpfilter built in and as a module.
#
# kernel: iptables
# where: host
# timeout: 900

cd "$(dirname "$0")/../.."
target=x86_64-unknown-linux-gnu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The guest has no libraries that the agent could use.
RUSTFLAGS='-C target-feature=+crt-static' cargo build --quiet --release -p bpfilter-tests --bin packet-agent --target $target
agent=${CARGO_TARGET_DIR:-target}/$target/release/packet-agent

adds=(--add "$agent=/usr/bin/packet-agent")
# `owner` is not enforced yet.
for rules in $(grep -L -e '^# refused: ' -e ' -m owner ' tests/rulesets/*.rules); do adds+=(--add "$rules=/rulesets/$(basename "$rules")"); done

cat >"$work/script" <<'END'
set -eu
dmesg -n 1
if [ -n "${1:-}" ]; then echo /bin/false >/proc/sys/kernel/modprobe; fi
echo 1 >/proc/sys/net/netfilter/nf_log_all_netns
printf '%s\n' 'igmp 2' 'gre 47' 'esp 50' 'ah 51' >/etc/protocols
packet-agent answers 0 16 >/tmp/record
packet-agent rulesets /rulesets/* >>/tmp/record
# What is listed is what is served.
for target in CONNMARK LOG MARK NFLOG REJECT; do grep -qx $target /proc/net/ip_tables_targets; done
grep -qx addrtype /proc/net/ip_tables_matches
gzip -c /tmp/record | base64
END
record() { # KERNEL
	sed "1i set -- $([ "$1" = iptables ] && echo plain)" "$work/script" >"$work/$1.sh"
	vm/boot --kernel "$1" "${adds[@]}" "$work/$1.sh" >"$work/out" || { tail -n 20 "$work/out"; exit 1; }
	base64 -d "$work/out" | gunzip >"$work/$1"
}
record iptables
for kernel in y m; do
	record $kernel
	if ! diff -u "$work/iptables" "$work/$kernel" >"$work/diff"; then
		head -n 60 "$work/diff" | cut -c1-400
		exit 1
	fi
done
# Something must have happened.
for what in ' log ' ' lo ' ' tun0 4' '-j REJECT' '-j LOG' '-j MARK' '-j NFLOG' '-j CONNMARK' '-m addrtype'; do
	number=$(grep -c -e "$what" "$work/iptables") || { echo "nothing with '$what'"; exit 1; }
	echo "figure: $number lines with '$what'"
done
