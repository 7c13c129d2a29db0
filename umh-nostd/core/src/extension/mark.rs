// SPDX-License-Identifier: GPL-2.0-only
//! mark and MARK: the packet's mark (xt_mark.c).

use super::{Extension, function};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{Draft, Field, Test, kind};
use crate::target::Features;

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

    /// `struct xt_mark_tginfo2`.
    SetMark: 8 {
        /// The bits to flip.
        mark: u32,
        /// The bits to clear before that.
        mask: u32,
    }
}

pub(super) const EXTENSIONS: [Extension; 2] = [
    Extension {
        revision: 1,
        family: None,
        lower,
        ..Extension::matching::<Mark>("mark")
    },
    Extension {
        revision: 2,
        needs: Features::MARK,
        lower: function::<{ kind::MARK }>,
        ..Extension::target::<SetMark>("MARK")
    },
];

/// mark_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let mark = refer::<Mark>(data)?;
    let test = Test::equal(Field::Mark, mark.mask, mark.mark);
    draft.require_unless(test, u32::from(mark.invert));
    Ok(())
}
