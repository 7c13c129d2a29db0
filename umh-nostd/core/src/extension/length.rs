// SPDX-License-Identifier: GPL-2.0-only
//! length: the packet's length (xt_length.c).

use super::Extension;
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{Draft, Field, Test};

layout! {
    /// `struct xt_length_info`.
    Length: 6 {
        /// Least bytes.
        min: u16,
        /// Most bytes.
        max: u16,
        /// Nonzero inverts.
        invert: u8,
        /// Padding.
        pad: u8,
    }
}

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    lower,
    ..Extension::matching::<Length>("length")
}];

/// length_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let length = refer::<Length>(data)?;
    let test = Test::between(Field::Length, length.min.into(), length.max.into());
    draft.require_unless(test, u32::from(length.invert));
    Ok(())
}
