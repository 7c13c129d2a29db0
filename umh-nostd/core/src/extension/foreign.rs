// SPDX-License-Identifier: GPL-2.0-only
//! Matches and targets that are the kernel's own.
//!
//! Owns: the way to those that this helper has no program for. The kernel half
//! finds them in x_tables, checks them and keeps what they need; a rule then
//! calls them by number. What they are is not known here: their data is the
//! kernel's, and what is given back of it comes from there.

use super::{Extension, Kind, Place};
use crate::bytes::write;
use crate::errno::{Errno, Result};
use crate::ir::Draft;
use crate::table::INDEX;
use crate::target::Features;

/// Asks the kernel half for the match or target at an offset of an entry: it
/// brings its data into the form that is given back, and says its number. Its
/// name is short enough for that to stand behind it.
/// ENOPROTOOPT where there is no such kernel half.
pub type Foreign<'f> = &'f mut dyn FnMut(&mut [u8], usize) -> Result<u32>;

/// All of them: rules tell them apart by number.
pub(super) const EXTENSIONS: [Extension; 1] = [Extension {
    kind: Kind::Foreign,
    user_size: u16::MAX,
    needs: Features::FOREIGN,
    lower,
    ..Extension::matching::<u32>("x_tables")
}];

fn lower(draft: &mut Draft<'_, '_>, _: &[u8]) -> Result<()> {
    draft.foreign();
    Ok(())
}

/// The one that stands at `at` of `entry`; ENOPROTOOPT if the kernel half has
/// none. Its number is left between its name and its place.
pub(crate) fn find(ask: Foreign<'_>, entry: &mut [u8], at: usize) -> Result<&'static Extension> {
    let index = match ask(entry, at) {
        // The kernel may not even know what is known here in other revisions.
        Err(Errno::ENOENT) => return Err(Errno::ENOPROTOOPT),
        answer => answer?,
    };
    let place = Place::FOREIGN;
    let [a, b, c, d] = index.to_ne_bytes();
    let written = write(entry, at + INDEX, &[a, b, c, d, place.0]);
    written.and(place.extension()).ok_or(Errno::EINVAL)
}
