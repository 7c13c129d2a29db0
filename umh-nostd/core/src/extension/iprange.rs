// SPDX-License-Identifier: GPL-2.0-only
//! iprange: addresses from one to another (xt_iprange.c).

use super::{Extension, Families};
use crate::abi::{Family, layout};
use crate::bytes::{read, refer};
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Field, Test};

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

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::Only(Family::Ipv4),
    revision: 1,
    lower,
    ..Extension::matching::<IpRange>("iprange")
}];

/// iprange_mt4
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let range = refer::<IpRange>(data)?;
    let asked = |flag| range.flags & flag != 0;
    if asked(SOURCE) {
        let test = between(Field::Source, &range.source_min, &range.source_max)?;
        draft.require(test.invert_if(asked(INV_SOURCE)));
    }
    if asked(DESTINATION) {
        let test = between(
            Field::Destination,
            &range.destination_min,
            &range.destination_max,
        )?;
        draft.require(test.invert_if(asked(INV_DESTINATION)));
    }
    Ok(())
}

fn between(field: Field, min: &[u8; 16], max: &[u8; 16]) -> Result<Test> {
    let [min, max] = [min, max].map(|address| read(address, 0).map(u32::from_be_bytes));
    Ok(Test::between(
        field,
        min.ok_or(Errno::EINVAL)?,
        max.ok_or(Errno::EINVAL)?,
    ))
}
