// SPDX-License-Identifier: GPL-2.0-only
//! tos: the type of service, masked (xt_dscp.c).

use super::Extension;
use crate::abi::layout;

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

pub(super) static EXTENSIONS: [Extension; 1] = [Extension {
    revision: 1,
    ..Extension::matching::<Tos>("tos")
}];
