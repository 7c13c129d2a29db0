// SPDX-License-Identifier: GPL-2.0-only
//! ADD_COUNTERS: adds the caller's numbers to those of the table in force.

use bpfilter_msgfmt::Summary;
use umh_core::abi::{Counters, CountersInfo, Layout, TableSpec};
use umh_core::command::OptLen;
use umh_core::errno::{Errno, Result};
use umh_core::plan::{counter_rows, counters_len};
use umh_core::table::image::{Header, Image};
use zerocopy::{FromBytes, IntoBytes};

use super::Caller;
use super::current::{Current, Tally};
use crate::system::{Generation, System};

/// EINVAL, if the caller has not got the counters that it says, or more.
pub(super) fn check(layout: Layout, header: &CountersInfo, len: OptLen) -> Result<()> {
    match len.after(layout.counters_info())? as u64 == bytes(header) {
        true => Ok(()),
        false => Err(Errno::EINVAL),
    }
}

fn bytes(header: &CountersInfo) -> u64 {
    u64::from(header.num_counters) * size_of::<Counters>() as u64
}

pub(super) fn add_counters<S: System>(
    caller: &Caller<'_, S>,
    header: &CountersInfo,
    current: &Current<S>,
    image: &Image<'_>,
) -> Result<()> {
    let system = caller.system;
    let size = usize::try_from(bytes(header)).map_err(|_| Errno::EINVAL)?;
    if header.num_counters != image.header().num_entries {
        probe(caller, size)?;
        return Err(Errno::EINVAL);
    }
    let mut memory = system.memory(size)?;
    let bytes = memory.get_mut(..size).ok_or(Errno::EIO)?;
    system.optval(caller.layout.counters_info(), bytes)?;
    let counters = <[Counters]>::ref_from_bytes(bytes).map_err(|_| Errno::EIO)?;

    match current.tally(system)? {
        Some(tally) => add_all(&tally, counters),
        None => {
            let (generation, tally) = pristine_generation(caller, current.table(), image)?;
            add_all(&tally, counters);
            system.commit(&generation)?;
        }
    }
    Ok(())
}

fn add_all<S: System>(tally: &Tally<S>, counters: &[Counters]) {
    for (index, counters) in counters.iter().enumerate() {
        tally.add(index, *counters);
    }
}

/// EFAULT, if not all of the caller's counters are there. The kernel copies
/// them before it sees that there are too few or too many. Their number is the
/// caller's to choose, so only the last byte is looked at: it is there if all are.
fn probe<S: System>(caller: &Caller<'_, S>, size: usize) -> Result<()> {
    match size.checked_sub(1) {
        Some(last) => caller
            .system
            .optval(caller.layout.counters_info() + last, &mut [0]),
        None => Ok(()),
    }
}

/// A generation that holds the pristine table's counters and nothing else:
/// without programs, so its hooks stay as they were.
fn pristine_generation<S: System>(
    caller: &Caller<'_, S>,
    table: &'static TableSpec,
    image: &Image<'_>,
) -> Result<(Generation<S::Handle>, Tally<S>)> {
    let system = caller.system;
    let rows = counter_rows(caller.machine.cpus);
    let mut draft = system.draft(size_of::<Header>() + image.bytes().len())?;
    let (head, entries) = Header::mut_from_prefix(&mut draft).map_err(|_| Errno::EIO)?;
    *head = Header {
        rows,
        ..*image.header()
    };
    image.bytes().write_to(entries).map_err(|_| Errno::EIO)?;
    let num_entries = image.header().num_entries;
    let counters_len = counters_len(rows, num_entries)?;
    let generation = Generation {
        table,
        rules: None,
        counters: system.new_counters(counters_len)?,
        image: system.seal(draft)?,
        flags: 0,
        summary: Summary {
            map_bytes: counters_len as u64,
            entries: num_entries,
            listed: num_entries,
            ..Summary::default()
        },
    };
    let tally = Tally::map(system, &generation.counters, rows, num_entries)?;
    Ok((generation, tally))
}
