// SPDX-License-Identifier: GPL-2.0-only
//! Questions that keep something from packet to packet.
//!
//! Owns: which place of the state map, or which named table, such a question
//! uses. What stands behind one of them must not be asked before it.

#[cfg(feature = "links")]
use zerocopy::IntoBytes;

use super::{Draft, inverted};
use crate::errno::{Errno, Result};
use crate::ir::kind;
#[cfg(feature = "links")]
use crate::ir::named::Named;
#[cfg(feature = "links")]
use crate::ir::record::{Addresses, LimitRates};
use crate::ir::record::{BUCKET, Bucket, Op};
#[cfg(feature = "links")]
use crate::ir::test::Field;

impl<'a> Draft<'_, 'a> {
    /// A place in the state map for what a match keeps, at the start `initial`.
    fn state(&mut self, initial: Bucket) -> Result<u32> {
        // Odd packets draw from the buckets of all others.
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

    /// The table that the match at hand names.
    #[cfg(feature = "links")]
    pub(crate) fn named(&self) -> Result<&'a Named> {
        let named = self.out.named.get(self.number as usize);
        named.ok_or(Errno::EINVAL)
    }

    /// The rule holds only as long as the bucket for such packets has enough.
    #[cfg(feature = "links")]
    pub(crate) fn hashlimit(&mut self, how: u8, masks: [u32; 2], invert: bool, rates: &LimitRates) {
        let [low, span] = masks;
        let op = Op {
            kind: kind::HASHLIMIT,
            flags: inverted(invert),
            what: how.into(),
            mask: self.number,
            low,
            span,
        };
        self.op_with(op, rates.as_bytes());
        self.pure = false;
    }

    /// The rule holds only if its table of addresses says so.
    #[cfg(feature = "links")]
    pub(crate) fn recent(&mut self, how: u8, invert: bool, times: u32, seconds: u32) -> Result<()> {
        if self.done {
            return Ok(());
        }
        self.out.uses.fields |= 1 << Field::TtlBefore as u32;
        let table = self.named()?;
        let op = Op {
            kind: kind::RECENT,
            flags: inverted(invert),
            what: u16::from(how) | (table.array() as u16) << 8,
            mask: table.mask,
            low: times,
            // The kernel multiplies in 32 bits.
            span: seconds.wrapping_mul(self.out.machine.host.hz),
        };
        let payload = Addresses {
            number: self.number,
            times: table.stamps,
        };
        self.op_with(op, payload.as_bytes());
        self.pure = false;
        Ok(())
    }
}
