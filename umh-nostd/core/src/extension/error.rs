// SPDX-License-Identifier: GPL-2.0-only
//! The ERROR target: heads of user-defined chains, and the table's end.

use super::Extension;

/// `XT_ERROR_TARGET`.
pub const NAME: &str = "ERROR";

/// The data is the chain's name, `XT_FUNCTION_MAXNAMELEN` bytes; that it has
/// a NUL has been checked with the entry's offsets.
pub(super) const EXTENSIONS: [Extension; 1] = [Extension::target::<[u8; 30]>(NAME)];
