// SPDX-License-Identifier: GPL-2.0-only
//! Tables of matches that rules know by name, where there are none: `recent`
//! and `hashlimit` are x_tables' own.
//!
//! Owns: what stands for them in code that is the same with and without the
//! feature `links`, see `named.rs`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::errno::{Errno, Result};

/// Arrays that their maps are in.
pub const ARRAYS: usize = 0;

/// One of them; no image has any.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Named {
    nothing: u64,
}

/// Those of a rule set.
#[derive(Debug, Default)]
pub struct NamedTables<'a> {
    records: &'a mut [Named],
    /// The ids of their arrays.
    pub arrays: [u32; ARRAYS],
}

impl<'a> NamedTables<'a> {
    /// How many records entries of `size` bytes can need.
    pub fn room(_: usize) -> usize {
        0
    }

    /// Starts from what an older rule set has.
    pub fn new(_: &'a [Named], _: &'a [u8], records: &'a mut [Named]) -> Self {
        let arrays = [];
        Self { records, arrays }
    }

    /// What the maps of the older rule set are in.
    pub fn with_arrays(self, _: [u32; ARRAYS]) -> Self {
        self
    }

    /// A rule names a table, which none does.
    pub(crate) fn claim(&mut self, _: &[u8], _: &Named) -> Result<u32> {
        Err(Errno::ENOENT)
    }

    /// All rules have named their tables.
    pub(crate) fn settle(&mut self) {}

    /// All that rules name.
    pub fn records(&self) -> &[Named] {
        self.records
    }

    /// The same, to be given maps.
    pub fn records_mut(&mut self) -> &mut [Named] {
        self.records
    }
}
