// SPDX-License-Identifier: GPL-2.0-only
//! A table in force, as a caller of another layout is shown it.
//!
//! Owns: compat_table_info and compat_copy_entry_to_user. Of a table with extensions that
//! keep what is private to them in the image, it also makes what a native caller is shown.

use super::{Data, Shifts, Sizes, extensions, put};
use crate::abi::{Counters, ExtensionHeader, ExtensionKind, GetInfo, Layout, NUM_HOOKS};
use crate::arena::Arena;
use crate::bytes::{read, write};
use crate::errno::{Errno, Result};
use crate::extension::standard;
use crate::table::image::Image;
use crate::table::layout::EXTENSION;
use crate::table::offsets::offset_at;

/// How a caller sees a table.
#[derive(Debug)]
pub struct ToCaller<'a> {
    image: Image<'a>,
    layout: Layout,
    shifts: Shifts<'a>,
    info: GetInfo,
}

impl<'a> ToCaller<'a> {
    /// Bytes of working memory for a table of so many entries.
    pub const fn work_len(entries: usize) -> usize {
        Shifts::work_len(entries)
    }

    /// Measures the table.
    pub fn new(
        image: &Image<'a>,
        layout: Layout,
        arena: &mut Arena<'a>,
        sizes: &mut Sizes<'_>,
    ) -> Result<Self> {
        let family = image.table().family;
        let here = Layout::NATIVE.entry(family);
        let head = here.size.saturating_sub(layout.entry(family).size);
        let mut shifts = Shifts::new(arena, image.header().num_entries as usize)?;
        let whole = image.info();
        let mut info = whole;
        let mut start = 0;
        for entry in image.entries() {
            let mut growth = head;
            for (kind, _, header) in extensions(entry, here) {
                growth += sizes.of(kind, &header)?.growth(layout);
            }
            let growth = growth as u32;
            shifts.add(start, growth)?;
            info.size = info.size.wrapping_sub(growth);
            shift_hooks(&whole.hook_entry, &mut info.hook_entry, start, growth);
            shift_hooks(&whole.underflow, &mut info.underflow, start, growth);
            start = start.wrapping_add(entry.len() as u32);
        }
        Ok(Self {
            image: *image,
            layout,
            shifts,
            info,
        })
    }

    /// What GET_INFO says to the caller.
    pub fn info(&self) -> &GetInfo {
        &self.info
    }

    /// Writes an entry of the image to `into`, and returns how many bytes it has there: not
    /// what it says of itself if there is something behind its target, as in the kernel.
    pub fn write(
        &self,
        entry: &[u8],
        counters: &Counters,
        into: &mut [u8],
        sizes: &mut Sizes<'_>,
    ) -> Result<usize> {
        let family = self.image.table().family;
        let here = Layout::NATIVE.entry(family);
        let there = self.layout.entry(family);
        put(into, 0, entry.get(..there.counters).ok_or(Errno::EIO)?)?;
        write(into, there.counters, counters).ok_or(Errno::EIO)?;

        let mut to = there.size;
        let mut growth = here.size - there.size;
        for (kind, at, header) in extensions(entry, here) {
            if kind == ExtensionKind::Target {
                put_u16(into, there.target_offset, at.saturating_sub(growth))?;
            }
            let data = sizes.of(kind, &header)?;
            let more = data.growth(self.layout);
            let size = usize::from(header.size)
                .checked_sub(more)
                .ok_or(Errno::EIO)?;
            let end = at + usize::from(header.size);
            let from = entry.get(at + EXTENSION..end).ok_or(Errno::EIO)?;
            let place = into.get_mut(to..).and_then(|into| into.get_mut(..size));
            self.write_extension(kind, &header, &data, from, place.ok_or(Errno::EIO)?, sizes)?;
            to += size;
            growth += more;
        }
        let next = offset_at(entry, here.next_offset)?;
        put_u16(into, there.next_offset, next.saturating_sub(growth))?;
        Ok(to)
    }

    /// xt_compat_match_to_user and xt_compat_target_to_user. `into` is of the size that it
    /// has with the caller.
    fn write_extension(
        &self,
        kind: ExtensionKind,
        header: &ExtensionHeader,
        data: &Data,
        from: &[u8],
        into: &mut [u8],
        sizes: &Sizes<'_>,
    ) -> Result<()> {
        let header = ExtensionHeader {
            size: into.len() as u16,
            ..*header
        };
        write(into, 0, &header).ok_or(Errno::EIO)?;
        let into = into.get_mut(EXTENSION..).ok_or(Errno::EIO)?;
        if self.layout == Layout::NATIVE {
            into.fill(0);
            return put(
                into,
                0,
                from.get(..data.user_size.into()).ok_or(Errno::EIO)?,
            );
        }
        if let Some(compat) = data.compat {
            into.fill(0);
            return (compat.to_caller)(sizes.host, from, into).ok_or(Errno::EIO);
        }
        put(into, 0, from.get(..into.len()).ok_or(Errno::EIO)?)?;
        if kind == ExtensionKind::Target && header.name.starts_with(&[0]) {
            const { assert!(standard::NAME.is_empty()) };
            let verdict: i32 = read(from, 0).ok_or(Errno::EIO)?;
            if verdict > 0 {
                let shift = self.shifts.before(verdict.unsigned_abs());
                let verdict = verdict.wrapping_sub_unsigned(shift);
                write(into, 0, &verdict).ok_or(Errno::EIO)?;
            }
        }
        Ok(())
    }
}

/// One of the sizes and offsets of an entry, which has 16 bits here and is smaller there.
fn put_u16(into: &mut [u8], at: usize, number: usize) -> Result<()> {
    write(into, at, &(number as u16)).ok_or(Errno::EIO)
}

/// Hooks behind an entry that starts at `start` here move by how much larger it is; also
/// those that the table does not have, as in the kernel.
fn shift_hooks(here: &[u32; NUM_HOOKS], there: &mut [u32; NUM_HOOKS], start: u32, growth: u32) {
    for (here, there) in here.iter().zip(there) {
        if start < *here {
            *there = there.wrapping_sub(growth);
        }
    }
}
