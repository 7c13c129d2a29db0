// SPDX-License-Identifier: GPL-2.0-only
//! A table in which nobody has replaced anything yet.
//!
//! Owns: the image that ip_tables registers for a table: a policy for each of
//! its hooks and the closing ERROR entry, computed from the table's row.

use core::mem::offset_of;

use super::image::{Header, Image};
use super::layout::{ERROR_TARGET, EXTENSION, NAME, STANDARD_TARGET};
use crate::abi::{ExtensionHeader, Family, NUM_HOOKS, TableSpec};
use crate::bytes::write;
use crate::errno::{Errno, Result};
use crate::extension::error;

/// Bytes of a policy.
const fn policy_len(family: Family) -> usize {
    family.entry().size + STANDARD_TARGET
}

/// Bytes of the ERROR entry.
const fn error_len(family: Family) -> usize {
    family.entry().size + ERROR_TARGET
}

/// Bytes of the largest pristine table.
const LARGEST: usize = NUM_HOOKS * policy_len(Family::Ipv6) + error_len(Family::Ipv6);

/// A pristine table. It has no counter map: all its counters are zero. Most of
/// it is zeros, so it is made when it is wanted.
#[derive(Debug)]
pub struct Pristine {
    header: Header,
    entries: [u8; LARGEST],
}

impl Pristine {
    /// The pristine table of a row. EIO if the row has more hooks than there
    /// are.
    pub fn new(table: &TableSpec) -> Result<Self> {
        let mut pristine = Self {
            header: Header::of(table),
            entries: [0; LARGEST],
        };
        pristine.fill(table).ok_or(Errno::EIO)?;
        Ok(pristine)
    }

    fn fill(&mut self, table: &TableSpec) -> Option<()> {
        let mut at = 0;
        for (hook, _) in table.hooks {
            let number = hook.number();
            *self.header.hook_entry.get_mut(number)? = at as u32;
            *self.header.underflow.get_mut(number)? = at as u32;
            let target = self.entry(table.family, at, hook.mask(), STANDARD_TARGET)?;
            write(&mut self.entries, target + EXTENSION, &table.policy)?;
            at += policy_len(table.family);
        }
        let target = self.entry(table.family, at, 0, ERROR_TARGET)?;
        let name = error::NAME.as_bytes();
        write(&mut self.entries, target + NAME, name)?;
        write(&mut self.entries, target + EXTENSION, name)?;
        self.header.num_entries = table.hooks.len() as u32 + 1;
        self.header.size = (at + error_len(table.family)) as u32;
        Some(())
    }

    /// Writes an entry that asks nothing, with a target of `target_len` bytes.
    /// Returns where the target is.
    fn entry(
        &mut self,
        family: Family,
        at: usize,
        comefrom: u32,
        target_len: usize,
    ) -> Option<usize> {
        let layout = family.entry();
        let bytes = &mut self.entries;
        let target = at + layout.size;
        let next = layout.size + target_len;
        write(bytes, at + layout.target_offset, &(layout.size as u16))?;
        write(bytes, at + layout.next_offset, &(next as u16))?;
        write(bytes, at + layout.comefrom, &comefrom)?;
        let size = target + offset_of!(ExtensionHeader, size);
        write(bytes, size, &(target_len as u16))?;
        Some(target)
    }

    /// As it would be read from a namespace.
    pub fn image(&self) -> Result<Image<'_>> {
        Image::new(&self.header, &self.entries)
    }
}

#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]
mod tests {
    use super::*;
    use crate::abi::{TABLES, TableKind};

    /// Offsets by hook, the number of entries, and the bytes of all: as the
    /// kernel registers them.
    const NONE: u32 = u32::MAX;
    const KERNEL: [(TableKind, Family, u32, [u32; NUM_HOOKS], u32, u32); 10] = [
        (
            TableKind::Raw,
            Family::Ipv4,
            0x9,
            [0, NONE, NONE, 152, NONE],
            3,
            480,
        ),
        (
            TableKind::Mangle,
            Family::Ipv4,
            0x1f,
            [0, 152, 304, 456, 608],
            6,
            936,
        ),
        (
            TableKind::Nat,
            Family::Ipv4,
            0x1b,
            [0, 152, NONE, 304, 456],
            5,
            784,
        ),
        (
            TableKind::Filter,
            Family::Ipv4,
            0xe,
            [NONE, 0, 152, 304, NONE],
            4,
            632,
        ),
        (
            TableKind::Security,
            Family::Ipv4,
            0xe,
            [NONE, 0, 152, 304, NONE],
            4,
            632,
        ),
        (
            TableKind::Raw,
            Family::Ipv6,
            0x9,
            [0, NONE, NONE, 208, NONE],
            3,
            648,
        ),
        (
            TableKind::Mangle,
            Family::Ipv6,
            0x1f,
            [0, 208, 416, 624, 832],
            6,
            1272,
        ),
        (
            TableKind::Nat,
            Family::Ipv6,
            0x1b,
            [0, 208, NONE, 416, 624],
            5,
            1064,
        ),
        (
            TableKind::Filter,
            Family::Ipv6,
            0xe,
            [NONE, 0, 208, 416, NONE],
            4,
            856,
        ),
        (
            TableKind::Security,
            Family::Ipv6,
            0xe,
            [NONE, 0, 208, 416, NONE],
            4,
            856,
        ),
    ];

    #[test]
    fn tables_are_as_the_kernel_registers_them() {
        for (table, row) in TABLES.iter().zip(KERNEL) {
            let pristine = Pristine::new(table).unwrap();
            let Header {
                hook_entry,
                underflow,
                num_entries,
                size,
                ..
            } = pristine.header;
            let found = (
                table.kind,
                table.family,
                table.valid_hooks(),
                hook_entry,
                num_entries,
                size,
            );
            assert_eq!(found, row);
            assert_eq!(underflow, hook_entry, "{table:?}");
        }
    }

    #[test]
    fn entries_follow_one_another() {
        for table in &TABLES {
            let pristine = Pristine::new(table).unwrap();
            let layout = table.family.entry();
            let (mut at, mut count) = (0, 0);
            while at < pristine.header.size as usize {
                let field = |offset: usize| {
                    let bytes = &pristine.entries[at + offset..at + offset + 2];
                    usize::from(u16::from_ne_bytes([bytes[0], bytes[1]]))
                };
                assert_eq!(field(layout.target_offset), layout.size);
                assert_eq!(field(layout.size), field(layout.next_offset) - layout.size);
                at += field(layout.next_offset);
                count += 1;
            }
            assert_eq!(at, pristine.header.size as usize);
            assert_eq!(count, pristine.header.num_entries);
        }
    }
}
