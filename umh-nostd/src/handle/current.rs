// SPDX-License-Identifier: GPL-2.0-only
//! The table in force.
//!
//! Owns: what a request starts from. The helper keeps nothing between two
//! requests, so each asks the kernel half anew; a namespace in which nothing
//! was committed has the pristine table.

use core::sync::atomic::{AtomicU64, Ordering};

use umh_core::abi::{Counters, TableSpec};
use umh_core::errno::Result;
use umh_core::plan::{COUNTERS, counters_len};
use umh_core::table::image::Image;
use umh_core::table::pristine::Pristine;

use crate::system::{InForce, System};

/// One counter, packets and bytes, in elements of the map.
const PAIR: usize = COUNTERS / size_of::<AtomicU64>();

/// The table in force in the namespace of the request.
pub(super) struct Current<S: System> {
    table: &'static TableSpec,
    committed: Option<(InForce<S::Handle>, S::Image)>,
    pristine: Pristine,
}

impl<S: System> Current<S> {
    pub(super) fn open(system: &S, table: &'static TableSpec) -> Result<Self> {
        let committed = match system.recover(table)? {
            Some(generation) => {
                let image = system.image(&generation.image)?;
                Some((generation, image))
            }
            None => None,
        };
        Ok(Self {
            table,
            committed,
            pristine: Pristine::new(table)?,
        })
    }

    /// Which table it is.
    pub(super) fn table(&self) -> &'static TableSpec {
        self.table
    }

    pub(super) fn image(&self) -> Result<Image<'_>> {
        match &self.committed {
            Some((_, bytes)) => Image::parse(bytes),
            None => self.pristine.image(),
        }
    }

    /// The table's counters, `None` for a pristine one: all zero.
    pub(super) fn tally(&self, system: &S) -> Result<Option<Tally<S>>> {
        let Some((generation, bytes)) = &self.committed else {
            return Ok(None);
        };
        let header = Image::parse(bytes)?.header();
        Tally::map(
            system,
            &generation.counters,
            header.rows,
            header.num_entries,
        )
        .map(Some)
    }
}

/// A mapped counter map. Invariant: it has a last row.
pub(super) struct Tally<S: System> {
    map: S::Counters,
    rows: usize,
    entries: usize,
}

impl<S: System> Tally<S> {
    /// Maps the counters of a table of `entries` entries.
    pub(super) fn map(system: &S, map: &S::Handle, rows: u32, entries: u32) -> Result<Self> {
        let map = system.counters(map, counters_len(rows, entries)?)?;
        Ok(Self {
            map,
            rows: rows as usize,
            entries: entries as usize,
        })
    }

    /// The counters of one entry: the sum of its column.
    pub(super) fn of(&self, entry: usize) -> Counters {
        let mut sum = Counters { pcnt: 0, bcnt: 0 };
        for row in 0..self.rows {
            if let Some([packets, bytes]) = self.cell(row, entry) {
                sum.pcnt = sum.pcnt.wrapping_add(packets.load(Ordering::Relaxed));
                sum.bcnt = sum.bcnt.wrapping_add(bytes.load(Ordering::Relaxed));
            }
        }
        sum
    }

    /// Adds to the counters of one entry, in the row that is the helper's.
    pub(super) fn add(&self, entry: usize, add: Counters) {
        let last = self.rows.saturating_sub(1);
        if let Some([packets, bytes]) = self.cell(last, entry) {
            packets.fetch_add(add.pcnt, Ordering::Relaxed);
            bytes.fetch_add(add.bcnt, Ordering::Relaxed);
        }
    }

    fn cell(&self, row: usize, entry: usize) -> Option<&[AtomicU64; PAIR]> {
        let at = PAIR * (row * self.entries + entry);
        self.map.get(at..)?.first_chunk()
    }
}
