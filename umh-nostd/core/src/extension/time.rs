// SPDX-License-Identifier: GPL-2.0-only
//! time: date, weekday and time of day (xt_time.c).
//!
//! Owns: its data and check. The calendar is the program's. The kernel's time
//! zone is known where the kernel half says it with each packet. Elsewhere a
//! rule that asks for it is refused: no program can read it, and if it changed
//! the rule would go on with the old one.

use super::{Extension, Families, Rule, question};
use crate::abi::xt::{TIME_CONTIGUOUS, TIME_LOCAL, Time};
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::kind;
use crate::target::Features;

/// The last second of a day.
const LAST_SECOND: u32 = 24 * 60 * 60 - 1;

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    families: Families::All,
    needs: Features::CLOCK,
    check,
    lower: question::<{ kind::TIME }>,
    ..Extension::matching::<Time>("time")
}];

/// time_mt_check
fn check(rule: &Rule<'_>, data: &[u8]) -> Result<()> {
    let time = refer::<Time>(data)?;
    let [start, stop] = time.daytime;
    if start.max(stop) > LAST_SECOND {
        return Err(Errno::EDOM);
    }
    let contiguous = time.flags & TIME_CONTIGUOUS != 0;
    if time.flags & !(TIME_LOCAL | TIME_CONTIGUOUS) != 0 || contiguous && start < stop {
        return Err(Errno::EINVAL);
    }
    let local = time.flags & TIME_LOCAL != 0;
    if local && !rule.host.features.contains(Features::TIME_ZONE) {
        return Err(Errno::ENOENT);
    }
    Ok(())
}
