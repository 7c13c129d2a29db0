// SPDX-License-Identifier: GPL-2.0-only
//! The extensions that were found last.
//!
//! Owns: what is kept of an extension between two rules that use it, by what its
//! header says. Most rules name what others do, and finding an extension may ask the
//! kernel half.

use crate::abi::{ExtensionHeader, ExtensionKind};

/// How many are kept.
const KEPT: usize = 8;

/// What was found for each kind and header, whose size does not count.
pub(super) struct Found<T>([Option<(ExtensionKind, ExtensionHeader, T)>; KEPT]);

impl<T: Copy> Found<T> {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self([None; KEPT])
    }

    /// What was found for this header, or else what `find` says.
    pub(super) fn get_or<E>(
        &mut self,
        kind: ExtensionKind,
        header: &ExtensionHeader,
        find: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let header = ExtensionHeader { size: 0, ..*header };
        let [first, _, third, ..] = header.name;
        let place = self.0.get_mut(usize::from(first ^ third) % KEPT);
        if let Some(Some((of, named, found))) = place.as_deref()
            && (*of, *named) == (kind, header)
        {
            return Ok(*found);
        }
        let found = find()?;
        if let Some(place) = place {
            *place = Some((kind, header, found));
        }
        Ok(found)
    }
}
