// SPDX-License-Identifier: GPL-2.0-only
//! mark: the packet's mark (xt_mark.c).

use super::{Extension, Families};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{Draft, Field, Test};

layout! {
    /// `struct xt_mark_mtinfo1`.
    Mark: 12 {
        /// What the masked mark must be.
        mark: u32,
        /// The bits that count.
        mask: u32,
        /// Nonzero inverts.
        invert: u8,
        /// Padding.
        pad: [u8; 3],
    }
}

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    revision: 1,
    families: Families::All,
    lower,
    ..Extension::matching::<Mark>("mark")
}];

/// mark_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let mark = refer::<Mark>(data)?;
    let test = Test::equal(Field::Mark, mark.mask, mark.mark);
    draft.require_unless(test, u32::from(mark.invert));
    Ok(())
}
