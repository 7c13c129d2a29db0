// SPDX-License-Identifier: GPL-2.0-only
//! hl: the hop limit (xt_hl.c), which is to IPv6 what the time to live is to IPv4.

use super::ttl::{Ttl, check, lower, mode_is_unknown};
use super::{Extension, Families};
use crate::abi::Family;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::Only(Family::Ipv6),
    check,
    lower,
    leaves: mode_is_unknown,
    ..Extension::matching::<Ttl>("hl")
}];
