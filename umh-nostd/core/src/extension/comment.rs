// SPDX-License-Identifier: GPL-2.0-only
//! comment: matches everything, says why (xt_comment.c).

use super::{Extension, Family};

/// The data is the comment, `XT_MAX_COMMENT_LEN` bytes; nobody reads them.
pub(super) static EXTENSIONS: [Extension; 1] = [Extension {
    family: Family::Any,
    ..Extension::matching::<[u8; 256]>("comment")
}];
