// SPDX-License-Identifier: GPL-2.0-only
//! comment: matches everything, says why (xt_comment.c).

use super::{Extension, Families};
use crate::errno::Result;
use crate::ir::Draft;

/// The data is the comment, `XT_MAX_COMMENT_LEN` bytes; nobody reads them.
pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    lower,
    ..Extension::matching::<[u8; 256]>("comment")
}];

fn lower(_: &mut Draft<'_, '_>, _: &[u8]) -> Result<()> {
    Ok(())
}
