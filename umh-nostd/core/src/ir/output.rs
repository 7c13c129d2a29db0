// SPDX-License-Identifier: GPL-2.0-only
//! What all rules of a table are written to.
//!
//! Owns: the streams of ops and of kept state, each of which goes on counting
//! when its memory is full, and the record of what the rules look at.

use zerocopy::IntoBytes;

#[cfg(feature = "links")]
use super::named::Named;
use super::op::kind;
use super::record::{OP, Op, flag};
use super::test::Predicates;
use super::words::Words;
use crate::bytes::write;
use crate::target::Machine;

/// Where ops and buckets go. With no room it only counts, so that the same
/// code finds out how much room there must be.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    bytes: &'a mut [u8],
    /// Bytes so far, whether there was room or not.
    pub(crate) len: usize,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    /// What has room.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    pub(super) fn push<T: IntoBytes + zerocopy::Immutable + ?Sized>(&mut self, value: &T) {
        // Without room there is nothing to write to.
        let _ = write(self.bytes, self.len, value);
        self.len += size_of_val(value);
    }

    /// Sets a flag of an op that has been pushed.
    pub(super) fn set_flag(&mut self, op: usize, flag: u8) {
        if let Some(flags) = self.bytes.get_mut(op + core::mem::offset_of!(Op, flags)) {
            *flags |= flag;
        }
    }

    pub(super) fn set_low(&mut self, op: usize, low: u32) {
        let _ = write(self.bytes, op + core::mem::offset_of!(Op, low), &low);
    }
}

/// What of a packet the rules of a table look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uses {
    /// `1 << Field`.
    pub fields: u32,
    /// `1 << kind` of the ops.
    pub kinds: u64,
    /// There are ops that packets are asked which are not malformed.
    pub plain_ops: bool,
    /// The transport header.
    pub transport: bool,
    /// Names of the incoming and of the outgoing interface.
    pub interfaces: [bool; 2],
    /// Targets that are no verdicts.
    pub targets: bool,
}

/// What all rules of a table are written to, and what they are written for.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    /// The machine that the rules are for.
    pub(crate) machine: &'a Machine,
    /// The named tables of the rules, by number.
    #[cfg(feature = "links")]
    pub(crate) named: &'a [Named],
    /// The table is long enough for rule bitmaps, see `plan::index`: a range
    /// that one rule asks for gets no predicate, because bitmaps tell as much.
    pub(crate) bitmaps: bool,
    /// Which words of IPv6 addresses stand in records.
    pub(crate) words: Words,
    /// The ops of all rules.
    pub(crate) ops: Sink<'a>,
    /// What matches keep from packet to packet, at its start.
    pub(crate) state: Sink<'a>,
    /// The questions that are asked once for each packet.
    pub(crate) predicates: &'a mut Predicates,
    /// What the rules look at.
    pub(crate) uses: &'a mut Uses,
}

/// Where the op stands that asks a malformed packet for its transport header,
/// and drops it or lets the rule fail. Most rules need no other op for
/// malformed packets, so they share this one.
pub(super) const SHARED_GUARD: u32 = OP as u32;

impl Output<'_> {
    /// Writes the ops that every table starts with: one that is never reached,
    /// so that no rule's ops start at 0, and the shared guard.
    pub(crate) fn start(&mut self) {
        self.ops.push(&Op::default());
        self.ops.push(&Op {
            kind: kind::GUARD,
            flags: flag::LAST | OP as u8,
            ..Op::default()
        });
    }
}
