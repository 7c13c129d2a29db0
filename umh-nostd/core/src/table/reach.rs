// SPDX-License-Identifier: GPL-2.0-only
//! Second pass: which hook reaches which entry, and does it come back?
//!
//! Owns: what ip_tables writes into entries (`comefrom`, counters,
//! `IP6T_F_PROTO`), and ELOOP: a loop that a packet could
//! enter, a jump to where no entry starts, control that runs off the table.
//! What no hook reaches is not looked at, as in the kernel.
//!
//! Follows mark_source_chains step by step: one walk for each hook, without
//! recursion, with the way back kept in the entries' own counters. Each entry
//! is entered once and met again at most once for each jump to it, so the
//! time is bounded by the number of entries, not by the number of paths.

use zerocopy::FromBytes;

use super::layout::{EXTENSION, NAME};
use super::offsets::{FirstPass, is_unconditional};
use super::refusal::Wrong;
use super::view::find;
use crate::abi::{Counters, EntryLayout, Family, IP6T_F_PROTO, Ip6tIp6, NUM_HOOKS};
use crate::bytes::{read, write};
use crate::errno::{Errno, Result};
use crate::fault::Cause;

/// Stands in `comefrom` while an entry is on the path to the present one.
const ON_PATH: u32 = 1 << NUM_HOOKS;

/// Fills in `comefrom`, clears all counters, and sets the flag of IPv6 rules that name a
/// protocol.
///
/// `blob` has passed the first pass, which made `first`.
pub(super) fn mark_source_chains(
    family: Family,
    first: &FirstPass<'_>,
    blob: &mut [u8],
) -> Result<(), Wrong> {
    let mut blob = Marks {
        blob,
        layout: first.entry,
    };
    for &at in first.offsets {
        blob.set_comefrom(at, 0)?;
        blob.clear_counters(at)?;
        if family == Family::Ipv6 {
            blob.follow_protocol(at)?;
        }
    }
    for hook in first.hooks() {
        let start = first.hook_entry.get(hook).ok_or(Errno::EINVAL)?;
        walk(first, &mut blob, 1 << hook, *start)?;
    }
    Ok(())
}

fn walk(first: &FirstPass<'_>, blob: &mut Marks<'_>, hook: u32, start: u32) -> Result<(), Wrong> {
    let wrong = |at, cause: Cause| Wrong::entry(cause.with(Errno::ELOOP), at);
    let mut at = start;
    blob.set_back(at, at)?;
    loop {
        let seen = blob.comefrom(at)?;
        if seen & ON_PATH != 0 {
            return Err(wrong(at, Cause::Loop));
        }
        blob.set_comefrom(at, seen | hook | ON_PATH)?;

        let verdict = blob.verdict(at)?;
        let ends = verdict.is_some_and(|verdict| verdict < 0) && blob.is_unconditional(at)?;
        let next = if ends || seen & hook != 0 {
            // Back to the last jump, and on behind it.
            loop {
                let comefrom = blob.comefrom(at)?;
                blob.set_comefrom(at, comefrom ^ ON_PATH)?;
                let last = at;
                at = blob.back(at)?;
                blob.clear_counters(last)?;
                if at == last {
                    return Ok(());
                }
                if last != blob.next(at)? {
                    break;
                }
            }
            blob.next(at)?
        } else if let Some(target) = verdict.and_then(|verdict| u32::try_from(verdict).ok()) {
            if find(first.offsets, target).is_none() {
                return Err(wrong(at, Cause::Nowhere));
            }
            target
        } else {
            blob.next(at)?
        };
        if usize::try_from(next).is_ok_and(|next| next >= blob.blob.len()) {
            return Err(wrong(at, Cause::End));
        }
        blob.set_back(next, at)?;
        at = next;
    }
}

/// A blob of which every offset used here is the start of an entry. The
/// errors of its methods say that it is not, which the first pass rules out.
struct Marks<'b> {
    blob: &'b mut [u8],
    layout: EntryLayout,
}

impl Marks<'_> {
    fn get<T: FromBytes>(&self, at: u32, field: usize) -> Result<T> {
        read(self.blob, at as usize + field).ok_or(Errno::EINVAL)
    }

    fn set(&mut self, at: u32, field: usize, value: u32) -> Result<()> {
        write(self.blob, at as usize + field, &value).ok_or(Errno::EINVAL)
    }

    fn comefrom(&self, at: u32) -> Result<u32> {
        self.get(at, self.layout.comefrom)
    }

    fn set_comefrom(&mut self, at: u32, value: u32) -> Result<()> {
        self.set(at, self.layout.comefrom, value)
    }

    fn back(&self, at: u32) -> Result<u32> {
        self.get(at, self.layout.counters)
    }

    fn set_back(&mut self, at: u32, value: u32) -> Result<()> {
        self.set(at, self.layout.counters, value)
    }

    fn clear_counters(&mut self, at: u32) -> Result<()> {
        let zero = Counters { pcnt: 0, bcnt: 0 };
        write(self.blob, at as usize + self.layout.counters, &zero).ok_or(Errno::EINVAL)
    }

    /// check_entry_size_and_hooks: a rule of IPv6 that names a protocol asks for it,
    /// whether its caller has said so or not.
    fn follow_protocol(&mut self, at: u32) -> Result<()> {
        let entry = self.blob.get_mut(at as usize..).ok_or(Errno::EINVAL)?;
        let (ip, _) = Ip6tIp6::mut_from_prefix(entry).map_err(|_| Errno::EINVAL)?;
        if ip.proto != 0 {
            ip.flags |= IP6T_F_PROTO;
        }
        Ok(())
    }

    fn next(&self, at: u32) -> Result<u32> {
        let size: u16 = self.get(at, self.layout.next_offset)?;
        at.checked_add(u32::from(size)).ok_or(Errno::EINVAL)
    }

    fn target(&self, at: u32) -> Result<usize> {
        let offset: u16 = self.get(at, self.layout.target_offset)?;
        Ok(usize::from(offset))
    }

    /// The verdict of a standard target.
    fn verdict(&self, at: u32) -> Result<Option<i32>> {
        let target = self.target(at)?;
        let first: u8 = self.get(at, target + NAME)?;
        if first != 0 {
            return Ok(None);
        }
        self.get(at, target + EXTENSION).map(Some)
    }

    fn is_unconditional(&self, at: u32) -> Result<bool> {
        let target = self.target(at)?;
        let at = at as usize;
        let entry = self
            .blob
            .get(at..at + self.layout.size)
            .ok_or(Errno::EINVAL)?;
        Ok(is_unconditional(&self.layout, entry, target))
    }
}
