// SPDX-License-Identifier: GPL-2.0-only
//! LOG: a line in the kernel's log (xt_LOG.c).

use super::{Extension, Rule, function};
use crate::abi::layout;
use crate::bytes::refer;
use crate::errno::{Errno, Result};
use crate::ir::kind;
use crate::target::Features;

layout! {
    /// `struct xt_log_info`.
    Log: 32 {
        /// The line's level.
        level: u8,
        /// `XT_LOG_*`; what does not exist is not asked for.
        flags: u8,
        /// What the line starts with, up to a NUL.
        prefix: [u8; 30],
    }
}

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    needs: Features::LOG,
    check,
    lower: function::<{ kind::LOG }>,
    ..Extension::target::<Log>("LOG")
}];

/// log_tg_check
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    let log = refer::<Log>(data)?;
    if log.level < 8 && log.prefix.last() == Some(&0) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}
