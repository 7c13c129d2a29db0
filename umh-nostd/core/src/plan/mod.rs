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
//! [`Ruleset::plan`] lowers the table into a draft of the maps. Only then is
//! known how large they are; [`Ruleset::write`] copies the draft and adds the
//! index.

mod index;
mod key;

pub(crate) use index::{
    BUCKET_RULES, DE_BRUIJN, FACTORS, GROUP, Group, HASH_BUCKET, Index, LONG, ROW_KEYS_MAX, Rows,
};
use key::Context;
pub(crate) use key::{Source, has_keys, place as key_place};

use crate::bytes::write;
use crate::errno::{Errno, Result};
use crate::ir::{Action, BUCKET, LONGEST_OP, Lowering, Predicates, RECORD, Record, Sink, Uses};
use crate::table::{Entry, Table, Target, Verdict};
use crate::target::{Features, Kernel};
use index::{SHORT, Survey};
use zerocopy::{FromBytes, IntoBytes};

/// Bytes of a rule's counters in a row of the counter map.
pub const COUNTERS: usize = 16;

/// Return positions that a program's stack frame has room for.
pub(crate) const IN_FRAME: usize = 24;

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
    /// What the data map starts with, up to the last op.
    draft: &'t [u8],
    /// What the state map starts with.
    state: &'t [u8],
}

impl<'t> Ruleset<'t> {
    /// Bytes for the drafts of both maps of `table` in which almost any table
    /// has room. What is not needed is not touched.
    pub fn room(table: &Table<'_>) -> [usize; 2] {
        let records = table.num_entries() as usize * RECORD;
        [4096 + records + 2 * table.size(), table.size() / 2]
    }

    /// Lowers `table` for a machine of `cpus` possible CPUs into drafts of the
    /// two maps, which must be zero; or says how much room it needs there.
    pub fn plan(
        table: &'t Table<'t>,
        kernel: &Kernel,
        hz: u32,
        cpus: u32,
        draft: &'t mut [u8],
        state: &'t mut [u8],
    ) -> Result<core::result::Result<Self, [usize; 2]>> {
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
            draft: &[],
            state: &[],
        };
        let rules = table.num_entries() as usize;
        let ops_at = ruleset.ops_at();
        let room = [draft.len().saturating_sub(ops_at), state.len()];
        let (head, ops) = draft.split_at_mut(ops_at.min(draft.len()));
        let lowered = match ruleset.lower(false, head, ops, state)? {
            // What rules need for odd packets depends on whether there are any.
            None => ruleset.lower(true, head, ops, state)?,
            whole => whole,
        };
        let survey = lowered.ok_or(Errno::EINVAL)?;
        if ruleset.ops_len > room[0] || ruleset.state_len > room[1] {
            return Ok(Err([ops_at + ruleset.ops_len, ruleset.state_len]));
        }
        if table.num_entries() > SHORT {
            ruleset.index = survey.groups();
        }
        let sentinel = Record {
            action: Action::Drop.encode(),
            ..Record::default()
        };
        for index in rules..rules + SENTINELS {
            write(head, data::RECORDS + index * RECORD, &sentinel).ok_or(Errno::EINVAL)?;
        }
        write(head, data::ODD_KEEPS, &ruleset.predicates.odd_keeps()).ok_or(Errno::EINVAL)?;
        for bit in 0..64u8 {
            let at = data::BIT_NUMBERS + (DE_BRUIJN << bit >> 58) as usize;
            write(head, at, &bit).ok_or(Errno::EINVAL)?;
        }
        let (draft, state): (&'t [u8], &'t [u8]) = (draft, state);
        ruleset.draft = draft.get(..ops_at + ruleset.ops_len).ok_or(Errno::EINVAL)?;
        ruleset.state = state.get(..ruleset.state_len).ok_or(Errno::EINVAL)?;
        Ok(Ok(ruleset))
    }

    /// Lowers every entry. `None` if there are odd packets after all.
    fn lower(
        &mut self,
        odd_packets: bool,
        head: &mut [u8],
        ops: &mut [u8],
        state: &mut [u8],
    ) -> Result<Option<Survey>> {
        self.uses = Uses {
            changes: self.table.needs().meets(Features::MARKS),
            ..Uses::default()
        };
        let mut survey = Survey::default();
        let mut lowering = Lowering {
            kernel: &self.kernel,
            hz: self.hz,
            odd_packets,
            table: self.table,
            ops: Sink::new(ops),
            state: Sink::new(state),
            predicates: &mut self.predicates,
            uses: &mut self.uses,
        };
        lowering.start();
        for entry in self.table.entries() {
            let mut record = lowering.rule(&entry)?;
            if lowering.uses.transport && !odd_packets {
                return Ok(None);
            }
            record.action = action(&entry, record.action).encode();
            let context = Context {
                ops: lowering.ops.bytes(),
                predicates: lowering.predicates,
            };
            survey.add(&record, context);
            // Where there is no room the whole is done again.
            let _ = write(
                head,
                data::RECORDS + entry.index.0 as usize * RECORD,
                &record,
            );
        }
        self.ops_len = lowering.ops.len;
        self.state_len = lowering.state.len;
        Ok(Some(survey))
    }

    /// Writes the contents of both maps, which must be zero. Comes before the
    /// programs are built: only now is it known how the index turns out.
    pub fn write(&mut self, data: &mut [u8], state: &mut [u8]) -> Result<()> {
        let index_at = self.index_at();
        let (head, index) = data.split_at_mut_checked(index_at).ok_or(Errno::EINVAL)?;
        self.draft
            .write_to_prefix(head)
            .map_err(|_| Errno::EINVAL)?;
        self.state
            .write_to_prefix(state)
            .map_err(|_| Errno::EINVAL)?;
        let records = head.get_mut(data::RECORDS..).ok_or(Errno::EINVAL)?;
        let rules = self.num_entries();
        let (records, _) =
            <[Record]>::mut_from_prefix_with_elems(records, rules as usize + SENTINELS)
                .map_err(|_| Errno::EINVAL)?;
        let context = Context {
            ops: self.draft.get(self.ops_at()..).unwrap_or_default(),
            predicates: &self.predicates,
        };
        self.index.write(index, rules, records, context)
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
    #[inline(never)]
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

/// What happens to a packet that the entry matches, whose target is no
/// verdict but the op at `target`.
fn action(entry: &Entry<'_>, target: u32) -> Action {
    let next = entry.index.0 + 1;
    match entry.target {
        Target::Standard(Verdict::Accept) => Action::Accept,
        // ipt_error drops.
        Target::Standard(Verdict::Drop | Verdict::Nowhere) | Target::Error { .. } => Action::Drop,
        Target::Standard(Verdict::Return) => Action::Return,
        Target::Standard(Verdict::Jump { to, goto }) => match goto || to.0 == next {
            true => Action::Step(to.0),
            false => Action::Call(to.0),
        },
        Target::Extension(_) => Action::Target(target),
    }
}
