// SPDX-License-Identifier: GPL-2.0-only
//! Tables of callers whose layout is not the kernel's: 32-bit programs on a 64-bit kernel.
//!
//! Owns: what the two directions have in common: how much larger an entry is on this
//! side, and where jumps go then. A table is translated once when it comes, checked and
//! kept as all others are, and translated back for whoever asks. Follows the functions of
//! ip_tables.c that are called `compat_*` and `xt_compat_*` of x_tables.c, in the order of their
//! checks:
//!
//! ```text
//! from_caller   REPLACE                  translate_compat_table
//! to_caller     GET_INFO, GET_ENTRIES    compat_table_info, compat_copy_entries_to_user
//! ```
//!
//! An extension's data has one layout for all, padded otherwise, because its structure says so
//! where it holds a `u64` or a pointer; but for those that say so in their registration
//! (`crate::extension::Compat`).
//!
//! Promises: nothing panics on any input; what an extension's size is, is known, or the
//! caller is refused.

mod from_caller;
mod to_caller;

pub use from_caller::FromCaller;
pub use to_caller::ToCaller;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::found::Found;
use super::layout::EXTENSION;
use super::offsets::offset_at;
use crate::abi::{EXTENSION_NAME_LEN, EntryLayout, ExtensionHeader, ExtensionKind, Family, Layout};
use crate::arena::Arena;
use crate::bytes::read;
use crate::errno::{Errno, Result};
use crate::extension::{self, registry};
use crate::target::Host;

/// Asks the kernel half how many bytes of data a match or target of x_tables has, by its name
/// and revision. Errors are those of [`super::KernelExtensions`].
pub type AskSize<'f> =
    &'f mut dyn FnMut(ExtensionKind, &[u8; EXTENSION_NAME_LEN], u8) -> Result<u16>;

/// What is to be known of an extension to translate its data.
#[derive(Clone, Copy, Debug)]
struct Data {
    /// Bytes of it, without padding.
    size: u16,
    /// Bytes of it that are given back.
    user_size: u16,
    /// Of one that has another layout in 32-bit programs.
    compat: Option<extension::Compat>,
}

impl Data {
    /// xt_compat_match_offset and xt_compat_target_offset: by how much it is larger here
    /// than with the caller.
    fn growth(&self, layout: Layout) -> usize {
        let there = match self.compat {
            Some(compat) if layout != Layout::NATIVE => compat.size,
            _ => self.size,
        };
        let here = Layout::NATIVE.padded(self.size.into());
        here.saturating_sub(layout.padded(there.into()))
    }
}

/// The sizes of extensions' data.
pub struct Sizes<'a> {
    host: &'a Host,
    family: Family,
    ask: AskSize<'a>,
    found: Found<Data>,
}

impl<'a> Sizes<'a> {
    /// Those of a family's extensions on `host`.
    pub fn new(host: &'a Host, family: Family, ask: AskSize<'a>) -> Self {
        Self {
            host,
            family,
            ask,
            found: Found::new(),
        }
    }

    /// xt_request_find_match and xt_request_find_target
    fn of(&mut self, kind: ExtensionKind, header: &ExtensionHeader) -> Result<Data> {
        let ExtensionHeader { name, revision, .. } = header;
        self.found.get_or(kind, header, || {
            match registry::find(self.host, self.family, kind, name, *revision) {
                Ok((_, found)) => Ok(Data {
                    size: found.size,
                    user_size: found.user_size,
                    compat: found.compat,
                }),
                Err(unknown) => match (self.ask)(kind, name, *revision) {
                    Err(Errno::ENOENT | Errno::ENOPROTOOPT) => Err(unknown),
                    // What is private to it is zero already.
                    size => size.map(|size| Data {
                        size,
                        user_size: size,
                        compat: None,
                    }),
                },
            }
        })
    }
}

/// An entry, and by how much all entries up to it are larger here than with the caller.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Shift {
    start: u32,
    sum: u32,
}

/// The entries of a table, by where they start on the side that it is read on.
#[derive(Debug)]
struct Shifts<'a> {
    list: &'a mut [Shift],
    used: usize,
    sum: u32,
}

impl<'a> Shifts<'a> {
    /// Bytes of working memory for so many entries.
    const fn work_len(entries: usize) -> usize {
        entries * size_of::<Shift>() + align_of::<Shift>()
    }

    fn new(arena: &mut Arena<'a>, entries: usize) -> Result<Self> {
        Ok(Self {
            list: arena.slice(entries)?,
            used: 0,
            sum: 0,
        })
    }

    /// xt_compat_add_offset: EINVAL if there are more than was said.
    fn add(&mut self, start: u32, growth: u32) -> Result<()> {
        self.sum = self.sum.wrapping_add(growth);
        let place = self.list.get_mut(self.used).ok_or(Errno::EINVAL)?;
        *place = Shift {
            start,
            sum: self.sum,
        };
        self.used += 1;
        Ok(())
    }

    /// xt_compat_calc_jump: the same of all entries that start before `offset`.
    fn before(&self, offset: u32) -> u32 {
        let list = self.list.get(..self.used).unwrap_or_default();
        let entries = list.partition_point(|entry| entry.start < offset);
        let last = entries.checked_sub(1).and_then(|last| list.get(last));
        last.map_or(0, |entry| entry.sum)
    }
}

/// The matches of an entry and then its target: offset and header. Ends early where the
/// entry is not one.
fn extensions(
    entry: &[u8],
    layout: EntryLayout,
) -> impl Iterator<Item = (ExtensionKind, usize, ExtensionHeader)> {
    let target_at = offset_at(entry, layout.target_offset).unwrap_or_default();
    let mut next = Some(layout.size);
    core::iter::from_fn(move || {
        let at = next?;
        let header: ExtensionHeader = read(entry, at)?;
        let size = usize::from(header.size);
        if at < target_at && size >= EXTENSION {
            next = Some(at + size);
            return Some((ExtensionKind::Match, at, header));
        }
        next = None;
        (at == target_at).then_some((ExtensionKind::Target, at, header))
    })
}

/// Puts `bytes` at `at`.
fn put(into: &mut [u8], at: usize, bytes: &[u8]) -> Result<()> {
    let place = into
        .get_mut(at..)
        .and_then(|into| into.get_mut(..bytes.len()));
    place.ok_or(Errno::EINVAL)?.copy_from_slice(bytes);
    Ok(())
}
