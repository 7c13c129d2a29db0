// SPDX-License-Identifier: GPL-2.0-only
//! quota: as many bytes as there are (xt_quota.c).

use core::mem::offset_of;

use super::{Extension, Families, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::Draft;

layout! {
    /// `struct xt_quota_info`.
    Quota: 24 {
        /// `INVERT`.
        flags: u32,
        /// Padding.
        pad: u32,
        /// Bytes that may pass.
        quota: u64,
        /// Private.
        master: u64,
    }
}

/// Inverts.
pub const INVERT: u32 = 0x1;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    user_size: offset_of!(Quota, master) as u16,
    check,
    lower,
    ..Extension::matching::<Quota>("quota")
}];

fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let quota = refer::<Quota>(data)?;
    if quota.flags & !INVERT != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// quota_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let quota = refer::<Quota>(data)?;
    draft.quota(quota.quota, quota.flags & INVERT != 0)
}
