#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# `iptables-save` without -t finds the table by itself, through
# /proc/net/ip_tables_names.
#
# kernel: y m debug

iptables -S >/dev/null # on m: the first use loads the module
grep -qx filter /proc/net/ip_tables_names

iptables-save | grep -v '^#' >/tmp/out
printf '%s\n' '*filter' ':INPUT ACCEPT [0:0]' ':FORWARD ACCEPT [0:0]' ':OUTPUT ACCEPT [0:0]' COMMIT | diff - /tmp/out
