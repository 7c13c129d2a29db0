// SPDX-License-Identifier: GPL-2.0-only
//! tos: the type of service, masked (xt_dscp.c).
//!
//! Whether an inversion flag above 1 is refused is for x_tables' own to say, where
//! there is one: since Linux 7.3 it is.

use super::Extension;
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{Draft, Field, Test};

layout! {
    /// `struct xt_tos_match_info`.
    Tos: 3 {
        /// The bits that count.
        mask: u8,
        /// What the masked field must be.
        value: u8,
        /// Nonzero inverts.
        invert: u8,
    }
}

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    revision: 1,
    lower,
    leaves: |data| refer::<Tos>(data).is_ok_and(|tos| tos.invert > 1),
    ..Extension::matching::<Tos>("tos")
}];

/// tos_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let tos = refer::<Tos>(data)?;
    let test = Test::equal(Field::Tos, tos.mask.into(), tos.value.into());
    draft.require(test.invert_if(tos.invert != 0));
    Ok(())
}
