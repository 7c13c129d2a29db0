// SPDX-License-Identifier: GPL-2.0-only
//! The standard target: a verdict or a jump. Its name is empty.

use super::{Extension, Rule};
use crate::abi::VERDICT_QUEUE;
use crate::bytes::read;
use crate::errno::{Errno, Result};

/// `XT_STANDARD_TARGET`.
pub const NAME: &str = "";

pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    check,
    ..Extension::target::<i32>(NAME)
}];

/// The verdict has been checked with the entry's offsets. QUEUE exists, but
/// no program can queue a packet, so it is refused as what is unknown.
fn check(_: &Rule<'_>, data: &[u8]) -> Result<()> {
    match read(data, 0) {
        Some(VERDICT_QUEUE) => Err(Errno::ENOENT),
        _ => Ok(()),
    }
}
