// SPDX-License-Identifier: GPL-2.0-only
//! connbytes: how much a connection has transferred (xt_connbytes.c).

use super::{Extension, Families, Rule};
use crate::abi::xt::ConnBytes;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::{Draft, Untracked, kind};
use crate::target::Features;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    needs: Features::CONNTRACK
        .with(Features::CONNECTION_EXTRAS)
        .with(Features::ACCOUNTING),
    check,
    lower,
    ..Extension::matching::<ConnBytes>("connbytes")
}];

/// connbytes_mt_check
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let bytes = refer::<ConnBytes>(data)?;
    match bytes.what.max(bytes.direction) {
        ..=2 => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// connbytes_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    draft.connection(Untracked::Fails, |draft| {
        draft.question(kind::CONNBYTES, data, false);
    });
    Ok(())
}
