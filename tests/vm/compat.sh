#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# 32-bit programs: what has one layout is served, what has another is refused,
# after the range and the permission.
#
# kernel: y m debug

sockopt32 expect 0 get 64 84
sockopt32 expect ENOENT get 66 30 "no such match"
sockopt32 expect ENOENT get 67 30 "no such target"
sockopt32 expect EOPNOTSUPP get 65 672
sockopt32 expect EOPNOTSUPP set 64 724
sockopt32 expect EOPNOTSUPP set 65 100
sockopt32 expect ENOPROTOOPT get 68 84
sockopt32 hammer 4 400
su -s /bin/sh nobody -c "sockopt32 expect EPERM set 64 724"
