// SPDX-License-Identifier: GPL-2.0-only
//! time: date, weekday and time of day (xt_time.c).
//!
//! Owns: its data and check. The calendar is the program's. Refused: the
//! kernel's time zone, which no program can read; if it changed the rule would
//! go on with the old one.

use super::{Extension, Family, Rule, question};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::kind;
use crate::target::Features;

layout! {
    /// `struct xt_time_info`. Times are in seconds.
    Time: 24 {
        /// First and last second since 1970.
        date: [u32; 2],
        /// First and last second of a day.
        daytime: [u32; 2],
        /// `1 << day`.
        monthdays: u32,
        /// `1 << day`, Monday is 1.
        weekdays: u8,
        /// `XT_TIME_*`.
        flags: u8,
        /// Padding.
        pad: u16,
    }
}

/// In the kernel's time zone.
const LOCAL_TZ: u8 = 1 << 0;
/// A time past midnight belongs to the day before.
pub(crate) const CONTIGUOUS: u8 = 1 << 1;
/// The last second of a day.
const LAST_SECOND: u32 = 24 * 60 * 60 - 1;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    family: Family::Any,
    needs: Features::CLOCK,
    theirs: true,
    check,
    lower: question::<{ kind::TIME }>,
    ..Extension::matching::<Time>("time")
}];

/// time_mt_check
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let time = refer::<Time>(data)?;
    let [start, stop] = time.daytime;
    if start.max(stop) > LAST_SECOND {
        return Err(Errno::EDOM);
    }
    match time.flags {
        0 => Ok(()),
        CONTIGUOUS if start >= stop => Ok(()),
        LOCAL_TZ => Err(Errno::ENOENT),
        flags if flags == LOCAL_TZ | CONTIGUOUS && start >= stop => Err(Errno::ENOENT),
        _ => Err(Errno::EINVAL),
    }
}
