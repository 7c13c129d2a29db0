// SPDX-License-Identifier: GPL-2.0-only
//! mark: the packet's mark (xt_mark.c).

use super::{Extension, Family};
use crate::abi::layout;

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

pub(super) static EXTENSIONS: [Extension; 1] = [Extension {
    revision: 1,
    family: Family::Any,
    ..Extension::matching::<Mark>("mark")
}];
