// SPDX-License-Identifier: GPL-2.0-only
//! From the table to what the programs search.
//!
//! Owns: the contents of the data map (records, ops, index) and of the state
//! map, and what the programs must know to be built for them.
//!
//! The position of a packet is the index of an entry, as in ipt_do_table:
//! every entry is a rule, heads of chains and policies too, and a rule that
//! does not match is followed by the next entry. So the one question that
//! has to be answered fast is "which is the first entry from this one on that
//! matches", and everything else is what ip_tables does.
//!
//! ```text
//! record   what a rule looks like in the map
//! test     stateless questions, and those that are asked beforehand
//! lower    one rule of the table -> its record and ops
//! index    which rules need not be looked at
//! ```
//!
//! A table is lowered twice: [`Ruleset::plan`] counts, [`Ruleset::write`]
//! writes into memory of the size that came out, which may be a map's.

mod index;
mod lower;
mod record;
mod test;

pub(crate) use index::{
    BUCKET_RULES, DE_BRUIJN, FACTORS, GROUP, Group, HASH_BUCKET, Index, ROW_BYTES_MAX, Rows,
};
pub use lower::{Draft, Transport, Uses};
pub use record::Bucket;
pub use record::{Action, LONGEST_OP, OP, Op, Pattern, RECORD, Record, class};
pub(crate) use record::{BUCKET, action, flag, kind};
pub use test::{
    CT_INVALID, CT_NAT, CT_ORIGINAL, CT_PRESENT, CT_UNTRACKED, FIELDS, Field, Predicate,
    Predicates, Question, Test,
};

use crate::bytes::write;
use crate::errno::{Errno, Result};
use crate::program::Kernel;
use crate::table::{Entry, Table, Target, Verdict};
use index::{SHORT, Survey};
use lower::{Lowering, Sink};

/// Bytes of a rule's counters in a row of the counter map.
pub const COUNTERS: usize = 16;

/// Return positions that a program's stack frame has room for.
pub(crate) const IN_FRAME: usize = 32;

/// Records behind the last rule that match every packet, so that a search
/// that looks at several records at once needs one check for all.
pub(crate) const SENTINELS: usize = 4;

/// Where things are in the data map.
pub(crate) mod data {
    /// Eight bytes of zero, which the verifier does not know to be zero.
    pub(crate) const ZERO: usize = 0;
    /// The bits of the class word that count for an odd packet.
    pub(crate) const ODD_KEEPS: usize = 8;
    /// Which bit a power of two is, by the upper six bits of its product.
    pub(crate) const BIT_NUMBERS: usize = 64;
    /// The records.
    pub(crate) const RECORDS: usize = 128;
}

/// A table made ready for the programs.
#[derive(Debug)]
pub struct Ruleset<'t> {
    table: &'t Table<'t>,
    kernel: Kernel,
    hz: u32,
    cpus: u32,
    predicates: Predicates,
    uses: Uses,
    ops_len: usize,
    state_len: usize,
    index: Index,
}

impl<'t> Ruleset<'t> {
    /// Finds out what `table` needs, for a machine of `cpus` possible CPUs.
    pub fn plan(table: &'t Table<'t>, kernel: &Kernel, hz: u32, cpus: u32) -> Result<Self> {
        let mut ruleset = Self {
            table,
            kernel: *kernel,
            hz,
            cpus,
            predicates: Predicates::default(),
            uses: Uses::default(),
            ops_len: 0,
            state_len: 0,
            index: Index::default(),
        };
        // What rules need for odd packets depends on whether there are any.
        ruleset.lower(&mut [], &mut [], &mut |_, _| Ok(()))?;
        ruleset.uses = Uses {
            transport: ruleset.uses.transport,
            ..Uses::default()
        };
        let mut survey = Survey::default();
        let (ops, state) = ruleset.lower(&mut [], &mut [], &mut |_, record| {
            survey.add(record);
            Ok(())
        })?;
        if table.num_entries() > SHORT {
            ruleset.index = survey.groups();
        }
        ruleset.ops_len = ops;
        ruleset.state_len = state;
        Ok(ruleset)
    }

    /// Writes the contents of both maps, which must be zero. Comes before the
    /// programs are built: only now is it known how the index turns out.
    pub fn write(&mut self, data: &mut [u8], state: &mut [u8]) -> Result<()> {
        if data.len() < self.data_len() || state.len() < self.state_len() {
            return Err(Errno::EINVAL);
        }
        let (records, rest) = data
            .split_at_mut_checked(self.ops_at())
            .ok_or(Errno::EINVAL)?;
        let (ops, index) = rest
            .split_at_mut_checked(self.index_at() - self.ops_at())
            .ok_or(Errno::EINVAL)?;
        let mut plan = self.index.clone();
        let rules = self.num_entries();
        plan.start(index)?;
        let written = self.lower(ops, state, &mut |number, record| {
            let mut record = *record;
            if plan.is_used() {
                let entry = u32::try_from(number).map_err(|_| Errno::ENOMEM)?;
                record.indexed = plan.add(index, entry, rules, &record)?;
            }
            write(records, data::RECORDS + number * RECORD, &record).ok_or(Errno::EINVAL)
        })?;
        if plan.is_used() {
            plan.finish(index, rules)?;
        }
        let sentinel = Record {
            action: Action::Drop.encode(),
            ..Record::default()
        };
        for index in self.num_entries() as usize..self.num_entries() as usize + SENTINELS {
            write(records, data::RECORDS + index * RECORD, &sentinel).ok_or(Errno::EINVAL)?;
        }
        write(records, data::ODD_KEEPS, &self.predicates.odd_keeps()).ok_or(Errno::EINVAL)?;
        for bit in 0..64u8 {
            let at = data::BIT_NUMBERS + (DE_BRUIJN << bit >> 58) as usize;
            write(records, at, &bit).ok_or(Errno::EINVAL)?;
        }
        self.index = plan;
        // The same code has counted.
        if written != (self.ops_len, self.state_len) {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// Lowers every entry; returns the bytes of all ops and of all state. One
    /// copy of this code serves all callers: its size counts, a call does not.
    fn lower(
        &mut self,
        ops: &mut [u8],
        state: &mut [u8],
        put: &mut dyn FnMut(usize, &Record) -> Result<()>,
    ) -> Result<(usize, usize)> {
        let mut lowering = Lowering {
            kernel: &self.kernel,
            hz: self.hz,
            ops: Sink::new(ops),
            state: Sink::new(state),
            predicates: &mut self.predicates,
            uses: &mut self.uses,
        };
        lowering.start();
        for entry in self.table.entries() {
            let mut record = lowering.rule(&entry)?;
            record.action = action(&entry)?.encode();
            put(entry.index.0 as usize, &record)?;
        }
        Ok((lowering.ops.len, lowering.state.len))
    }

    /// Bytes of the data map.
    pub fn data_len(&self) -> usize {
        self.index_at() + self.index.len(self.num_entries() as usize)
    }

    /// Bytes of the state map; there is always one.
    pub fn state_len(&self) -> usize {
        let places = self.deep_places() as usize * self.deep_place_len();
        (self.state_len + places).max(BUCKET)
    }

    /// How many returns may be pending that have no room in a stack frame.
    fn deep_returns(&self) -> usize {
        (self.table.jump_depth() as usize).saturating_sub(IN_FRAME)
    }

    /// Where in the state map the places for them are.
    pub(crate) fn deep_at(&self) -> usize {
        self.state_len
    }

    /// Bytes of a place: whether it is taken, and return positions.
    pub(crate) fn deep_place_len(&self) -> usize {
        8 + (self.deep_returns() * 4).next_multiple_of(8)
    }

    /// Number of places: a run on each CPU in a process and one in a bottom
    /// half that interrupts it, twice that for processes that were preempted.
    pub(crate) fn deep_places(&self) -> u32 {
        match self.deep_returns() {
            0 => 0,
            _ => 4 * self.cpus + 8,
        }
    }

    /// Bytes of the counter map: a row for each CPU, and one for the helper.
    pub fn counters_len(&self) -> Result<usize> {
        let rows = self.cpus as usize + 1;
        let len = (self.num_entries() as usize * COUNTERS).checked_mul(rows);
        len.ok_or(Errno::ENOMEM)
    }

    /// The table.
    pub fn table(&self) -> &Table<'t> {
        self.table
    }

    pub(crate) fn num_entries(&self) -> u32 {
        self.table.num_entries()
    }

    pub(crate) fn ops_at(&self) -> usize {
        data::RECORDS + (self.num_entries() as usize + SENTINELS) * RECORD
    }

    /// Where the index starts. Any op may be read as the longest.
    pub(crate) fn index_at(&self) -> usize {
        (self.ops_at() + self.ops_len + LONGEST_OP).next_multiple_of(64)
    }

    /// How rules are found: by hash tables, by rows of bits. Known once the
    /// maps are written.
    pub fn indexed_by(&self) -> [bool; 2] {
        [self.index.num_groups() != 0, self.index.rows().is_some()]
    }

    /// The index.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Where the last op may start.
    pub(crate) fn last_op(&self) -> usize {
        self.ops_len
    }

    /// Where the last bucket may start.
    pub(crate) fn last_bucket(&self) -> usize {
        self.state_len.saturating_sub(BUCKET)
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    pub(crate) fn hz(&self) -> u32 {
        self.hz
    }

    pub(crate) fn cpus(&self) -> u32 {
        self.cpus
    }

    pub(crate) fn uses(&self) -> &Uses {
        &self.uses
    }

    pub(crate) fn predicates(&self) -> &Predicates {
        &self.predicates
    }
}

/// What happens to a packet that the entry matches.
fn action(entry: &Entry<'_>) -> Result<Action> {
    let next = entry.index.0 + 1;
    Ok(match entry.target {
        Target::Standard(Verdict::Accept) => Action::Accept,
        // ipt_error drops.
        Target::Standard(Verdict::Drop | Verdict::Nowhere) | Target::Error { .. } => Action::Drop,
        Target::Standard(Verdict::Return) => Action::Return,
        Target::Standard(Verdict::Jump { to, goto }) => match goto || to.0 == next {
            true => Action::Step(to.0),
            false => Action::Call(to.0),
        },
        Target::Extension(_) => return Err(Errno::ENOENT),
    })
}
