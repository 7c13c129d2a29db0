// SPDX-License-Identifier: GPL-2.0-only
//! Matches and targets of x_tables in a rule that is being checked.
//!
//! Owns: the question to the kernel half, and where its answer is left in the
//! rule.

use super::layout::{NUMBER, REGISTRY_INDEX};
use crate::bytes::write;
use crate::errno::{Errno, Result};
use crate::extension::Extension;
use crate::extension::registry::RegistryIndex;

/// Asks the kernel half for the match or target at an offset of an entry. It
/// brings the data into the form that is given back, and returns the number by
/// which programs call it. The name is short enough for that to stand behind
/// it. ENOPROTOOPT where the kernel half has no such extension, or cannot have
/// any.
pub type KernelExtensions<'f> = &'f mut dyn FnMut(&mut [u8], usize) -> Result<u32>;

/// The kernel extension that stands at `at` of `entry`; ENOPROTOOPT if there
/// is none. Its number is left between its name and its index in the registry.
pub(super) fn find(
    ask: KernelExtensions<'_>,
    entry: &mut [u8],
    at: usize,
) -> Result<&'static Extension> {
    let number = match ask(entry, at) {
        // The kernel may not even know what is known here in other revisions.
        Err(Errno::ENOENT) => return Err(Errno::ENOPROTOOPT),
        answer => answer?,
    };
    let index = RegistryIndex::X_TABLES;
    write(entry, at + NUMBER, &number)
        .and_then(|()| write(entry, at + REGISTRY_INDEX, &index))
        .and(index.extension())
        .ok_or(Errno::EINVAL)
}
