// SPDX-License-Identifier: GPL-2.0-only
//! First pass: does the blob consist of entries?
//!
//! Owns: the limits of the header, the walk over all entries with their
//! sizes and offsets, and the places of hooks and policies. What is in an
//! entry beyond names of standard and ERROR targets is left to `rules`.
//! Follows do_replace, check_entry_size_and_hooks, xt_check_entry_offsets and
//! xt_check_table_hooks; every test stands where it stands there.

use super::layout::{ERROR_NAME, ERROR_TARGET, EXTENSION};
use super::refusal::Wrong;
use crate::abi::{
    EntryLayout, ExtensionHeader, ExtensionKind, Family, IPT_INV_MASK, IpPart, Layout, NUM_HOOKS,
    Replace, VERDICT_ACCEPT, VERDICT_DROP, VERDICT_QUEUE, VERDICT_RETURN,
};
use crate::arena::Arena;
use crate::bytes::{c_string, read};
use crate::errno::{Errno, Result};
use crate::fault::{Cause, Fault};

/// `XT_MAX_TABLE_SIZE`: bytes that the kernel gives to one thing of a table.
pub(super) const MAX_TABLE_SIZE: u32 = 512 << 20;
/// `sizeof(struct xt_table_info)`, which stands before the blob in memory.
const TABLE_INFO: u32 = 64;
/// Counters that xt_counters_alloc finds room for.
pub(super) const MAX_COUNTERS: u32 = MAX_TABLE_SIZE / 16;

/// What the kernel checks before it copies the blob of a caller of this layout. `optlen`
/// is the length of the whole request. Returns the number of bytes to copy from behind
/// the header.
pub fn check_header(layout: Layout, header: &Replace, optlen: u32) -> Result<usize> {
    if header.num_counters >= i32::MAX as u32 / 16 {
        return Err(Errno::ENOMEM);
    }
    if header.num_counters == 0 {
        return Err(Errno::EINVAL);
    }
    if u64::from(optlen) < u64::from(header.size) + layout.replace() as u64 {
        return Err(Errno::EINVAL);
    }
    check_size(header.size)?;
    usize::try_from(header.size).map_err(|_| Errno::ENOMEM)
}

/// xt_alloc_table_info
pub(super) fn check_size(size: u32) -> Result<()> {
    match size >= MAX_TABLE_SIZE - TABLE_INFO {
        true => Err(Errno::ENOMEM),
        false => Ok(()),
    }
}

/// What the first pass finds out.
pub(super) struct FirstPass<'a> {
    /// Where things stand in each of them.
    pub(super) entry: EntryLayout,
    /// The start of each entry.
    pub(super) offsets: &'a [u32],
    /// Offset of each hook's first entry, all ones for other hooks.
    pub(super) hook_entry: [u32; NUM_HOOKS],
    /// Offset of each hook's policy, all ones for other hooks.
    pub(super) underflow: [u32; NUM_HOOKS],
    /// The hooks that the caller says there are.
    pub(super) valid_hooks: u32,
    /// Number of ERROR targets.
    pub(super) error_entries: u32,
}

impl FirstPass<'_> {
    /// The hooks of `valid_hooks`.
    pub(super) fn hooks(&self) -> impl Iterator<Item = usize> + use<> {
        valid(self.valid_hooks)
    }
}

fn valid(hooks: u32) -> impl Iterator<Item = usize> {
    (0..NUM_HOOKS).filter(move |hook| hooks & 1 << hook != 0)
}

/// Walks over `blob`. Its counters and `comefrom` are garbage until `reach`
/// has been over it.
pub(super) fn check<'a>(
    family: Family,
    header: &Replace,
    blob: &[u8],
    arena: &mut Arena<'a>,
) -> Result<FirstPass<'a>, Wrong> {
    if u32::try_from(blob.len()) != Ok(header.size) {
        return Err(Errno::EINVAL.into());
    }
    // xt_alloc_entry_offsets
    if header.num_entries > MAX_TABLE_SIZE / 4 {
        return Err(Errno::ENOMEM.into());
    }
    // No more entries than that fit, whatever the header says.
    let room = Layout::NATIVE.entries_in(family, blob.len());
    let claimed = usize::try_from(header.num_entries).map_err(|_| Errno::ENOMEM)?;
    let offsets = arena.slice::<u32>(claimed.min(room))?;

    let mut first = FirstPass {
        entry: family.entry(),
        offsets: &[],
        hook_entry: [u32::MAX; NUM_HOOKS],
        underflow: [u32::MAX; NUM_HOOKS],
        valid_hooks: header.valid_hooks,
        error_entries: 0,
    };
    let mut count = 0;
    let mut at = 0;
    while at < blob.len() {
        let offset = u32::try_from(at).map_err(|_| Errno::EINVAL)?;
        let wrong = |fault: Fault| Wrong::entry(fault, offset);
        let entry = check_entry(family, Layout::NATIVE, blob, at).map_err(wrong)?;
        for hook in valid(header.valid_hooks) {
            if header.hook_entry.get(hook) == Some(&offset) {
                set(&mut first.hook_entry, hook, offset);
            }
            if header.underflow.get(hook) == Some(&offset) {
                if !entry.policy {
                    return Err(wrong(Cause::Policy.into()));
                }
                set(&mut first.underflow, hook, offset);
            }
        }
        if let Some(slot) = offsets.get_mut(count) {
            *slot = offset;
        }
        if entry.is_error {
            first.error_entries = first.error_entries.saturating_add(1);
        }
        count += 1;
        at += entry.size;
    }
    if count != claimed {
        return Err(Cause::Number.into());
    }
    first.offsets = offsets;
    check_hooks(&first)?;
    Ok(first)
}

fn set(hooks: &mut [u32; NUM_HOOKS], hook: usize, offset: u32) {
    if let Some(slot) = hooks.get_mut(hook) {
        *slot = offset;
    }
}

/// xt_check_table_hooks: all found, and in the order of the hooks.
fn check_hooks(first: &FirstPass<'_>) -> Result<(), Cause> {
    let mut last = None;
    for hook in first.hooks() {
        let entry = first.hook_entry.get(hook).copied().unwrap_or(u32::MAX);
        let underflow = first.underflow.get(hook).copied().unwrap_or(u32::MAX);
        if entry == u32::MAX || underflow == u32::MAX {
            return Err(Cause::Hooks);
        }
        if let Some((last_entry, last_underflow)) = last
            && (last_underflow >= underflow || last_entry >= entry)
        {
            return Err(Cause::Hooks);
        }
        last = Some((entry, underflow));
    }
    Ok(())
}

/// What a walk needs to know of one entry.
pub(super) struct Checked {
    /// Bytes to the next entry.
    pub(super) size: usize,
    /// It may stand at an underflow: an unconditional ACCEPT or DROP.
    policy: bool,
    /// It has an ERROR target.
    is_error: bool,
}

/// One of the two offsets in an entry.
pub(super) fn offset_at(entry: &[u8], at: usize) -> Result<usize> {
    let offset: u16 = read(entry, at).ok_or(Errno::EINVAL)?;
    Ok(usize::from(offset))
}

/// What stands at `at` of an entry of this family: the target is behind all matches.
pub(super) fn kind_at(family: Family, entry: &[u8], at: usize) -> ExtensionKind {
    match offset_at(entry, family.entry().target_offset).is_ok_and(|target| at < target) {
        true => ExtensionKind::Match,
        false => ExtensionKind::Target,
    }
}

/// check_entry_size_and_hooks, but for the hooks, of an entry in this layout.
pub(super) fn check_entry(
    family: Family,
    bits: Layout,
    blob: &[u8],
    at: usize,
) -> Result<Checked, Fault> {
    let layout = bits.entry(family);
    if !at.is_multiple_of(bits.align) || blob.len() - at <= layout.size {
        return Err(Cause::Place.into());
    }
    let head = blob.get(at..).ok_or(Cause::Place)?;
    let size = offset_at(head, layout.next_offset)?;
    let bytes = blob.get(at..at + size).ok_or(Cause::Place)?;
    if size < bits.min_entry(family) {
        return Err(Cause::Place.into());
    }
    let ip = IpPart::of(family, bytes).ok_or(Cause::Place)?;
    if ip.flags() & !layout.flags != 0 || ip.invflags() & !IPT_INV_MASK != 0 {
        return Err(Cause::Flags.into());
    }

    // xt_check_entry_offsets
    let target_at = offset_at(bytes, layout.target_offset)?;
    if target_at < layout.size || target_at + EXTENSION > size {
        return Err(Cause::TargetPlace.into());
    }
    let target: ExtensionHeader = read(bytes, target_at).ok_or(Cause::TargetPlace)?;
    let target_size = usize::from(target.size);
    if target_size < EXTENSION || target_at + target_size > size {
        return Err(Cause::TargetPlace.into());
    }
    let mut policy = false;
    let mut is_error = false;
    match c_string(&target.name) {
        Some(b"") => {
            if bits.padded(target_at + bits.standard_target()) != size {
                return Err(Cause::TargetPlace.into());
            }
            let verdict: i32 = read(bytes, target_at + EXTENSION).ok_or(Cause::Verdict)?;
            if !is_verdict(verdict) {
                return Err(Cause::Verdict.into());
            }
            policy = is_unconditional(&layout, bytes, target_at)
                && matches!(verdict, VERDICT_ACCEPT | VERDICT_DROP);
        }
        Some(b"ERROR") => {
            let name_at = target_at + EXTENSION;
            let name = bytes
                .get(name_at..name_at + ERROR_NAME)
                .ok_or(Cause::ChainName)?;
            if target_size != ERROR_TARGET || c_string(name).is_none() {
                return Err(Cause::ChainName.into());
            }
            is_error = true;
        }
        _ => {}
    }
    let matches = bytes.get(..target_at).ok_or(Cause::TargetPlace)?;
    check_matches(matches, layout.size, bits.match_align())?;
    Ok(Checked {
        size,
        policy,
        is_error,
    })
}

/// A jump, or one of the verdicts that there are.
fn is_verdict(verdict: i32) -> bool {
    verdict > 0
        || matches!(
            verdict,
            VERDICT_DROP | VERDICT_ACCEPT | VERDICT_QUEUE | VERDICT_RETURN
        )
}

/// Asks nothing of a packet: no matches, and an `ip` part of zeros.
pub(super) fn is_unconditional(layout: &EntryLayout, entry: &[u8], target_at: usize) -> bool {
    target_at == layout.size
        && entry
            .get(..layout.ip)
            .is_some_and(|ip| ip.iter().all(|&byte| byte == 0))
}

/// xt_check_entry_match: they end exactly where the target starts.
fn check_matches(entry: &[u8], mut at: usize, align: usize) -> Result<(), Cause> {
    while at < entry.len() {
        if !at.is_multiple_of(align) || entry.len() - at < EXTENSION {
            return Err(Cause::MatchPlace);
        }
        let size: u16 = read(entry, at).ok_or(Cause::MatchPlace)?;
        let size = usize::from(size);
        if size < EXTENSION || size > entry.len() - at {
            return Err(Cause::MatchPlace);
        }
        at += size;
    }
    Ok(())
}
