// SPDX-License-Identifier: GPL-2.0-only
//! helper: connections that a helper of connection tracking expected, such as
//! the data connections of FTP (xt_helper.c).

use core::mem::offset_of;

use super::{Extension, Families};
use crate::abi::xt::Helper;
use crate::bytes::refer;
use crate::errno::Result;
use crate::ir::{Draft, kind};
use crate::target::Features;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    user_size: offset_of!(Helper, nul) as u16,
    needs: Features::CONNTRACK.with(Features::CONNECTION_EXTRAS),
    lower,
    ..Extension::matching::<Helper>("helper")
}];

/// helper_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let helper = refer::<Helper>(data)?;
    draft.uses_connection();
    draft.question(kind::HELPER, data, helper.invert != 0);
    Ok(())
}
