// SPDX-License-Identifier: GPL-2.0-only
//! statistic: packets by chance, or each so many-th (xt_statistic.c).

use core::mem::offset_of;

use super::{Extension, Families, Rule};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::Draft;

layout! {
    /// `struct xt_statistic_info`.
    Statistic: 24 {
        /// `RANDOM` or `NTH`.
        mode: u16,
        /// `INVERT`.
        flags: u16,
        /// The chance in 2^31; or one less than how many packets go by for
        /// each that matches.
        chance_or_every: u32,
        /// Of iptables alone.
        packet: u32,
        /// How many packets have gone by at the start.
        count: u32,
        /// Private.
        master: u64,
    }
}

/// By chance.
pub const RANDOM: u16 = 0;
/// By counting.
pub const NTH: u16 = 1;
/// Inverts.
pub const INVERT: u16 = 0x1;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    user_size: offset_of!(Statistic, master) as u16,
    check,
    lower,
    ..Extension::matching::<Statistic>("statistic")
}];

fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let statistic = refer::<Statistic>(data)?;
    if statistic.mode > NTH || statistic.flags & !INVERT != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// statistic_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let statistic = refer::<Statistic>(data)?;
    let invert = statistic.flags & INVERT != 0;
    if statistic.mode == NTH {
        return draft.nth(statistic.chance_or_every, statistic.count, invert);
    }
    draft.random(statistic.chance_or_every, invert);
    Ok(())
}
