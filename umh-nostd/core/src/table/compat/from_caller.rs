// SPDX-License-Identifier: GPL-2.0-only
//! A table as a caller of another layout gives it, brought into the kernel's.
//!
//! Owns: translate_compat_table: what it checks before there is anything to translate, and
//! the bytes that it makes. An entry that is not well-formed, or an extension whose data has not its
//! size, becomes one that is not either, and the checks of all tables find it.

use super::{Shifts, Sizes, extensions, put};
use crate::abi::{Counters, ExtensionHeader, ExtensionKind, Family, Layout, NUM_HOOKS, Replace};
use crate::arena::Arena;
use crate::bytes::{c_string, read, write};
use crate::errno::{Errno, Result};
use crate::extension::standard;
use crate::fault::{Cause, Fault};
use crate::table::layout::EXTENSION;
use crate::table::offsets::{MAX_TABLE_SIZE, check_entry, check_size, offset_at};

/// `sizeof(struct compat_delta)`
const COMPAT_DELTA: u32 = 8;

/// A table whose entries have been walked over once.
#[derive(Debug)]
pub struct FromCaller<'a> {
    family: Family,
    layout: Layout,
    blob: &'a [u8],
    shifts: Shifts<'a>,
    size: u32,
}

impl<'a> FromCaller<'a> {
    /// Bytes of working memory for a blob of `size` bytes.
    pub const fn work_len(layout: Layout, size: usize) -> usize {
        Shifts::work_len(layout.entries_in(Family::Ipv4, size))
    }

    /// Checks the entries' sizes, and finds their extensions.
    pub fn check(
        family: Family,
        layout: Layout,
        header: &Replace,
        blob: &'a [u8],
        arena: &mut Arena<'a>,
        sizes: &mut Sizes<'_>,
    ) -> Result<Self, Fault> {
        // xt_compat_init_offsets
        if header.num_entries == 0 || header.num_entries > i32::MAX as u32 / COMPAT_DELTA {
            return Err(Errno::EINVAL.into());
        }
        if header.num_entries > MAX_TABLE_SIZE / COMPAT_DELTA {
            return Err(Errno::ENOMEM.into());
        }
        let claimed = usize::try_from(header.num_entries).map_err(|_| Errno::ENOMEM)?;
        // No more entries than that fit, whatever the header says.
        let room = layout.entries_in(family, blob.len());
        let mut shifts = Shifts::new(arena, claimed.min(room))?;

        let there = layout.entry(family);
        let head = Layout::NATIVE.entry(family).size.saturating_sub(there.size);
        let mut at = 0;
        while at < blob.len() {
            let size = check_entry(family, layout, blob, at)?.size;
            let entry = blob.get(at..at + size).ok_or(Errno::EINVAL)?;
            let mut growth = head;
            for (kind, _, header) in extensions(entry, there) {
                growth += sizes.of(kind, &header)?.growth(layout);
            }
            shifts.add(at as u32, growth as u32)?;
            at += size;
        }
        if shifts.used != claimed {
            return Err(Cause::Number.into());
        }
        let size = header.size.wrapping_add(shifts.sum);
        check_size(size)?;
        Ok(Self {
            family,
            layout,
            blob,
            shifts,
            size,
        })
    }

    /// Bytes of the translated entries.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Writes them to `into`, which is of that size and all zero, and returns the header
    /// that goes with them.
    pub fn write(
        &self,
        header: &Replace,
        into: &mut [u8],
        sizes: &mut Sizes<'_>,
    ) -> Result<Replace> {
        let mut header = Replace {
            size: self.size,
            ..*header
        };
        let next_offset = self.layout.entry(self.family).next_offset;
        let (mut at, mut to) = (0, 0);
        while let Some(entry @ [_, ..]) = self.blob.get(at..) {
            let size = offset_at(entry, next_offset)?;
            let entry = entry.get(..size).ok_or(Errno::EINVAL)?;
            let start = to as u32;
            let growth = self.write_entry(entry, into, &mut to, sizes)?;
            shift_hooks(&mut header.hook_entry, start, growth);
            shift_hooks(&mut header.underflow, start, growth);
            at += size;
        }
        Ok(header)
    }

    /// compat_copy_entry_from_user. `to` is moved behind the target, wherever the entry
    /// says that it ends. Returns by how much it has grown.
    fn write_entry(
        &self,
        entry: &[u8],
        into: &mut [u8],
        to: &mut usize,
        sizes: &mut Sizes<'_>,
    ) -> Result<u32> {
        let there = self.layout.entry(self.family);
        let here = Layout::NATIVE.entry(self.family);
        let start = *to;
        // Where the counters are aligned otherwise the padding before them has what the
        // caller has there, as in the kernel.
        put(into, start, entry.get(..here.size).ok_or(Errno::EINVAL)?)?;
        let counters: Counters = read(entry, there.counters).ok_or(Errno::EINVAL)?;
        write(into, start + here.counters, &counters).ok_or(Errno::EINVAL)?;

        let mut growth = here.size - there.size;
        *to += here.size;
        for (kind, at, header) in extensions(entry, there) {
            if kind == ExtensionKind::Target {
                let offset = offset_at(entry, there.target_offset)? + growth;
                put_u16(into, start + here.target_offset, offset)?;
            }
            let more = sizes.of(kind, &header)?.growth(self.layout);
            let size = usize::from(header.size) + more;
            self.write_extension(kind, &header, entry.get(at + EXTENSION..), into, *to, sizes)?;
            put_u16(into, *to, size)?;
            // The kernel's size has 16 bits, too.
            *to += usize::from(size as u16);
            growth += more;
        }
        let offset = offset_at(entry, there.next_offset)? + growth;
        put_u16(into, start + here.next_offset, offset)?;
        Ok(growth as u32)
    }

    /// xt_compat_match_from_user and xt_compat_target_from_user, but for the size. `data` goes
    /// on to the end of the entry.
    fn write_extension(
        &self,
        kind: ExtensionKind,
        header: &ExtensionHeader,
        data: Option<&[u8]>,
        into: &mut [u8],
        to: usize,
        sizes: &mut Sizes<'_>,
    ) -> Result<()> {
        let data = data.ok_or(Errno::EINVAL)?;
        let mut header = *header;
        let name = c_string(&header.name).ok_or(Errno::EINVAL)?;
        let (used, is_standard) = (name.len(), name == standard::NAME.as_bytes());
        if let Some(rest) = header.name.get_mut(used..) {
            rest.fill(0);
        }
        write(into, to, &header).ok_or(Errno::EINVAL)?;
        if kind == ExtensionKind::Target && is_standard {
            let mut verdict: i32 = read(data, 0).ok_or(Errno::EINVAL)?;
            if verdict > 0 {
                let shift = self.shifts.before(verdict.unsigned_abs());
                verdict = verdict.wrapping_add_unsigned(shift);
            }
            return write(into, to + EXTENSION, &verdict).ok_or(Errno::EINVAL);
        }
        match sizes.of(kind, &header)?.compat {
            Some(compat) => {
                let into = into.get_mut(to + EXTENSION..).ok_or(Errno::EINVAL)?;
                (compat.from_caller)(data, into).ok_or(Errno::EINVAL)
            }
            None => {
                let size = usize::from(header.size).saturating_sub(EXTENSION);
                put(into, to + EXTENSION, data.get(..size).ok_or(Errno::EINVAL)?)
            }
        }
    }
}

/// One of the sizes and offsets of an entry; what does not fit is cut, as in the kernel.
fn put_u16(into: &mut [u8], at: usize, number: usize) -> Result<()> {
    write(into, at, &(number as u16)).ok_or(Errno::EINVAL)
}

/// Hooks behind an entry that starts at `start` here move by what it has grown. That they
/// are compared here while they move is what makes them end up right.
fn shift_hooks(hooks: &mut [u32; NUM_HOOKS], start: u32, growth: u32) {
    for hook in hooks {
        if start < *hook {
            *hook = hook.wrapping_add(growth);
        }
    }
}
