// SPDX-License-Identifier: GPL-2.0-only
//! mac: the Ethernet source address (xt_mac.c).

use super::{Extension, Features};
use crate::abi::layout;
use crate::table::Hook;

layout! {
    /// `struct xt_mac_info`.
    Mac: 12 {
        /// The address.
        source: [u8; 6],
        /// Padding.
        pad: [u8; 2],
        /// Nonzero inverts.
        invert: u32,
    }
}

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    // PREROUTING too, which no rule of this table is reached from.
    hooks: (Hook::LocalIn.mask() | Hook::Forward.mask() | 1) as u8,
    needs: Features::LINK_LAYER,
    ..Extension::matching::<Mac>("mac")
}];
