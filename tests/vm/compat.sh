#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# 32-bit programs: their structures are taken and given as ip_tables does, after the range
# and the permission.
#
# kernel: y m debug
# stock: no, Debian's kernels are without NETFILTER_XTABLES_COMPAT: ip_tables does not serve them there either

# Where entries begin behind the heads of GET_ENTRIES and REPLACE: they are aligned as a
# u64 is, to 4 on i386 and to 8 elsewhere.
case $(uname -m) in
x86_64) get_entries=36 replace=92 ;;
*) get_entries=40 replace=96 ;;
esac

sockopt32 expect 0 get 64 84
sockopt32 expect ENOENT get 66 30 "no such match"
sockopt32 expect ENOENT get 67 30 "no such target"
sockopt32 expect EINVAL get 65 $((get_entries - 1))
sockopt32 expect EAGAIN get 65 $get_entries
sockopt32 expect EINVAL set 64 $((replace - 1))
sockopt32 expect EINVAL set 64 $replace
sockopt32 expect EINVAL set 65 $get_entries
sockopt32 expect ENOPROTOOPT get 68 84
sockopt32 hammer 4 400
su -s /bin/sh nobody -c "sockopt32 expect EPERM set 64 724"

# Since 7.3 they are not served in user namespaces of their own.
case $(uname -r) in
6.* | 7.[0-2][.-]*) own=0 ;;
*) own=EPERM ;;
esac
su -s /bin/sh nobody -c "unshare -U -r -n sockopt32 expect $own get 64 84"
su -s /bin/sh nobody -c "unshare -U -r -n sockopt expect 0 get 64 84"
