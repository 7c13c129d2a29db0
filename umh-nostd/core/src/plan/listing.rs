// SPDX-License-Identifier: GPL-2.0-only
//! The rules of a data map as text, for whoever looks for a fault.

use core::fmt;

use super::{Ruleset, data};
use crate::bytes::read;
use crate::ir::{Op, RECORD, Record, flag, op};

/// What a data map says of each rule: a line for its record, and one for each
/// of its ops.
#[derive(Debug)]
pub struct Listing<'a> {
    pub(super) ruleset: &'a Ruleset<'a>,
    pub(super) data: &'a [u8],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in 0..self.ruleset.num_entries() as usize {
            let at = data::RECORDS + rule * RECORD;
            let Some(record) = read::<Record>(self.data, at) else {
                return writeln!(f, "{rule}: cut off");
            };
            writeln!(
                f,
                "{rule}: addresses {:#x}/{:#x} class {:#x}/{:#x} action {}:{}",
                record.addr,
                record.addr_mask,
                record.class,
                record.class_mask,
                record.action & 7,
                record.action >> 3,
            )?;
            self.ops(f, "", record.ops)?;
            if record.malformed_ops != record.ops {
                self.ops(f, " if malformed:", record.malformed_ops)?;
            }
        }
        Ok(())
    }
}

impl Listing<'_> {
    /// The ops from `at` on, which 0 says there are none of.
    fn ops(&self, f: &mut fmt::Formatter<'_>, when: &str, mut at: u32) -> fmt::Result {
        while at != 0 {
            let Some(op) = read::<Op>(self.data, self.ruleset.ops_at() + at as usize) else {
                return writeln!(f, " {when} {at}: cut off");
            };
            writeln!(f, " {when} {at}: {op}")?;
            let size = u32::from(op.flags & flag::SIZE);
            if op.flags & flag::LAST != 0 || size == 0 {
                break;
            }
            at += size;
        }
        Ok(())
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match op::name(self.kind) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "op {}", self.kind)?,
        }
        let Self {
            what,
            mask,
            low,
            span,
            ..
        } = self;
        write!(
            f,
            " what {what:#x} mask {mask:#x} low {low:#x} span {span:#x}"
        )?;
        if self.flags & flag::INVERT != 0 {
            f.write_str(" inverted")?;
        }
        Ok(())
    }
}
