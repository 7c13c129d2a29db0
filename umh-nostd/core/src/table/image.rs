// SPDX-License-Identifier: GPL-2.0-only
//! The table image: a checked table at rest.
//!
//! Owns: the bytes that a generation keeps in its memfd. A [`Header`], then
//! the entries exactly as GET_ENTRIES gives them back, but for what some extensions
//! keep ([`Header::kept`]), and for the counters,
//! which are zero here and live in the generation's counter map; then a
//! [`Named`] for each table that rules know by name.
//!
//! Promises: an [`Image`] was written by this helper or an older one of the
//! same [`VERSION`]; its lengths are checked, its entries can be walked
//! without a panic whatever they hold.

use bpfilter_msgfmt::IMAGE_ENTRIES;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::offsets::offset_at;
use crate::abi::{self, ALIGN, NUM_HOOKS, TableSpec};
use crate::errno::{Errno, Result};
use crate::ir::named::{ARRAYS, Named};

/// Changes with every change of the layout, so that a helper never misreads
/// what another version of it has left with the kernel half.
pub const VERSION: u32 = 6;

/// What stands before the entries, as long as what stands before them in a REPLACE:
/// the memory that has that becomes the image.
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
    /// Number of named tables.
    pub num_named: u32,
    /// Which table it is, see [`TableSpec::numbered`].
    pub table: u32,
    /// The ids of the arrays of named tables' maps, 0 for none.
    pub arrays: [u32; ARRAYS],
    /// Offset of each hook's first entry.
    pub hook_entry: [u32; NUM_HOOKS],
    /// Offset of each hook's policy entry.
    pub underflow: [u32; NUM_HOOKS],
    /// Number of extensions in the rules with what a caller of another layout is shown and
    /// a native one is not: what is private to them, or in their padding.
    pub kept: u32,
    /// Zero.
    pub pad: [u32; 7 - ARRAYS],
}

const _: () = assert!(size_of::<Header>().is_multiple_of(ALIGN));

impl Header {
    /// That of an empty image of `table`.
    pub fn of(table: &TableSpec) -> Self {
        Self {
            version: VERSION,
            rows: 0,
            num_entries: 0,
            size: 0,
            num_named: 0,
            table: table.number(),
            arrays: [0; ARRAYS],
            hook_entry: [u32::MAX; NUM_HOOKS],
            underflow: [u32::MAX; NUM_HOOKS],
            kept: 0,
            pad: [0; 7 - ARRAYS],
        }
    }
}

const _: () = assert!(size_of::<Header>() == size_of::<abi::Replace>());
const _: () = assert!(size_of::<Header>() == IMAGE_ENTRIES);

/// A table image whose lengths agree.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    table: &'static TableSpec,
    header: &'a Header,
    entries: &'a [u8],
    named: &'a [Named],
}

impl<'a> Image<'a> {
    /// The image in `bytes`, or EIO.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| Errno::EIO)?;
        let (entries, rest) = rest
            .split_at_checked(header.size as usize)
            .ok_or(Errno::EIO)?;
        let (named, _) = <[Named]>::ref_from_prefix_with_elems(rest, header.num_named as usize)
            .map_err(|_| Errno::EIO)?;
        if header.version != VERSION {
            return Err(Errno::EIO);
        }
        let table = TableSpec::numbered(header.table).ok_or(Errno::EIO)?;
        Ok(Self {
            table,
            header,
            entries,
            named,
        })
    }

    /// An image in two pieces, without named tables; EIO if they do not agree.
    pub(super) fn new(header: &'a Header, entries: &'a [u8]) -> Result<Self> {
        Ok(Self {
            table: TableSpec::numbered(header.table).ok_or(Errno::EIO)?,
            header,
            entries: entries.get(..header.size as usize).ok_or(Errno::EIO)?,
            named: &[],
        })
    }

    /// Which table it is.
    pub fn table(&self) -> &'static TableSpec {
        self.table
    }

    /// The header.
    pub fn header(&self) -> &'a Header {
        self.header
    }

    /// All entries, counters zero.
    pub fn bytes(&self) -> &'a [u8] {
        self.entries
    }

    /// The tables that rules know by name.
    pub fn named(&self) -> &'a [Named] {
        self.named
    }

    /// Entry by entry. Ends early at one that does not fit in its place.
    pub fn entries(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.entries;
        let layout = self.table.family.entry();
        core::iter::from_fn(move || {
            let len = offset_at(rest, layout.next_offset).ok()?;
            let (entry, after) = rest.split_at_checked(len)?;
            rest = after;
            (len >= layout.size).then_some(entry)
        })
    }

    /// What GET_INFO answers.
    pub fn info(&self) -> abi::GetInfo {
        abi::GetInfo {
            name: self.table.padded_name(),
            valid_hooks: self.table.valid_hooks(),
            hook_entry: self.header.hook_entry,
            underflow: self.header.underflow,
            num_entries: self.header.num_entries,
            size: self.header.size,
        }
    }
}
