// SPDX-License-Identifier: GPL-2.0-only
//! length: the packet's length (xt_length.c).

use super::Extension;
use crate::abi::layout;

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

pub(super) static EXTENSIONS: [Extension; 1] = [Extension::matching::<Length>("length")];
