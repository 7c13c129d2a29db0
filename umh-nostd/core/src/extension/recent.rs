// SPDX-License-Identifier: GPL-2.0-only
//! recent: addresses that were seen lately, in tables with names (xt_recent.c).
//!
//! Owns: the check, and what a table is made with. As in a kernel whose
//! module was given no parameters: 100 addresses in a table.
//!
//! A hit count above 32768 is refused: the kernel counts the times of an
//! address in 16 bits, and then reads in front of them.

use core::mem::offset_of;

use super::{Extension, Rule};
use crate::abi::layout;
use crate::bytes::{read, refer};
use crate::errno::{Errno, Result};
use crate::ir::named::Named;
use crate::ir::{Draft, recent};
use crate::target::Features;

layout! {
    /// `struct xt_recent_mtinfo`, and the start of the next revision.
    Recent: 212 {
        /// How long ago, 0 for ever.
        seconds: u32,
        /// How many times.
        hit_count: u32,
        /// `XT_RECENT_*`.
        check_set: u8,
        /// Inverts.
        invert: u8,
        /// The table's name.
        name: [u8; 200],
        /// `XT_RECENT_SOURCE` or `_DEST`.
        side: u8,
        /// Padding.
        pad: u8,
    }

    /// `struct xt_recent_mtinfo_v1`.
    Recent1: 228 {
        /// As before.
        recent: Recent,
        /// The bits of an address that count.
        mask: [u8; 16],
    }
}

/// `XT_RECENT_MAX_NSTAMPS`, for which the kernel says EINVAL.
const STAMPS_MAX: u32 = 65536;
/// Times of an address if no rule says how many.
const STAMPS: u32 = 32;

pub(super) static EXTENSIONS: [Extension; 2] = [
    Extension {
        needs: Features::TABLES,
        check,
        lower,
        names: Some(table),
        ..Extension::matching::<Recent>("recent")
    },
    Extension {
        revision: 1,
        needs: Features::TABLES,
        check,
        lower,
        names: Some(table),
        ..Extension::matching::<Recent1>("recent")
    },
];

/// recent_mt_check
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let info: &Recent = refer(data)?;
    let has = |bits| info.check_set & bits != 0;
    let one = recent::SET | recent::REMOVE | recent::CHECK | recent::UPDATE;
    let modified = info.seconds != 0 || info.hit_count != 0 || has(recent::TTL | recent::REAP);
    if has(!recent::ALL)
        || (info.check_set & one).count_ones() != 1
        || has(recent::SET | recent::REMOVE) && modified
        || has(recent::REAP) && info.seconds == 0
        || info.hit_count >= STAMPS_MAX
    {
        return Err(Errno::EINVAL);
    }
    super::check_proc_name(&info.name)?;
    if info.hit_count > STAMPS_MAX / 2 {
        return Err(Errno::ENOENT);
    }
    Ok(())
}

/// The table that a rule names, whose data is at an offset of all entries.
fn table(extension: &Extension, entries: &mut [u8], at: usize) -> Result<Named> {
    let data = entries.get(at..).unwrap_or_default();
    let info: &Recent = refer(data)?;
    let name_at = at + offset_of!(Recent, name);
    Ok(Named {
        name_at: name_at as u32,
        map: 0,
        mask: match extension.revision {
            0 => u32::MAX,
            _ => read(data, offset_of!(Recent1, mask)).ok_or(Errno::EINVAL)?,
        },
        stamps: match info.hit_count {
            0 => STAMPS,
            count => count.next_power_of_two(),
        },
        ..Named::default()
    })
}

/// recent_mt
fn lower(draft: &mut Draft<'_, '_>, data: &[u8]) -> Result<()> {
    let info: &Recent = refer(data)?;
    let mut how = info.check_set;
    if info.side == 1 {
        how |= recent::DESTINATION;
    }
    if info.seconds != 0 {
        how |= recent::SECONDS;
    }
    let times = info.hit_count.max(1);
    draft.recent(how, info.invert != 0, times, info.seconds)
}
