// SPDX-License-Identifier: GPL-2.0-only
//! mac: the Ethernet source address (xt_mac.c).

use super::Extension;
use crate::abi::{Hook, layout};
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{Draft, Field, MAC_PRESENT, Test};
use crate::target::Features;

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
    hooks: (Hook::PreRouting.mask() | Hook::LocalIn.mask() | Hook::Forward.mask()) as u8,
    needs: Features::LINK_LAYER,
    lower,
    ..Extension::matching::<Mac>("mac")
}];

/// mac_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let mac = refer::<Mac>(data)?;
    let [a, b, c, d, e, f] = mac.source;
    let first = u32::from_ne_bytes([a, b, c, d]);
    let last = MAC_PRESENT | u32::from(u16::from_ne_bytes([e, f]));
    let first = Test::equal(Field::MacFirst, u32::MAX, first);
    let last = Test::equal(Field::MacLast, u32::MAX, last);
    let present = Test::any_of(Field::MacLast, MAC_PRESENT);
    match mac.invert {
        0 => {
            draft.require(first);
            draft.require(last);
        }
        1 => {
            draft.require(present);
            draft.not_all(|draft| {
                draft.detail_field(first);
                draft.detail_field(last);
            });
        }
        // The kernel xors the result, 0 or 1, with this number: from 2 on the
        // match holds whatever the result.
        _ => draft.require(present),
    }
    Ok(())
}
