// SPDX-License-Identifier: GPL-2.0-only
//! Valid requests, broken in ways that matter.
//!
//! Owns: the mutations of a REPLACE request: every field of the header and
//! of every entry, match and target set to values at the edges, bytes
//! flipped, entries cut out, doubled and swapped, extensions renamed. A
//! mutation names places by numbers that are taken modulo what there is, so
//! it can be applied to any request, and shrinks well.

mod strategy;

pub use strategy::mutation;

use std::mem::offset_of;

use umh_core::abi::{Entry, ExtensionHeader, IptIp, Replace};
use zerocopy::FromBytes;

use crate::blob::{Bits, Blob, ENTRY, EXTENSION};

/// Bytes of the header of a native request.
const HEADER: usize = size_of::<Replace>();

/// A value for a number, in terms of what the request holds already.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// This one.
    Is(u32),
    /// The old one, and so much more or less.
    Plus(i32),
    /// The start of the entry of this number, and so much more or less.
    Start(u16, i32),
    /// The size of all entries, and so much more or less.
    Size(i32),
}

/// One change.
#[derive(Clone, Debug)]
pub enum Mutation {
    /// A byte anywhere.
    Byte(u32, u8),
    /// A bit anywhere.
    Bit(u32, u8),
    /// A field of the header, by its number in [`HEADER_FIELDS`].
    Header(u8, Value),
    /// A field of an entry, by its number in [`ENTRY_FIELDS`].
    Entry(u16, u8, Value),
    /// `match_size`, of a match of the entry.
    MatchSize(u16, u8, Value),
    /// `target_size`.
    TargetSize(u16, Value),
    /// A verdict, if the target is a standard one.
    Verdict(u16, Value),
    /// The name and revision of a match.
    MatchName(u16, u8, Name),
    /// The name and revision of a target.
    TargetName(u16, Name),
    /// A byte of a match's data.
    MatchData(u16, u8, u8, u8),
    /// A byte of a target's data.
    TargetData(u16, u8, u8),
    /// The entry goes; counts and sizes are kept right if the flag says so.
    Remove(u16, bool),
    /// The entry stands there twice.
    Double(u16, bool),
    /// Two entries change places.
    Swap(u16, u16),
    /// The length that is passed.
    Len(Value),
    /// The length and the size in the header, both so much more or less.
    Claim(i32),
}

/// A name for an extension.
#[derive(Clone, Debug)]
pub enum Name {
    /// This name and revision.
    Known(&'static str, u8),
    /// The old name, but not ended by a NUL.
    Unterminated,
    /// Garbage after the old name's NUL.
    Garbage,
    /// The old name in another revision.
    Revision(u8),
    /// This name in the old revision.
    Only(&'static str),
}

/// The numbers of the header: name and offset.
pub const HEADER_FIELDS: [(&str, usize); 14] = [
    ("valid_hooks", offset_of!(Replace, valid_hooks)),
    ("num_entries", offset_of!(Replace, num_entries)),
    ("size", offset_of!(Replace, size)),
    ("num_counters", offset_of!(Replace, num_counters)),
    ("hook_entry[0]", offset_of!(Replace, hook_entry)),
    ("hook_entry[1]", offset_of!(Replace, hook_entry) + 4),
    ("hook_entry[2]", offset_of!(Replace, hook_entry) + 8),
    ("hook_entry[3]", offset_of!(Replace, hook_entry) + 12),
    ("hook_entry[4]", offset_of!(Replace, hook_entry) + 16),
    ("underflow[0]", offset_of!(Replace, underflow)),
    ("underflow[1]", offset_of!(Replace, underflow) + 4),
    ("underflow[2]", offset_of!(Replace, underflow) + 8),
    ("underflow[3]", offset_of!(Replace, underflow) + 12),
    ("underflow[4]", offset_of!(Replace, underflow) + 16),
];

/// The numbers of an entry: name, offset, size.
pub const ENTRY_FIELDS: [(&str, usize, usize); 16] = [
    ("src", offset_of!(IptIp, src), 4),
    ("dst", offset_of!(IptIp, dst), 4),
    ("smsk", offset_of!(IptIp, smsk), 4),
    ("dmsk", offset_of!(IptIp, dmsk), 4),
    ("iniface", offset_of!(IptIp, iniface), 4),
    ("outiface", offset_of!(IptIp, outiface), 4),
    ("iniface_mask", offset_of!(IptIp, iniface_mask), 4),
    ("outiface_mask", offset_of!(IptIp, outiface_mask), 4),
    ("proto", offset_of!(IptIp, proto), 2),
    ("flags", offset_of!(IptIp, flags), 1),
    ("invflags", offset_of!(IptIp, invflags), 1),
    ("nfcache", offset_of!(Entry, nfcache), 4),
    ("target_offset", offset_of!(Entry, target_offset), 2),
    ("next_offset", offset_of!(Entry, next_offset), 2),
    ("comefrom", offset_of!(Entry, comefrom), 4),
    ("counters", offset_of!(Entry, counters), 4),
];

/// A request, no longer certain to make sense.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mutant {
    /// The length that is passed.
    pub len: u32,
    /// Header and entries.
    pub bytes: Vec<u8>,
    /// Whose layout they have.
    pub bits: Bits,
}

impl Mutant {
    /// A request that has not been touched yet.
    pub fn new(blob: &Blob) -> Self {
        let bytes = blob.bytes();
        Self {
            len: bytes.len() as u32,
            bytes,
            bits: blob.bits,
        }
    }

    /// Bytes of the header.
    pub fn head(&self) -> usize {
        self.bits.replace()
    }

    /// The header as it stands now.
    pub fn header(&self) -> Replace {
        let mut bytes = [0; HEADER];
        bytes[..self.head()].copy_from_slice(&self.bytes[..self.head()]);
        Replace::read_from_bytes(&bytes).expect("a header")
    }

    /// The entries as they stand now.
    pub fn entries(&self) -> &[u8] {
        &self.bytes[self.head()..]
    }

    /// The starts of what still can be taken for entries, in the request.
    pub fn starts(&self) -> Vec<usize> {
        let mut starts = Vec::new();
        let mut at = self.head();
        while at + ENTRY < self.bytes.len() {
            starts.push(at);
            let next = usize::from(self.u16(at + offset_of!(Entry, next_offset)));
            if next < ENTRY {
                break;
            }
            at += next;
        }
        starts
    }

    /// The matches of the entry at `at`, as far as they can be told.
    pub fn matches(&self, at: usize) -> Vec<usize> {
        let Some(target) = self.target(at) else {
            return Vec::new();
        };
        let mut matches = Vec::new();
        let mut place = at + ENTRY;
        while place + EXTENSION <= target {
            matches.push(place);
            let size = usize::from(self.u16(place));
            if size < EXTENSION {
                break;
            }
            place += size;
        }
        matches
    }

    /// The target of the entry at `at`, if there is room for one.
    pub fn target(&self, at: usize) -> Option<usize> {
        let target = at + usize::from(self.u16(at + offset_of!(Entry, target_offset)));
        (target + EXTENSION <= self.bytes.len()).then_some(target)
    }

    fn u16(&self, at: usize) -> u16 {
        self.bytes
            .get(at..at + 2)
            .map_or(0, |b| u16::from_ne_bytes([b[0], b[1]]))
    }

    /// Sets a number of 1, 2 or 4 bytes, if it lies within the request.
    fn set(&mut self, at: usize, size: usize, value: Value) {
        let starts = self.starts();
        let head = self.head();
        let all = (self.bytes.len() - head) as u32;
        let Some(field) = self.bytes.get_mut(at..at + size) else {
            return;
        };
        let mut old = [0u8; 4];
        old[..size].copy_from_slice(field);
        let new = match value {
            Value::Is(value) => value,
            Value::Plus(more) => u32::from_ne_bytes(old).wrapping_add_signed(more),
            Value::Start(entry, more) => {
                let start = starts[usize::from(entry) % starts.len().max(1)] - head;
                (start as u32).wrapping_add_signed(more)
            }
            Value::Size(more) => all.wrapping_add_signed(more),
        };
        field.copy_from_slice(&new.to_ne_bytes()[..size]);
    }

    fn name(&mut self, at: usize, name: &Name) {
        let name_at = at + offset_of!(ExtensionHeader, name);
        let revision_at = at + offset_of!(ExtensionHeader, revision);
        let Some(field) = self.bytes.get_mut(name_at..=revision_at) else {
            return;
        };
        let last = field.len() - 1;
        let end = field[..last].iter().position(|byte| *byte == 0);
        match name {
            Name::Known(text, _) | Name::Only(text) => {
                field[..last].fill(0);
                field[..text.len()].copy_from_slice(text.as_bytes());
                if let Name::Known(_, revision) = name {
                    field[last] = *revision;
                }
            }
            Name::Unterminated => {
                if let Some(end) = end {
                    field[end..last].fill(b'x');
                }
            }
            Name::Garbage => {
                if let Some(end) = end {
                    field[end + 1..last].fill(b'g');
                }
            }
            Name::Revision(revision) => field[last] = *revision,
        }
    }

    /// Applies one change; one that has nothing to change does nothing.
    pub fn apply(&mut self, mutation: &Mutation) {
        let starts = self.starts();
        let entry = |number: u16| {
            starts
                .get(usize::from(number) % starts.len().max(1))
                .copied()
        };
        let nth_match = |this: &Self, number: u16, nth: u8| {
            let matches = this.matches(entry(number)?);
            matches
                .get(usize::from(nth) % matches.len().max(1))
                .copied()
        };
        match mutation {
            Mutation::Byte(at, value) => {
                let at = *at as usize % self.bytes.len();
                self.bytes[at] = *value;
            }
            Mutation::Bit(at, bit) => {
                let at = *at as usize % self.bytes.len();
                self.bytes[at] ^= 1 << (bit % 8);
            }
            Mutation::Header(field, value) => {
                let (_, at) = HEADER_FIELDS[usize::from(*field) % HEADER_FIELDS.len()];
                self.set(at, 4, *value);
            }
            Mutation::Entry(number, field, value) => {
                let (_, offset, size) = ENTRY_FIELDS[usize::from(*field) % ENTRY_FIELDS.len()];
                if let Some(at) = entry(*number) {
                    self.set(at + offset, size, *value);
                }
            }
            Mutation::MatchSize(number, nth, value) => {
                if let Some(at) = nth_match(self, *number, *nth) {
                    self.set(at, 2, *value);
                }
            }
            Mutation::TargetSize(number, value) => {
                if let Some(at) = entry(*number).and_then(|at| self.target(at)) {
                    self.set(at, 2, *value);
                }
            }
            Mutation::Verdict(number, value) => {
                if let Some(at) = entry(*number).and_then(|at| self.target(at))
                    && self.bytes[at + 2] == 0
                {
                    self.set(at + EXTENSION, 4, *value);
                }
            }
            Mutation::MatchName(number, nth, name) => {
                if let Some(at) = nth_match(self, *number, *nth) {
                    self.name(at, name);
                }
            }
            Mutation::TargetName(number, name) => {
                if let Some(at) = entry(*number).and_then(|at| self.target(at)) {
                    self.name(at, name);
                }
            }
            Mutation::MatchData(number, nth, offset, value) => {
                if let Some(at) = nth_match(self, *number, *nth) {
                    let room = usize::from(self.u16(at)).saturating_sub(EXTENSION).max(1);
                    let at = at + EXTENSION + usize::from(*offset) % room;
                    if let Some(byte) = self.bytes.get_mut(at) {
                        *byte = *value;
                    }
                }
            }
            Mutation::TargetData(number, offset, value) => {
                if let Some(at) = entry(*number).and_then(|at| self.target(at)) {
                    let at = at + EXTENSION + usize::from(*offset) % 32;
                    if let Some(byte) = self.bytes.get_mut(at) {
                        *byte = *value;
                    }
                }
            }
            Mutation::Remove(number, honest) => {
                if let Some((start, end)) = entry(*number).and_then(|at| self.extent(at)) {
                    self.bytes.drain(start..end);
                    self.changed(*honest, -1, start as i64 - end as i64);
                }
            }
            Mutation::Double(number, honest) => {
                if let Some((start, end)) = entry(*number).and_then(|at| self.extent(at)) {
                    let copy = self.bytes[start..end].to_vec();
                    self.bytes.splice(end..end, copy);
                    self.changed(*honest, 1, end as i64 - start as i64);
                }
            }
            Mutation::Swap(a, b) => {
                let a = entry(*a).and_then(|at| self.extent(at));
                let b = entry(*b).and_then(|at| self.extent(at));
                if let (Some(a), Some(b)) = (a, b) {
                    let (a, b) = if a < b { (a, b) } else { (b, a) };
                    if a.1 <= b.0 {
                        let mut swapped = self.bytes[b.0..b.1].to_vec();
                        swapped.extend_from_slice(&self.bytes[a.1..b.0]);
                        swapped.extend_from_slice(&self.bytes[a.0..a.1]);
                        self.bytes[a.0..b.1].copy_from_slice(&swapped);
                    }
                }
            }
            Mutation::Claim(more) => {
                self.len = self.len.wrapping_add_signed(*more);
                self.set(offset_of!(Replace, size), 4, Value::Plus(*more));
            }
            Mutation::Len(value) => {
                self.len = match *value {
                    Value::Is(value) => value,
                    Value::Plus(more) => self.len.wrapping_add_signed(more),
                    Value::Start(number, more) => {
                        (entry(number).unwrap_or(0) as u32).wrapping_add_signed(more)
                    }
                    Value::Size(more) => (self.bytes.len() as u32).wrapping_add_signed(more),
                };
            }
        }
    }

    fn extent(&self, at: usize) -> Option<(usize, usize)> {
        let end = at + usize::from(self.u16(at + offset_of!(Entry, next_offset)));
        (end > at && end <= self.bytes.len()).then_some((at, end))
    }

    /// After entries came or went: the length that is passed follows, and, if
    /// the caller is to stay honest, the numbers in the header do too.
    fn changed(&mut self, honest: bool, entries: i32, bytes: i64) {
        self.len = self.len.wrapping_add_signed(bytes as i32);
        if honest {
            self.set(offset_of!(Replace, num_entries), 4, Value::Plus(entries));
            self.set(offset_of!(Replace, size), 4, Value::Plus(bytes as i32));
        }
    }
}
