// SPDX-License-Identifier: GPL-2.0-only
//! The table image: a checked table at rest.
//!
//! Owns: the bytes that a generation keeps in its memfd. A [`Header`], then
//! the entries exactly as GET_ENTRIES gives them back, but for the counters,
//! which are zero here and live in the generation's counter map.
//!
//! Promises: an [`Image`] was written by this helper or an older one of the
//! same [`VERSION`]; its lengths are checked, its entries can be walked
//! without a panic whatever they hold.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::TABLE_NAME;
use crate::abi::{self, NUM_HOOKS};
use crate::errno::{Errno, Result};

/// Changes with every change of the layout, so that a helper never misreads
/// what another version of it has left with the kernel half.
pub const VERSION: u32 = 1;

/// What stands before the entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// Rows of the counter map: one per possible CPU and one for the helper.
    pub rows: u32,
    /// Number of entries.
    pub num_entries: u32,
    /// Bytes of all entries.
    pub size: u32,
    /// Offset of each hook's first entry.
    pub hook_entry: [u32; NUM_HOOKS],
    /// Offset of each hook's policy entry.
    pub underflow: [u32; NUM_HOOKS],
}

/// A table image whose lengths agree.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    header: &'a Header,
    entries: &'a [u8],
}

impl<'a> Image<'a> {
    /// The image in `bytes`, or EIO.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (header, entries) = Header::ref_from_prefix(bytes).map_err(|_| Errno::EIO)?;
        if header.version != VERSION || header.size as usize != entries.len() {
            return Err(Errno::EIO);
        }
        Ok(Self { header, entries })
    }

    /// An image in two pieces that are known to agree.
    pub(super) const fn new(header: &'a Header, entries: &'a [u8]) -> Self {
        Self { header, entries }
    }

    /// The header.
    pub fn header(&self) -> &'a Header {
        self.header
    }

    /// All entries, counters zero.
    pub fn bytes(&self) -> &'a [u8] {
        self.entries
    }

    /// Entry by entry. Ends early at one that does not fit in its place.
    pub fn entries(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.entries;
        core::iter::from_fn(move || {
            let (head, _) = abi::Entry::ref_from_prefix(rest).ok()?;
            let len = usize::from(head.next_offset);
            let (entry, after) = rest.split_at_checked(len)?;
            rest = after;
            (len > 0).then_some(entry)
        })
    }

    /// What GET_INFO answers.
    pub fn info(&self) -> abi::GetInfo {
        abi::GetInfo {
            name: TABLE_NAME,
            valid_hooks: abi::FILTER_VALID_HOOKS,
            hook_entry: self.header.hook_entry,
            underflow: self.header.underflow,
            num_entries: self.header.num_entries,
            size: self.header.size,
        }
    }
}
