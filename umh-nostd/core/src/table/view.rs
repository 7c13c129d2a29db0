// SPDX-License-Identifier: GPL-2.0-only
//! What a checked entry says.
//!
//! Owns: reading entries, matches and targets of a blob that has passed all
//! checks, jumps as entry indices, and the form that is given back.
//!
//! The walks below end early where a check has been broken; on a checked
//! blob they never do.

use super::EntryIndex;
use super::layout::{EXTENSION, NAME, NUMBER, REGISTRY_INDEX};
use super::offsets::offset_at;
use crate::abi::{
    Counters, EXTENSION_NAME_LEN, EntryLayout, Family, IpPart, VERDICT_ACCEPT, VERDICT_RETURN,
};
use crate::bytes::{c_string, read, write};
use crate::extension::registry::RegistryIndex;
use crate::extension::{self, Extension};

/// One rule, policy or head of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Which one it is.
    pub index: EntryIndex,
    /// Where it stands in the blob.
    pub offset: u32,
    /// What it asks of the IP header and the interfaces.
    pub ip: IpPart<'a>,
    /// Mask of the hooks that reach it: `1 << NF_INET_*`.
    pub comefrom: u32,
    /// What happens to a packet that it matches.
    pub target: Target<'a>,
    matches: &'a [u8],
}

impl<'a> Entry<'a> {
    /// What it asks of the packet beyond `ip`, in order.
    pub fn matches(&self) -> Matches<'a> {
        Matches { rest: self.matches }
    }
}

/// The matches of an entry.
#[derive(Clone, Debug)]
pub struct Matches<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Matches<'a> {
    type Item = Instance<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (instance, size) = instance(self.rest)?;
        self.rest = self.rest.get(size..)?;
        Some(instance)
    }
}

/// A match or target as a rule uses it.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    /// Its registration.
    pub extension: &'static Extension,
    /// Its data, of the size that the registration asks for, and checked.
    pub data: &'a [u8],
    /// The number by which a kernel extension is called, or that of the table
    /// that a match names.
    pub number: u32,
}

/// The target of an entry.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A verdict or a jump.
    Standard(Verdict),
    /// The head of a user-defined chain, or the end of the table. A packet
    /// that gets here is dropped.
    Error {
        /// The chain's name; may be empty, need not be unique.
        name: &'a [u8],
    },
    /// Everything else.
    Extension(Instance<'a>),
}

/// What a standard target does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The packet passes.
    Accept,
    /// The packet is gone.
    Drop,
    /// Back to the caller, or to the policy of the hook.
    Return,
    /// On at another entry. One to the very next entry is only a step.
    Jump {
        /// Where.
        to: EntryIndex,
        /// Whether it forgets where it came from.
        goto: bool,
    },
    /// To where no entry starts: only in entries that no hook reaches.
    Nowhere,
}

/// The entry that starts at `offset`.
pub(super) fn find(offsets: &[u32], offset: u32) -> Option<EntryIndex> {
    let index = offsets.binary_search(&offset).ok()?;
    u32::try_from(index).ok().map(EntryIndex)
}

/// The entry at `offset` of a checked blob.
pub(super) fn entry<'a>(
    family: Family,
    blob: &'a [u8],
    offsets: &[u32],
    index: EntryIndex,
    offset: u32,
) -> Option<Entry<'a>> {
    let bytes = blob.get(offset as usize..)?;
    let layout = family.entry();
    let ip = IpPart::of(family, bytes)?;
    let target_at = offset_at(bytes, layout.target_offset).ok()?;
    let matches = bytes.get(layout.size..target_at)?;
    let (found, _) = instance(bytes.get(target_at..)?)?;
    let name = found.extension.name();
    let target = if name == extension::standard::NAME.as_bytes() {
        let verdict = read(found.data, 0)?;
        Target::Standard(self::verdict(offsets, verdict, ip.goes()))
    } else if name == extension::error::NAME.as_bytes() {
        let name = c_string(found.data)?;
        Target::Error { name }
    } else {
        Target::Extension(found)
    };
    Some(Entry {
        index,
        offset,
        ip,
        comefrom: read(bytes, layout.comefrom)?,
        target,
        matches,
    })
}

fn verdict(offsets: &[u32], verdict: i32, goto: bool) -> Verdict {
    match verdict {
        VERDICT_ACCEPT => Verdict::Accept,
        VERDICT_RETURN => Verdict::Return,
        0.. => match find(offsets, verdict.unsigned_abs()) {
            Some(to) => Verdict::Jump { to, goto },
            None => Verdict::Nowhere,
        },
        // DROP; QUEUE does not get through `extension::standard`.
        _ => Verdict::Drop,
    }
}

/// The match or target at the start of `bytes`, and its size.
fn instance(bytes: &[u8]) -> Option<(Instance<'_>, usize)> {
    let size: u16 = read(bytes, 0)?;
    let size = usize::from(size);
    let index: RegistryIndex = read(bytes, REGISTRY_INDEX)?;
    let instance = Instance {
        extension: index.extension()?,
        data: bytes.get(EXTENSION..size)?,
        number: read(bytes, NUMBER)?,
    };
    Some((instance, size))
}

/// Brings a checked blob into the form that GET_ENTRIES gives back: what
/// follows the NUL of a name, what extensions keep to themselves, padding and
/// counters are zero. (The kernel leaves the first and the gap behind a
/// target as they are in the caller's buffer.) Callers of another layout are shown more: what
/// is private to an extension with a layout of its own for them, and what is in the
/// padding behind data of which all is given back. So that stays; how many have such is
/// returned.
pub(super) fn normalise(family: Family, blob: &mut [u8], offsets: &[u32]) -> u32 {
    let layout = family.entry();
    let mut kept = 0;
    for &offset in offsets {
        if let Some(entry) = blob.get_mut(offset as usize..) {
            normalise_entry(&layout, entry, &mut kept);
        }
    }
    kept
}

fn normalise_entry(layout: &EntryLayout, entry: &mut [u8], kept: &mut u32) -> Option<()> {
    let zero = Counters { pcnt: 0, bcnt: 0 };
    write(entry, layout.counters, &zero)?;
    let target_at = offset_at(entry, layout.target_offset).ok()?;
    let end_of_entry = offset_at(entry, layout.next_offset).ok()?;
    let mut at = layout.size;
    while at < target_at {
        at += normalise_extension(entry.get_mut(at..)?, kept)?;
    }
    let end = at + normalise_extension(entry.get_mut(at..)?, kept)?;
    entry.get_mut(end..end_of_entry)?.fill(0);
    Some(())
}

/// Returns the size of the match or target at the start of `bytes`.
fn normalise_extension(bytes: &mut [u8], kept: &mut u32) -> Option<usize> {
    let (found, size) = instance(bytes)?;
    let extension = found.extension;
    let mut end = usize::from(extension.user_size);
    let padding = found.data.get(extension.size.into()..).unwrap_or_default();
    let padded = extension.user_size == extension.size && padding.iter().any(|&byte| byte != 0);
    if extension.compat.is_some() || padded {
        *kept = kept.saturating_add(1);
        end = found.data.len();
    }
    let field = bytes.get_mut(NAME..NAME + EXTENSION_NAME_LEN)?;
    let name = c_string(field)?.len();
    field.get_mut(name..)?.fill(0);
    // The kernel half has done it for kernel extensions.
    if let Some(private) = bytes.get_mut(EXTENSION + end..size) {
        private.fill(0);
    }
    Some(size)
}
