// SPDX-License-Identifier: GPL-2.0-only
//! Questions that only a program for a netfilter link answers itself: it can
//! read the kernel's structures.
//!
//! Owns: what an extension may ask of a connection, of who sent a packet, and of
//! tables that rules know by name.

use zerocopy::IntoBytes;

use super::{Draft, inverted};
use crate::errno::{Errno, Result};
use crate::ir::kind;
use crate::ir::named::Named;
use crate::ir::record::Op;
use crate::ir::table_ops::{Addresses, LimitRates};
use crate::ir::test::{CT_PRESENT, Field, Test};

/// What a match on details of a connection makes of a packet without one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Untracked {
    /// The rule fails.
    Fails,
    /// The details count as held.
    Holds,
}

impl<'a> Draft<'_, 'a> {
    /// One of the groups of who sent the packet lies in a range, besides
    /// [`Field::Group`].
    pub(crate) fn groups(&mut self, test: &Test) {
        self.out.uses.fields |= 1 << Field::Socket as u32;
        self.test_op(kind::GROUPS, 0, test);
    }

    /// The rule holds only if connection tracking knows the packet, and what
    /// `details` asks of the connection holds.
    pub(crate) fn connection(&mut self, absent: Untracked, details: impl FnOnce(&mut Self)) {
        if self.done {
            return;
        }
        self.uses_connection();
        let absent = match absent {
            Untracked::Fails => None,
            Untracked::Holds => Some(self.or_else()),
        };
        self.detail_field(Test::any_of(Field::Connection, CT_PRESENT));
        if absent.is_some() {
            self.or_fail();
        }
        details(self);
        if let Some(absent) = absent {
            self.here([absent]);
        }
    }

    /// As [`Self::require`], within [`Self::connection`], on what `kind`
    /// finds at `offset` of the connection.
    pub(crate) fn detail(&mut self, kind: u8, offset: i32, test: Test) {
        self.test_op(kind, u16::try_from(offset).unwrap_or(0), &test);
    }

    /// Some rule looks at the packet's connection.
    pub(crate) fn uses_connection(&mut self) {
        self.out.uses.fields |= 1 << Field::Connection as u32;
    }

    /// The table that the match at hand names.
    pub(crate) fn named(&self) -> Result<&'a Named> {
        let named = self.out.named.get(self.number as usize);
        named.ok_or(Errno::EINVAL)
    }

    /// The rule holds only as long as the bucket for such packets has enough.
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
