// SPDX-License-Identifier: GPL-2.0-only
//! iprange: addresses from one to another (xt_iprange.c).

use super::Extension;
use crate::abi::layout;

layout! {
    /// `struct xt_iprange_mtinfo`. An IPv4 address is in network order at
    /// the start of its field.
    IpRange: 68 {
        /// First source address.
        source_min: [u8; 16],
        /// Last source address.
        source_max: [u8; 16],
        /// First destination address.
        destination_min: [u8; 16],
        /// Last destination address.
        destination_max: [u8; 16],
        /// `SOURCE` and the others.
        flags: u8,
        /// Padding.
        pad: [u8; 3],
    }
}

/// Asks for the source.
pub const SOURCE: u8 = 0x01;
/// Asks for the destination.
pub const DESTINATION: u8 = 0x02;
/// Inverts the source.
pub const INV_SOURCE: u8 = 0x10;
/// Inverts the destination.
pub const INV_DESTINATION: u8 = 0x20;

pub(super) static EXTENSIONS: [Extension; 1] = [Extension {
    revision: 1,
    ..Extension::matching::<IpRange>("iprange")
}];
