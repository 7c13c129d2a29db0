// SPDX-License-Identifier: GPL-2.0-only
//! Which ranges of ports, lengths and times to live a rule asks for.
//!
//! Owns: reading them from where a [`Draft`](super::Draft) has put them, the
//! predicates and ops of a rule, for the index, which leaves out rules by them.
//! A range that an op asks for counts only up to the first op that keeps state,
//! may drop the packet or decides which ops come next: as long as a rule has
//! only asked, one answer of no is enough, whichever it is.

use super::op::kind;
use super::record::{OP, Op, Record, class, flag};
use super::test::{Predicates, Question, Ranged, Test};
use crate::bytes::read;

/// The bits of the class word that stand for predicates.
const PREDICATES: u64 = ((1 << class::PREDICATES) - 1) << class::PREDICATE;

/// First and last.
pub(crate) type Range = [u16; 2];

/// What the records of a table refer to.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The ops of all rules.
    pub(crate) ops: &'a [u8],
    /// The predicates of the table.
    pub(crate) predicates: &'a Predicates,
}

impl Context<'_> {
    /// Calls `f` with each field of which the rule asks a range, or one of
    /// several ranges, and with these.
    pub(crate) fn ranges(&self, record: &Record, f: &mut dyn FnMut(Ranged, &[Range])) {
        // A predicate's bit is zero where it holds.
        let holds = record.class_mask & !record.class;
        if holds & PREDICATES != 0 {
            for (bit, predicate) in self.predicates.iter() {
                if holds >> bit & 1 != 0
                    && let Question::Test(Test {
                        field,
                        mask,
                        low,
                        span,
                        ..
                    }) = predicate.question
                    && let Some(field) = Ranged::of(field as u16)
                {
                    f(field, &range(mask, low, span));
                }
            }
        }
        let mut at = record.ops as usize;
        // Rules without ops have them at 0.
        while at != 0 {
            let Some(op) = read::<Op>(self.ops, at) else {
                return;
            };
            let plain = op.flags & flag::INVERT == 0;
            match op.kind {
                kind::TEST => {
                    if plain && let Some(field) = Ranged::of(op.what) {
                        f(field, &range(op.mask, op.low, op.span));
                    }
                }
                kind::PORTS => {
                    // It asks for those ports whose number is or-ed with 0; for
                    // either of both ports no range is left.
                    let field = match (op.mask, op.low) {
                        (0, 0) => None,
                        (0, _) => Some(Ranged::SourcePort),
                        _ => Some(Ranged::DestinationPort),
                    };
                    if plain
                        && let Some(field) = field
                        && let Some(ranges) = read::<[Range; 15]>(self.ops, at + OP)
                    {
                        f(field, &ranges);
                    }
                }
                kind::INTERFACE => {}
                _ => return,
            }
            if op.flags & flag::LAST != 0 {
                return;
            }
            at += usize::from(op.flags & flag::SIZE);
        }
    }
}

/// What a test asks for; every number where that is no range.
fn range(mask: u32, low: u32, span: u32) -> [Range; 1] {
    let last = low.saturating_add(span);
    match (mask, u16::try_from(low), u16::try_from(last)) {
        (u32::MAX, Ok(first), Ok(last)) => [[first, last]],
        _ => [[0, u16::MAX]],
    }
}
