// SPDX-License-Identifier: GPL-2.0-only
//! Questions that keep something from packet to packet.
//!
//! Owns: which place of the state map such a question uses. What stands behind one of them must not be asked before it.

use super::{Draft, inverted};
use crate::errno::{Errno, Result};
use crate::ir::kind;
use crate::ir::record::{BUCKET, Bucket, Op};

impl Draft<'_, '_> {
    /// A place in the state map for what a match keeps, at the start `initial`.
    fn state(&mut self, initial: Bucket) -> Result<u32> {
        // Malformed packets draw from the buckets of all others.
        if self.state_at == self.out.state.len {
            self.out.state.push(&initial);
        }
        let place = u32::try_from(self.state_at).map_err(|_| Errno::ENOMEM)?;
        self.state_at += BUCKET;
        Ok(place)
    }

    /// A question that changes what is kept in the state map.
    fn stateful(&mut self, initial: Bucket, op: Op) -> Result<()> {
        if self.done {
            return Ok(());
        }
        let mask = self.state(initial)?;
        self.op(Op { mask, ..op });
        self.pure = false;
        Ok(())
    }

    /// The rule holds only as long as a token bucket has enough.
    pub(crate) fn limit(&mut self, credit: u32, cap: u32, cost: u32) -> Result<()> {
        let initial = Bucket {
            credit,
            ..Bucket::default()
        };
        self.stateful(
            initial,
            Op {
                kind: kind::LIMIT,
                low: cost,
                span: cap,
                ..Op::default()
            },
        )
    }

    /// The rule holds only for one packet in `every` + 1.
    pub(crate) fn nth(&mut self, every: u32, count: u32, invert: bool) -> Result<()> {
        self.counted(kind::NTH, count.into(), every, invert)
    }

    /// The rule holds only as long as there are bytes left.
    pub(crate) fn quota(&mut self, bytes: u64, invert: bool) -> Result<()> {
        self.counted(kind::QUOTA, bytes, 0, invert)
    }

    fn counted(&mut self, kind: u8, previous: u64, low: u32, invert: bool) -> Result<()> {
        let initial = Bucket {
            previous,
            ..Bucket::default()
        };
        let op = Op {
            kind,
            flags: inverted(invert),
            low,
            ..Op::default()
        };
        self.stateful(initial, op)
    }
}
