// SPDX-License-Identifier: GPL-2.0-only
//! One rule on its way from the table to its record and ops.
//!
//! Owns: the interface through which the matches of `extension` say what they
//! ask. Everything is asked in the order in which ip_tables
//! asks it, unless the order cannot be noticed: a question that changes
//! nothing may be asked earlier, but not before one that keeps state or may
//! drop the packet.
//!
//! A rule is written twice, once for well-formed packets and once for
//! malformed ones (see [`Packets`]).
//!
//! ```text
//! ip       what ip_packet_match asks
//! ip6      what ip6_packet_match asks
//! asks     questions of matches that keep no state
//! branch   where a match with several questions goes on if one fails
//! state    questions that keep something from packet to packet
//! links    questions that only programs for netfilter links answer
//! ```

mod asks;
mod branch;
mod ip;
mod ip6;
#[cfg(feature = "links")]
mod links;
mod state;

pub use asks::Transport;
pub(crate) use asks::{BOTH_PORTS, CutOff, Payload};
pub(crate) use branch::Jump;
#[cfg(feature = "links")]
pub(crate) use links::Untracked;

use super::op::kind;
use super::output::{Output, SHARED_GUARD};
use super::record::{OP, Op, Record, class, flag};
use super::test::{Field, Predicate, Question, Test};
use crate::abi::IpPart;
use crate::errno::{Errno, Result};
use crate::target::Machine;

/// For which packets a rule is written.
///
/// A malformed packet is one that a match of tcp, udp, icmp or multiport must
/// drop: its transport header is cut off, or it is a TCP fragment that starts
/// at byte 8. So is an IPv6 packet whose chain of headers cannot be followed,
/// which a rule with `IP6T_F_PROTO` drops. The rule that drops it is the first
/// that asks for the header, so for it only bits that are asked before any match
/// count ([`class::MALFORMED_KEEPS`]); everything else is asked by ops, in order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Packets {
    /// Packets whose transport header is there, or which have none.
    WellFormed,
    /// All others.
    Malformed,
}

/// Which part of a rule speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// What ip_packet_match asks.
    Ip,
    /// The matches, which come after that.
    Matches,
}

/// One rule on its way. Extensions say here what they ask, in their order.
#[derive(Debug)]
pub struct Draft<'r, 'a> {
    out: &'r mut Output<'a>,
    record: &'r mut Record,
    packets: Packets,
    part: Part,
    /// Nothing so far keeps state or drops.
    pure: bool,
    /// What follows is never asked.
    done: bool,
    /// Where the rule's ops start.
    start: usize,
    /// Where its last op is.
    last: Option<usize>,
    /// Where the state of the next match that keeps any is.
    state_at: usize,
    /// Of the match at hand: its number, if it is one of x_tables, or that of
    /// the table it names.
    number: u32,
}

impl<'r, 'a> Draft<'r, 'a> {
    /// Starts a rule that asks `ip` first. Its matches, which follow, keep
    /// their state from `state_at` on.
    pub(crate) fn rule(
        out: &'r mut Output<'a>,
        record: &'r mut Record,
        ip: IpPart<'_>,
        packets: Packets,
        state_at: usize,
    ) -> Self {
        let mut draft = Self::new(out, record, packets, Part::Ip, state_at);
        match ip {
            IpPart::V4(ip) => draft.ip(ip),
            IpPart::V6(ip) => draft.ip6(ip),
        }
        draft.part = Part::Matches;
        draft
    }

    fn new(
        out: &'r mut Output<'a>,
        record: &'r mut Record,
        packets: Packets,
        part: Part,
        state_at: usize,
    ) -> Self {
        let start = out.ops.len;
        Self {
            out,
            record,
            packets,
            part,
            pure: true,
            done: false,
            start,
            last: None,
            state_at,
            number: 0,
        }
    }

    /// The match that speaks next has this number.
    pub(crate) fn set_number(&mut self, number: u32) {
        self.number = number;
    }

    /// Ends a rule. Returns where its ops start, 0 if it needs none.
    pub(crate) fn finish(self) -> Result<u32> {
        let Some(last) = self.last else {
            return Ok(0);
        };
        if self.done && last == self.start {
            self.out.ops.len = self.start;
            return Ok(SHARED_GUARD);
        }
        self.out.ops.set_flag(last, flag::LAST);
        u32::try_from(self.start).map_err(|_| Errno::ENOMEM)
    }
}

/// The flag of an op that inverts.
pub(super) fn inverted(invert: bool) -> u8 {
    if invert { flag::INVERT } else { 0 }
}

/// The op of a kind that asks `test`.
fn test_op(kind: u8, what: u16, test: &Test) -> Op {
    Op {
        kind,
        flags: inverted(test.invert),
        what,
        mask: test.mask,
        low: test.low,
        span: test.span,
    }
}

impl<'a> Draft<'_, 'a> {
    /// The rule holds only if the test does.
    pub(crate) fn require(&mut self, test: Test) {
        if self.done {
            return;
        }
        if test.mask == 0 && 0u32.wrapping_sub(test.low) <= test.span && !test.invert {
            // Always.
            return;
        }
        if self.pure && !self.is_malformed() && self.part != Part::Ip && self.port_bits(&test) {
            return;
        }
        let plain = Test {
            invert: false,
            ..test
        };
        if self.ask_beforehand(Question::Test(plain), test.invert) {
            if plain.of_address().is_none() {
                self.out.uses.fields |= 1 << test.field as u32;
            }
            return;
        }
        self.test_op(kind::TEST, test.field as u16, &test);
    }

    /// As [`Self::require`], but inverted by a number that the kernel xors
    /// with the truth: from 2 on the outcome is always true.
    pub(crate) fn require_unless(&mut self, test: Test, invert: u32) {
        if invert < 2 {
            self.require(test.invert_if(invert == 1));
        }
    }

    /// Uses a predicate. For malformed packets only those of the IP part count.
    fn ask_beforehand(&mut self, question: Question, invert: bool) -> bool {
        if !self.pure || (self.is_malformed() && self.part != Part::Ip) {
            return false;
        }
        let predicate = Predicate {
            question,
            ip_part: self.part == Part::Ip,
        };
        match self.out.predicates.bit(predicate, self.out.bitmaps) {
            // The bit says that it does not hold.
            Some(bit) if self.record.class_mask & bit == 0 => {
                self.class(bit, if invert { bit } else { 0 });
                true
            }
            // The same question twice.
            Some(bit) => (self.record.class & bit != 0) == invert,
            None => false,
        }
    }

    /// Asks for the bits that all ports of a range have in common, if they are
    /// free. Whether that says it all.
    fn port_bits(&mut self, test: &Test) -> bool {
        let shift = match test.field {
            Field::SourcePort => class::SOURCE_PORT,
            Field::DestinationPort => class::DESTINATION_PORT,
            _ => return false,
        };
        let high = test.low.saturating_add(test.span);
        let taken = self.record.class_mask & (0xffff << shift) != 0;
        if test.mask != u32::MAX || test.invert || high > 0xffff || taken {
            return false;
        }
        let differ = test.low ^ high;
        let free = u32::MAX.checked_shr(differ.leading_zeros()).unwrap_or(0);
        let bits = |port: u32| u64::from(port & 0xffff) << shift;
        self.class(bits(!free), bits(test.low & !free));
        test.low & free == 0 && test.span == free
    }

    /// Bits of the class word.
    fn class(&mut self, mask: u64, want: u64) {
        self.record.class_mask |= mask;
        self.record.class |= want;
    }

    fn test_op(&mut self, kind: u8, what: u16, test: &Test) {
        if kind == kind::TEST && !self.done {
            self.out.uses.fields |= 1 << test.field as u32;
        }
        self.op(test_op(kind, what, test));
    }

    fn op(&mut self, op: Op) {
        self.op_with(op, &[]);
    }

    /// An op with a payload, and zeros up to a multiple of [`OP`] bytes.
    fn op_with(&mut self, op: Op, payload: &[u8]) {
        if self.done {
            return;
        }
        let start = self.out.ops.len;
        let size = OP + payload.len().next_multiple_of(OP);
        self.out.uses.kinds |= 1 << op.kind;
        self.out.uses.plain_ops |= !self.is_malformed();
        self.last = Some(start);
        self.out.ops.push(&Op {
            flags: op.flags | size as u8,
            ..op
        });
        self.out.ops.push(payload);
        let padding = size - OP - payload.len();
        self.out
            .ops
            .push([0u8; OP].get(..padding).unwrap_or_default());
    }

    /// The machine that the rules are for.
    pub(crate) fn machine(&self) -> &'a Machine {
        self.out.machine
    }

    fn is_malformed(&self) -> bool {
        self.packets == Packets::Malformed
    }
}
