// SPDX-License-Identifier: GPL-2.0-only
//! The request that most others are made from, and ways to change it.
//!
//! Owns: [`base`], a small valid table, and edits of its bytes by entry number
//! and field.

use std::mem::offset_of;

use umh_core::abi::{Entry, ExtensionHeader, IptIp, VERDICT_ACCEPT, VERDICT_DROP};
use zerocopy::FromZeros;

use crate::blob::{Blob, Chain, EXTENSION, Extension, Rule, Table, Target};

/// The entries of [`base`].
pub(super) mod entry {
    /// INPUT: `-p tcp -m tcp --dport 80 -j chain`
    pub(in super::super) const TCP: usize = 0;
    /// INPUT: `-j DROP`
    pub(in super::super) const DROP: usize = 1;
    /// INPUT's policy
    pub(in super::super) const INPUT: usize = 2;
    /// FORWARD's policy
    pub(in super::super) const FORWARD: usize = 3;
    /// OUTPUT's policy
    pub(in super::super) const OUTPUT: usize = 4;
    /// The head of `chain`
    pub(in super::super) const HEAD: usize = 5;
    /// `-m comment` with no target
    pub(in super::super) const COMMENT: usize = 6;
    /// The end of `chain`
    pub(in super::super) const RETURN: usize = 7;
    /// The end of the table
    pub(in super::super) const END: usize = 8;
}

pub(super) fn tcp() -> Rule {
    let mut ip = IptIp::new_zeroed();
    ip.proto = 6;
    Rule {
        ip,
        matches: vec![tcp_match(0)],
        target: Target::Jump(0),
    }
}

pub(super) fn tcp_match(invert: u8) -> Extension {
    let mut data = [0, 0, 0xff, 0xff, 80, 0, 80, 0, 0, 0, 0, invert];
    data[2..4].copy_from_slice(&u16::MAX.to_ne_bytes());
    Extension::new("tcp", 0, data)
}

fn table() -> Table {
    let comment = Rule {
        ip: IptIp::new_zeroed(),
        matches: vec![Extension::new("comment", 0, [b'x'; 256])],
        target: Target::Next,
    };
    Table {
        builtin: [
            vec![tcp(), Rule::any(Target::Verdict(VERDICT_DROP))],
            Vec::new(),
            Vec::new(),
        ],
        policy: [VERDICT_ACCEPT; 3],
        chains: vec![Chain {
            name: "chain".to_owned(),
            rules: vec![comment],
        }],
    }
}

/// A small valid request, the start of most others; its entries are those of
/// [`entry`].
pub fn base() -> Blob {
    table().blob()
}

pub(super) const FLAGS: usize = offset_of!(IptIp, flags);
pub(super) const INVFLAGS: usize = offset_of!(IptIp, invflags);
pub(super) const PROTO: usize = offset_of!(IptIp, proto);
pub(super) const TARGET_OFFSET: usize = offset_of!(Entry, target_offset);
pub(super) const NEXT_OFFSET: usize = offset_of!(Entry, next_offset);
pub(super) const NAME: usize = offset_of!(ExtensionHeader, name);
pub(super) const REVISION: usize = offset_of!(ExtensionHeader, revision);

impl Blob {
    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        self.entries[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Puts bytes at a place of an entry.
    pub(super) fn field(&mut self, number: usize, field: usize, bytes: &[u8]) {
        let start = self.offsets[number];
        self.put(start + field, bytes);
    }

    pub(super) fn field16(&mut self, number: usize, field: usize, value: u16) {
        self.field(number, field, &value.to_ne_bytes());
    }

    pub(super) fn get16(&self, number: usize, field: usize) -> u16 {
        let at = self.offsets[number] + field;
        u16::from_ne_bytes([self.entries[at], self.entries[at + 1]])
    }

    /// Puts bytes at a place of an entry's target.
    pub(super) fn target(&mut self, number: usize, field: usize, bytes: &[u8]) {
        let target = usize::from(self.get16(number, TARGET_OFFSET));
        self.field(number, target + field, bytes);
    }

    pub(super) fn verdict(&mut self, number: usize, verdict: i32) {
        self.target(number, EXTENSION, &verdict.to_ne_bytes());
    }

    /// A jump to `bytes` behind the start of an entry.
    pub(super) fn jump(&mut self, number: usize, to: usize, bytes: i32) {
        self.verdict(number, self.offsets[to] as i32 + bytes);
    }

    /// Makes an entry longer by zeros, at its end.
    pub(super) fn grow(&mut self, number: usize, bytes: usize) {
        let next = self.get16(number, NEXT_OFFSET);
        let end = self.offsets[number] + usize::from(next);
        self.entries.splice(end..end, vec![0; bytes]);
        self.field16(number, NEXT_OFFSET, next + bytes as u16);
        self.header.size += bytes as u32;
        let start = self.offset(number);
        for offset in &mut self.offsets[number + 1..] {
            *offset += bytes;
        }
        let hooks = &mut self.header.hook_entry[1..4];
        for hook in hooks.iter_mut().chain(&mut self.header.underflow[1..4]) {
            if *hook > start {
                *hook += bytes as u32;
            }
        }
    }

    /// Cuts the entries off.
    pub(super) fn cut(&mut self, size: usize) {
        self.entries.truncate(size);
        self.header.size = size as u32;
    }

    pub(super) fn offset(&self, number: usize) -> u32 {
        self.offsets[number] as u32
    }
}
