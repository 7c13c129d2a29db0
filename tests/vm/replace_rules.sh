#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The rules of REPLACE that bpfilter keeps are those of the ip_tables of the
# kernel that it is built for; the unit tests ask the kernel of this machine.
#
# kernel: iptables
# where: host
# timeout: 600

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The guest has no libc.
RUSTFLAGS='-C target-feature=+crt-static' cargo build --quiet --release --package bpfilter-tests \
	--bin rawclient --target x86_64-unknown-linux-gnu
target=${CARGO_TARGET_DIR:-target}

cat >"$work/script" <<'EOF'
serve ip_tables
/rawclient rules
EOF
$BOOT --add "$target/x86_64-unknown-linux-gnu/release/rawclient=/rawclient" "$work/script"
