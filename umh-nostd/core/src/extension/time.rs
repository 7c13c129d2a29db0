// SPDX-License-Identifier: GPL-2.0-only
//! time: date, weekday and time of day (xt_time.c).
//!
//! Owns: its data and check. The calendar is the program's. Refused: the
//! kernel's time zone, which no program can read; if it changed the rule would
//! go on with the old one.

use super::{Extension, Rule, question};
use crate::abi::xt::{TIME_CONTIGUOUS, Time};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::kind;
use crate::target::Features;

/// In the kernel's time zone.
const LOCAL_TZ: u8 = 1 << 0;
/// The last second of a day.
const LAST_SECOND: u32 = 24 * 60 * 60 - 1;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    family: None,
    needs: Features::CLOCK,
    prefers_x_tables: true,
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
        TIME_CONTIGUOUS if start >= stop => Ok(()),
        LOCAL_TZ => Err(Errno::ENOENT),
        flags if flags == LOCAL_TZ | TIME_CONTIGUOUS && start >= stop => Err(Errno::ENOENT),
        _ => Err(Errno::EINVAL),
    }
}
