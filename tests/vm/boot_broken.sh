#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A kernel image whose helper does not work: where the policy is to drop nothing
# passes, and the log says once why; without one packets pass, as ever.
#
# kernel: ybroken
# where: host

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/drops" <<'END'
set -eu
if ping -c 2 -W 1 127.0.0.1 >/dev/null; then exit 1; fi
[ "$(dmesg | grep -c 'bpfilter: no helper (errno 14): packets meet the policies')" = 1 ]
sockopt expect EFAULT get 64 84
if ping -c 1 -W 1 127.0.0.1 >/dev/null; then exit 1; fi
END
$BOOT --append bpfilter.policy=drop "$work/drops"

cat >"$work/passes" <<'END'
set -eu
ping -c 1 -W 1 127.0.0.1 >/dev/null
sockopt expect ENOPROTOOPT get 64 84
END
$BOOT "$work/passes"
