// SPDX-License-Identifier: GPL-2.0-only
//! connmark: the mark of the packet's connection (xt_connmark.c).

use super::mark::Mark;
use super::{Extension, Families};
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{CT_PRESENT, Draft, Field, Test};
use crate::target::Features;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    revision: 1,
    families: Families::All,
    needs: Features::CONNECTION_MARKS.with(Features::CONNTRACK),
    lower,
    // `struct xt_connmark_mtinfo1` is laid out as xt_mark_mtinfo1.
    ..Extension::matching::<Mark>("connmark")
}];

/// connmark_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let mark = refer::<Mark>(data)?;
    draft.require(Test::any_of(Field::Connection, CT_PRESENT));
    let test = Test::equal(Field::ConnMark, mark.mask, mark.mark);
    draft.require_unless(test, u32::from(mark.invert));
    Ok(())
}
