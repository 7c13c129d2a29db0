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
//!
//! Programs find the map in an array of maps, by the table's number: one array
//! for all tables whose maps look alike to the verifier, so it follows what is
//! done with a table once, not once for each.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{hashlimit, recent};
use crate::bytes::c_string;
use crate::errno::{Errno, Result};

/// Most of them that there can be: memory for their records is set aside with
/// each REPLACE.
pub const NAMED_MAX: usize = 1024;

/// Arrays that their maps are in: those of hashlimit, then those of recent by
/// how many times of an address they have room for.
pub const ARRAYS: usize = 1 + recent::TIMES.len();

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
    /// recent: how many times of a packet an address has, a power of two; 0
    /// for hashlimit.
    pub stamps: u32,
    /// hashlimit: the rule that has made it.
    pub limits: Limits,
}

/// `struct hashlimit_cfg3`.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Limits {
    /// Time between packets, or what stands for a rate.
    pub avg: u64,
    /// How many more may come at once.
    pub burst: u64,
    /// `XT_HASHLIMIT_*`.
    pub mode: u32,
    /// Buckets of the hash table, 0 for what the memory suggests; and entries,
    /// 0 for 8 to a bucket.
    pub sizes: [u32; 2],
    /// Milliseconds from one collection of old entries to the next, and that
    /// an entry lives without a packet.
    pub times: [u32; 2],
    /// Seconds that a rate is measured over.
    pub interval: u32,
    /// How many bits of source and destination count.
    pub masks: [u8; 2],
    /// Zero.
    pub pad: [u8; 6],
}

/// The map of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shape {
    /// Bytes of a value.
    pub value: usize,
    /// Entries of a hash table; 0 for an array of one.
    pub entries: u32,
}

/// Those of the rule set that is being checked, and of the one before it.
#[derive(Debug, Default)]
pub struct NamedTables<'a> {
    old: &'a [Named],
    old_entries: &'a [u8],
    /// The ids of the old one's arrays.
    old_arrays: [u32; ARRAYS],
    new: &'a mut [Named],
    used: usize,
    /// The ids of the arrays, 0 for none.
    pub arrays: [u32; ARRAYS],
}

/// Which of `records`, whose names are in `entries`, has this name.
fn find(records: &[Named], entries: &[u8], wanted: &[u8], limits: bool) -> Option<usize> {
    records.iter().position(|record| {
        let name = entries.get(record.name_at as usize..).and_then(c_string);
        name == Some(wanted) && record.is_limit() == limits
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
            old_arrays: [0; ARRAYS],
            new,
            used: 0,
            arrays: [0; ARRAYS],
        }
    }

    /// What the maps of the older rule set are in.
    pub fn with_arrays(mut self, old_arrays: [u32; ARRAYS]) -> Self {
        self.old_arrays = old_arrays;
        self
    }

    /// All rules have named their tables. If these are the old ones, so are the
    /// arrays.
    pub(crate) fn settle(&mut self) {
        let (old, new) = (self.old, self.records());
        let same = |(old, new): (&Named, &Named)| new.map != 0 && new.map == old.map;
        if old.len() == new.len() && old.iter().zip(new).all(same) {
            self.arrays = self.old_arrays;
        }
    }

    /// A rule of `entries` names a table: finds it, or makes it as `wanted`
    /// says, and returns its number. ENOENT if there are too many.
    pub(crate) fn claim(&mut self, entries: &[u8], wanted: &Named) -> Result<u32> {
        let name = entries.get(wanted.name_at as usize..).and_then(c_string);
        let name = name.ok_or(Errno::EINVAL)?;
        let index = match find(self.records(), entries, name, wanted.is_limit()) {
            Some(index) => index,
            None => {
                let known = find(self.old, self.old_entries, name, wanted.is_limit());
                let known = known.and_then(|index| self.old.get(index));
                *self.new.get_mut(self.used).ok_or(Errno::ENOENT)? = Named {
                    name_at: wanted.name_at,
                    ..*known.unwrap_or(wanted)
                };
                self.used += 1;
                self.used - 1
            }
        };
        let record = self.new.get_mut(index).ok_or(Errno::ENOENT)?;
        record.share(wanted)?;
        Ok(index as u32)
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
    fn is_limit(&self) -> bool {
        self.stamps == 0
    }

    /// recent_mt_check and hashlimit_mt_check_common: another rule wants the
    /// same table. One that asks for more times than there is room for
    /// empties it; rates and windows do not go together.
    fn share(&mut self, wanted: &Self) -> Result<()> {
        if (wanted.limits.mode ^ self.limits.mode) & hashlimit::RATE != 0 {
            return Err(Errno::EINVAL);
        }
        if wanted.stamps > self.stamps {
            self.stamps = wanted.stamps;
            self.map = 0;
        }
        Ok(())
    }

    /// Which array its map is in.
    pub fn array(&self) -> usize {
        match self.is_limit() {
            true => 0,
            false => 1 + recent::TIMES.partition_point(|&times| times < self.stamps),
        }
    }

    /// The map that it needs on a machine with so many bytes of memory.
    pub fn shape(&self, memory: u64) -> Shape {
        if let Some(times) = self.array().checked_sub(1) {
            let times = recent::TIMES.get(times).copied().unwrap_or(self.stamps);
            return Shape {
                value: recent::at::STAMPS + recent::ADDRESSES * 8 * times as usize,
                entries: 0,
            };
        }
        // htable_create
        let [size, max] = self.limits.sizes;
        let size = match size {
            0 => (memory / 16384 / 8).clamp(16, 8192) as u32,
            size => size,
        };
        Shape {
            value: hashlimit::ENTRY,
            entries: match max {
                0 => 8 * size,
                max => max.max(size),
            },
        }
    }
}
