// SPDX-License-Identifier: GPL-2.0-only
//! pkttype: unicast, broadcast, multicast (xt_pkttype.c).

use super::{Extension, Family};
use crate::abi::layout;

layout! {
    /// `struct xt_pkttype_info`.
    PktType: 8 {
        /// `PACKET_*`.
        kind: u32,
        /// Nonzero inverts.
        invert: u32,
    }
}

pub(super) static EXTENSIONS: [Extension; 1] = [Extension {
    family: Family::Any,
    ..Extension::matching::<PktType>("pkttype")
}];
