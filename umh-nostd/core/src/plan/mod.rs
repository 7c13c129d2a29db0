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
//! lower    one entry of the table -> its record and ops
//! index    which rules need not be looked at
//! key      the bits of a packet that the index goes by
//! ```
//!
//! [`Plan::new`] lowers the table into a draft of the maps. Only then is known
//! how large they are; [`Plan::write`] copies the draft and adds the index.

mod index;
mod key;
mod listing;
mod lower;

pub(crate) use index::{
    BITMAP_KEYS_MAX, BUCKET_RULES, Bitmaps, DE_BRUIJN, FACTORS, HASH_BUCKET, Index, Tuple,
};
pub(crate) use key::{Source, place as key_place};

use bpfilter_msgfmt::Summary;
use zerocopy::{FromBytes, IntoBytes};

use crate::abi::{Family, IpPart};
use crate::bytes::write;
use crate::errno::{Errno, Result};
use crate::ir::op::OPS;
use crate::ir::{
    Action, BUCKET, Context, LONGEST_OP, Output, Predicates, RECORD, Record, Sink, Uses, Words,
};
use crate::table::Table;
use crate::target::Machine;
use index::{LONG, Survey};

/// Bytes of a rule's counters in a row of the counter map.
pub const COUNTERS: usize = 16;

/// Rows of a counter map: one for each possible CPU, and one for the helper.
pub fn counter_rows(cpus: u32) -> u32 {
    cpus.saturating_add(1)
}

/// Bytes of a counter map.
pub fn counters_len(rows: u32, entries: u32) -> Result<usize> {
    let pairs = (rows as usize).checked_mul(entries as usize);
    pairs
        .and_then(|pairs| pairs.checked_mul(COUNTERS))
        .ok_or(Errno::ENOMEM)
}

/// Records behind the last rule that match every packet, so that a search
/// that looks at several records at once needs one check for all.
pub(crate) const SENTINELS: usize = 8;

/// Where things are in the data map.
pub(crate) mod data {
    /// Eight bytes of zero, which the verifier does not know to be zero. It is
    /// where any map starts, too.
    pub(crate) const ZERO: usize = 0;
    /// The bits of the class word that count for a malformed packet.
    pub(crate) const MALFORMED_KEEPS: usize = 8;
    /// Which bit a power of two is, by the upper six bits of its product.
    pub(crate) const BIT_NUMBERS: usize = 64;
    /// The records.
    pub(crate) const RECORDS: usize = 128;
}

/// Bytes of memory for the drafts of a table's two maps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// For what the data map starts with, up to the last op.
    pub data: usize,
    /// For what the state map starts with.
    pub state: usize,
}

impl Room {
    /// Room in which almost any table fits. What is not needed is not touched.
    pub fn of(table: &Table<'_>) -> Self {
        let records = table.num_entries() as usize * RECORD;
        Self {
            data: 4096 + records + 2 * table.size(),
            state: table.size() / 2,
        }
    }
}

/// Why a table could not be planned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unplanned {
    /// The drafts are too small: this is how large they must be.
    NeedsRoom(Room),
    /// The request fails.
    Failed(Errno),
}

impl From<Errno> for Unplanned {
    fn from(errno: Errno) -> Self {
        Self::Failed(errno)
    }
}

/// A table that is lowered, and whose maps have sizes. [`Plan::write`] makes
/// it a [`Ruleset`], for which programs can be built.
#[derive(Debug)]
pub struct Plan<'t> {
    ruleset: Ruleset<'t>,
    /// What the data map starts with, up to the last op.
    draft: &'t [u8],
    /// What the state map starts with.
    state: &'t [u8],
}

/// A table made ready for the programs.
#[derive(Debug)]
pub struct Ruleset<'t> {
    table: &'t Table<'t>,
    machine: &'t Machine,
    predicates: Predicates,
    uses: Uses,
    words: Words,
    ops_len: usize,
    state_len: usize,
    index: Index,
}

/// Which words of addresses the records of a table have, if it is one of IPv6.
fn words_of(table: &Table<'_>) -> Words {
    Words::choose(table.entries().filter_map(|entry| match entry.ip {
        IpPart::V4(_) => None,
        IpPart::V6(ip) => Some(ip),
    }))
}

impl<'t> Plan<'t> {
    /// Lowers `table` for a machine into drafts of its two maps, which must be
    /// zero.
    pub fn new(
        table: &'t Table<'t>,
        machine: &'t Machine,
        data: &'t mut [u8],
        state: &'t mut [u8],
    ) -> core::result::Result<Self, Unplanned> {
        let mut ruleset = Ruleset {
            table,
            machine,
            predicates: Predicates::default(),
            uses: Uses::default(),
            words: words_of(table),
            ops_len: 0,
            state_len: 0,
            index: Index::default(),
        };
        let rules = table.num_entries() as usize;
        let ops_at = ruleset.ops_at();
        let ops_room = data.len().saturating_sub(ops_at);
        let (head, ops) = data.split_at_mut(ops_at.min(data.len()));
        let lowered = match ruleset.lower(false, head, ops, state)? {
            // What rules need for malformed packets depends on whether there
            // are any.
            None => ruleset.lower(true, head, ops, state)?,
            whole => whole,
        };
        let survey = lowered.ok_or(Errno::EINVAL)?;
        if ruleset.ops_len > ops_room || ruleset.state_len > state.len() {
            return Err(Unplanned::NeedsRoom(Room {
                data: ops_at + ruleset.ops_len,
                state: ruleset.state_len,
            }));
        }
        ruleset.index = survey.choose();
        let sentinel = Record {
            action: Action::Drop.encode(),
            ..Record::default()
        };
        for index in rules..rules + SENTINELS {
            write(head, data::RECORDS + index * RECORD, &sentinel).ok_or(Errno::EINVAL)?;
        }
        write(
            head,
            data::MALFORMED_KEEPS,
            &ruleset
                .predicates
                .malformed_keeps(ruleset.table.spec().family),
        )
        .ok_or(Errno::EINVAL)?;
        for bit in 0..64u8 {
            let at = data::BIT_NUMBERS + (DE_BRUIJN << bit >> 58) as usize;
            write(head, at, &bit).ok_or(Errno::EINVAL)?;
        }
        let (data, state): (&'t [u8], &'t [u8]) = (data, state);
        Ok(Self {
            draft: data.get(..ops_at + ruleset.ops_len).ok_or(Errno::EINVAL)?,
            state: state.get(..ruleset.state_len).ok_or(Errno::EINVAL)?,
            ruleset,
        })
    }

    /// Bytes of the data map.
    pub fn data_len(&self) -> usize {
        let ruleset = &self.ruleset;
        ruleset.index_at() + ruleset.index.len(ruleset.num_entries() as usize)
    }

    /// Bytes of the state map; there is always one.
    pub fn state_len(&self) -> usize {
        self.ruleset.state_len.max(BUCKET)
    }

    /// Writes the contents of both maps, which must be zero. Only now is it
    /// known how the index turns out, and so what the programs must be.
    pub fn write(self, data: &mut [u8], state: &mut [u8]) -> Result<Ruleset<'t>> {
        let mut ruleset = self.ruleset;
        let index_at = ruleset.index_at();
        let (head, index) = data.split_at_mut_checked(index_at).ok_or(Errno::EINVAL)?;
        self.draft
            .write_to_prefix(head)
            .map_err(|_| Errno::EINVAL)?;
        self.state
            .write_to_prefix(state)
            .map_err(|_| Errno::EINVAL)?;
        let records = head.get_mut(data::RECORDS..).ok_or(Errno::EINVAL)?;
        let rules = ruleset.num_entries();
        let (records, _) =
            <[Record]>::mut_from_prefix_with_elems(records, rules as usize + SENTINELS)
                .map_err(|_| Errno::EINVAL)?;
        let context = Context {
            ops: self.draft.get(ruleset.ops_at()..).unwrap_or_default(),
            predicates: &ruleset.predicates,
        };
        ruleset.index.write(index, rules, records, context)?;
        Ok(ruleset)
    }
}

impl<'t> Ruleset<'t> {
    /// Lowers every entry. `None` if it was done for well-formed packets only
    /// and there are malformed ones after all.
    fn lower(
        &mut self,
        malformed: bool,
        head: &mut [u8],
        ops: &mut [u8],
        state: &mut [u8],
    ) -> Result<Option<Survey>> {
        self.uses = Uses::default();
        let mut survey = Survey::default();
        let mut output = Output {
            machine: self.machine,
            #[cfg(feature = "links")]
            named: self.table.named(),
            bitmaps: self.table.num_entries() as usize >= LONG,
            words: self.words,
            ops: Sink::new(ops),
            state: Sink::new(state),
            predicates: &mut self.predicates,
            uses: &mut self.uses,
        };
        output.start();
        for entry in self.table.entries() {
            let record = lower::rule(&mut output, &entry, malformed)?;
            if output.uses.transport && !malformed {
                return Ok(None);
            }
            let context = Context {
                ops: output.ops.bytes(),
                predicates: output.predicates,
            };
            survey.add(&record, context);
            // Where there is no room the whole is done again.
            let _ = write(
                head,
                data::RECORDS + entry.index.0 as usize * RECORD,
                &record,
            );
        }
        self.ops_len = output.ops.len;
        self.state_len = output.state.len;
        Ok(Some(survey))
    }

    /// The table.
    pub fn table(&self) -> &Table<'t> {
        self.table
    }

    /// What the data map of these rules, which is `data`, says of them.
    pub fn listing<'a>(&'a self, data: &'a [u8]) -> listing::Listing<'a> {
        listing::Listing {
            ruleset: self,
            data,
        }
    }

    pub(crate) fn num_entries(&self) -> u32 {
        self.table.num_entries()
    }

    /// Bytes of a CPU's row in the counter map.
    pub fn counters_row(&self) -> usize {
        self.num_entries() as usize * COUNTERS
    }

    pub(crate) fn ops_at(&self) -> usize {
        data::RECORDS + (self.num_entries() as usize + SENTINELS) * RECORD
    }

    /// Where the index starts. Any op may be read as the longest.
    pub(crate) fn index_at(&self) -> usize {
        (self.ops_at() + self.ops_len + LONGEST_OP).next_multiple_of(64)
    }

    /// A bit for each kind of op that no rule has, but for what the kernel half
    /// runs, and what only IPv6 has.
    pub fn ops_lacking(&self) -> u64 {
        use crate::ir::kind::{CHAIN, XT_MATCH};
        let elsewhere = match self.table.spec().family {
            Family::Ipv4 => [XT_MATCH, CHAIN].as_slice(),
            Family::Ipv6 => &[XT_MATCH],
        };
        let lacking = OPS
            .iter()
            .filter(|op| !elsewhere.contains(&op.kind) && !op.is_in(self.uses.kinds));
        lacking.fold(0, |kinds, op| kinds | 1 << op.kind)
    }

    /// How rules are found: by hash tables, by rule bitmaps.
    pub fn indexed_by(&self) -> [bool; 2] {
        [
            !self.index.tuples().is_empty(),
            self.index.bitmaps().is_some(),
        ]
    }

    /// The rules in numbers, for people; bytes of maps are for who makes them.
    pub fn summary(&self) -> Summary {
        let entries = self.num_entries();
        let hashed = self.index.hashed();
        let listed = match self.index.bitmaps() {
            Some(_) => 0,
            None => entries.saturating_sub(hashed),
        };
        Summary {
            map_bytes: 0,
            entries,
            rules: self.table.user_rules(),
            chains: self.table.user_chains(),
            tuples: self.index.tuples().len() as u32,
            hashed,
            listed,
        }
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

    pub(crate) fn machine(&self) -> &'t Machine {
        self.machine
    }

    pub(crate) fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Which words of IPv6 addresses stand in records.
    pub(crate) fn words(&self) -> Words {
        self.words
    }

    pub(crate) fn predicates(&self) -> &Predicates {
        &self.predicates
    }
}
