// SPDX-License-Identifier: GPL-2.0-only
//! Tables of matches that rules know by name: recent's and hashlimit's.
//!
//! Owns: which of them a rule set has, and what each was made with. One that
//! an older rule set has goes on in the new one with all that it knows if a
//! rule names it, as in the kernel, where rules are checked before the old
//! ones let go of what they share. What nobody names any more is gone.
//!
//! A record of each lies behind the entries of the table image. The contents
//! are a map of its own for each, which programs alone read and write: two
//! generations that have a table in common have its map in common.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::bytes::c_string;
use crate::errno::{Errno, Result};

/// Most of them that there can be: with its other maps a program must stay
/// below the 64 that the verifier allows.
pub const NAMED_MAX: usize = 56;

/// Bytes of the shortest match that has one, and its header.
const SHORTEST: usize = 88;

/// One of them.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Named {
    /// Where its name stands, from the start of the entries.
    pub name_at: u32,
    /// The id of its map, 0 as long as it has none.
    pub map: u32,
    /// recent: the bits of an address that count, as they stand in a header.
    pub mask: u32,
    /// recent: how many times of a packet an address has, a power of two.
    pub stamps: u32,
}

/// Those of the rule set that is being checked, and of the one before it.
#[derive(Debug, Default)]
pub struct NamedTables<'a> {
    old: &'a [Named],
    old_entries: &'a [u8],
    new: &'a mut [Named],
    used: usize,
}

/// Which of `records`, whose names are in `entries`, has this name. One copy
/// of this code serves all callers.
#[inline(never)]
fn find(records: &[Named], entries: &[u8], wanted: &[u8]) -> Option<usize> {
    records.iter().position(|record| {
        let name = entries.get(record.name_at as usize..).and_then(c_string);
        name == Some(wanted)
    })
}

impl<'a> NamedTables<'a> {
    /// How many records entries of `size` bytes can need.
    pub fn room(size: usize) -> usize {
        (size / SHORTEST).min(NAMED_MAX)
    }

    /// Starts from what an older rule set has; the records go to `new`.
    pub fn new(old: &'a [Named], old_entries: &'a [u8], new: &'a mut [Named]) -> Self {
        Self {
            old,
            old_entries,
            new,
            used: 0,
        }
    }

    /// A rule of `entries` names a table: finds it, or makes it as `wanted`
    /// says. ENOENT if there are too many.
    #[inline(never)]
    pub(crate) fn claim(&mut self, entries: &[u8], name: &[u8], wanted: Named) -> Result<()> {
        let index = match self.find(entries, name) {
            Some(index) => index,
            None => {
                let known = find(self.old, self.old_entries, name);
                let known = known.and_then(|index| self.old.get(index));
                *self.new.get_mut(self.used).ok_or(Errno::ENOENT)? = Named {
                    name_at: wanted.name_at,
                    ..*known.unwrap_or(&wanted)
                };
                self.used += 1;
                self.used - 1
            }
        };
        if let Some(record) = self.new.get_mut(index) {
            record.share(&wanted);
        }
        Ok(())
    }

    /// The number of the table that has this name.
    pub(crate) fn find(&self, entries: &[u8], name: &[u8]) -> Option<usize> {
        find(self.records(), entries, name)
    }

    /// All that rules name, numbered.
    pub fn records(&self) -> &[Named] {
        self.new.get(..self.used).unwrap_or_default()
    }

    /// The same, to be given maps.
    pub fn records_mut(&mut self) -> &mut [Named] {
        self.new.get_mut(..self.used).unwrap_or_default()
    }
}

impl Named {
    /// recent_mt_check: another rule wants the same table. One that asks for
    /// more times than there is room for empties it.
    fn share(&mut self, wanted: &Self) {
        if wanted.stamps > self.stamps {
            self.stamps = wanted.stamps;
            self.map = 0;
        }
    }
}
