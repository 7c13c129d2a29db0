// SPDX-License-Identifier: GPL-2.0-only
//! icmp6: type and code of ICMPv6 (xt_tcpudp.c), asked as those of ICMP are.

use super::icmp::{Icmp, check, lower};
use super::{Extension, Families};
use crate::abi::Family;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::Only(Family::Ipv6),
    protocol: 58,
    check,
    lower,
    ..Extension::matching::<Icmp>("icmp6")
}];
