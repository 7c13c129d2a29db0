// SPDX-License-Identifier: GPL-2.0-only
//! esp and ah: the security parameter index of IPsec (xt_esp.c, ipt_ah.c).

use super::{Extension, Families, Rule};
use crate::abi::{Family, layout};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{CutOff, Draft, Field, Payload, Test, Transport};

layout! {
    /// `struct xt_esp` and `struct ipt_ah`.
    Spi: 12 {
        /// First and last index.
        spis: [u32; 2],
        /// `INV`.
        invert: u8,
        /// Padding.
        pad: [u8; 3],
    }
}

/// Inverts.
pub const INV: u8 = 0x01;

pub(super) const EXTENSIONS: [Extension; 2] = [
    Extension {
        protocol: 50,
        check,
        lower: esp,
        ..Extension::matching::<Spi>("esp")
    },
    Extension {
        // That of IPv6 asks for more.
        families: Families::Only(Family::Ipv4),
        protocol: 51,
        check,
        lower: ah,
        ..Extension::matching::<Spi>("ah")
    },
];

fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let spi = refer::<Spi>(data)?;
    if spi.invert & !INV != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// esp_mt
fn esp(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    lower(draft, data, 0)
}

/// ah_mt
fn ah(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    lower(draft, data, 4)
}

/// The index lies `offset` bytes into the header.
fn lower(draft: &mut Draft<'_, '_>, data: &[u8], offset: u32) -> Result<()> {
    let spi = refer::<Spi>(data)?;
    let [first, last] = spi.spis;
    draft.transport(Transport::Whole);
    draft.payload_word(Payload::Transport, offset, CutOff::Fails);
    draft.detail_field(Test::between(Field::Found, first, last).invert_if(spi.invert != 0));
    Ok(())
}
