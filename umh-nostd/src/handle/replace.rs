// SPDX-License-Identifier: GPL-2.0-only
//! REPLACE: a new table for the namespace, or the old one untouched.
//!
//! Owns: the transaction. Everything that can fail comes before COMMIT: the
//! caller's bytes are checked where they were copied to, image, counters and
//! programs are built, and what is needed to read the old counters is at hand.
//! What comes after it (giving the caller the old counters) cannot fail the call.

#[cfg(feature = "links")]
use bpfilter_msgfmt::{GEN_ACCOUNTING, GEN_IDS};
use bpfilter_msgfmt::{GEN_CONNTRACK, Summary};
use umh_core::abi::{Counters, Layout, Replace, TableSpec};
use umh_core::arena::Arena;
use umh_core::errno::{Errno, Result};
use umh_core::fault::Cause;
use umh_core::ir::named::{Named, NamedTables};
use umh_core::plan::{counter_rows, counters_len};
use umh_core::table::compat::FromCaller;
use umh_core::table::image::{self, Image};
use umh_core::table::{Asked, Refusal, Table};
use umh_core::target::{Features, Machine};
use zerocopy::{FromBytes, IntoBytes};

use super::Caller;
use super::compile::compile;
use super::current::{Current, Tally};
use super::stream::Stream;
use crate::system::{Generation, System, UserAddr};

/// What rules that need these features need of the namespace. What x_tables'
/// own extensions need, they ask for themselves.
const FLAGS: &[(Features, u32)] = &[
    (Features::CONNTRACK, GEN_CONNTRACK),
    #[cfg(feature = "links")]
    (Features::SOCKETS, GEN_IDS),
    #[cfg(feature = "links")]
    (Features::ACCOUNTING, GEN_ACCOUNTING),
];

pub(super) fn replace<S: System>(
    caller: &Caller<'_, S>,
    header: &Replace,
    current: &Current<S>,
    image: &Image<'_>,
) -> Result<()> {
    let system = caller.system;
    let num_counters = image.header().num_entries;

    let tell = |refusal: Refusal| {
        // It is made anew: by a caller whose table has changed meanwhile, or by the kernel
        // half, once a module is loaded.
        if refusal.errno() != Errno::EAGAIN {
            system.refused(current.table(), &refusal);
        }
        refusal.errno()
    };
    let generation = build(caller, current.table(), header, image).map_err(tell)?;
    let tally = current.tally(system)?;
    let stream = Stream::new(caller, UserAddr(header.counters))?;
    let refused = |errno| tell(Cause::Commit.with(errno).into());
    system.commit(&generation).map_err(refused)?;
    // ip_tables ignores it too if the caller cannot take them.
    let _ = give_counters(stream, tally, num_counters);
    Ok(())
}

/// What the caller asks for, in the kernel's layout.
struct Translated<S: System> {
    header: Replace,
    /// The entries, behind room for the image's header.
    draft: S::Draft,
    /// For how many named tables there is room behind them.
    named: usize,
}

/// Bytes of an image of so many bytes of entries, until its named tables start, and for
/// how many of these there is to be room.
fn room(size: usize) -> (usize, usize) {
    // A blob that does not end where its names could start is refused by its check.
    let padded = size.next_multiple_of(align_of::<Named>());
    (size_of::<image::Header>() + padded, NamedTables::room(size))
}

/// Of a caller of the kernel's own layout the copy of its optval becomes the image: the
/// two headers are equally long.
fn native<S: System>(caller: &Caller<'_, S>, header: &Replace) -> Result<Translated<S>, Refusal> {
    let size = header.size as usize;
    let (entries, named) = room(size);
    let len = entries + size_of::<Named>() * named;
    let used = size_of::<Replace>() + size;
    Ok(Translated {
        header: *header,
        draft: caller.system.draft_of_optval(used, len)?,
        named,
    })
}

/// Of others the copy is translated.
fn translated<S: System>(
    caller: &Caller<'_, S>,
    header: &Replace,
) -> Result<Translated<S>, Refusal> {
    let Caller {
        system,
        family,
        layout,
        ..
    } = *caller;
    let size = header.size as usize;
    let mut optval = system.memory(size)?;
    let blob = optval.get_mut(..size).ok_or(Errno::EIO)?;
    system.optval(layout.replace(), blob)?;
    let mut work = system.memory(FromCaller::work_len(layout, size))?;
    caller.with_sizes(|sizes| {
        let mut arena = Arena::new(&mut work);
        let table = FromCaller::check(family, layout, header, blob, &mut arena, sizes)?;
        let (entries, named) = room(table.size());
        let mut draft = system.draft(entries + size_of::<Named>() * named)?;
        let into = draft.get_mut(size_of::<image::Header>()..);
        let into = into.and_then(|into| into.get_mut(..table.size()));
        let header = table.write(header, into.ok_or(Errno::EIO)?, sizes)?;
        Ok(Translated {
            header,
            draft,
            named,
        })
    })
}

/// What the rules of a table need of the namespace: `GEN_*`.
fn flags(needs: Features) -> u32 {
    let needed = FLAGS.iter().filter(|(feature, _)| needs.contains(*feature));
    needed.fold(0, |flags, (_, flag)| flags | flag)
}

/// The header of the table's image, but for what the entries keep.
fn header_of(table: &mut Table<'_>, rows: u32) -> image::Header {
    let info = table.info();
    image::Header {
        rows,
        num_entries: info.num_entries,
        size: info.size,
        num_named: table.named().len() as u32,
        arrays: *table.arrays_mut(),
        hook_entry: info.hook_entry,
        underflow: info.underflow,
        ..image::Header::of(table.spec())
    }
}

/// Builds the generation that the caller asks for.
fn build<S: System>(
    caller: &Caller<'_, S>,
    spec: &'static TableSpec,
    header: &Replace,
    current: &Image<'_>,
) -> Result<Generation<S::Handle>, Refusal> {
    let system = caller.system;
    let Translated {
        header,
        mut draft,
        named,
    } = match caller.layout == Layout::NATIVE {
        true => native(caller, header)?,
        false => translated(caller, header)?,
    };
    let size = header.size as usize;
    let (head, rest) = image::Header::mut_from_prefix(&mut draft).map_err(|_| Errno::EIO)?;
    let padded = size.next_multiple_of(align_of::<Named>());
    let (blob, rest) = rest.split_at_mut_checked(padded).ok_or(Errno::EIO)?;
    let blob = blob.get_mut(..size).ok_or(Errno::EIO)?;
    let (named, _) = <[Named]>::mut_from_prefix_with_elems(rest, named).map_err(|_| Errno::EIO)?;
    let named = NamedTables::new(current.named(), current.bytes(), named)
        .with_arrays(current.header().arrays);
    let mut work = system.memory(Table::work_len(size))?;
    let Machine { host, cpus, .. } = &caller.machine;
    let mut arena = Arena::new(&mut work);
    let num_counters = current.header().num_entries;
    let extensions = &mut |entry: &mut [u8], at| system.extension(spec, entry, at);
    let mut table = Table::check(
        &Asked {
            family: spec.family,
            header: &header,
            current_entries: num_counters,
        },
        host,
        blob,
        &mut arena,
        named,
        extensions,
    )?;
    let info = table.info();
    let rows = counter_rows(*cpus);
    let counters_len = counters_len(rows, info.num_entries)?;
    let counters = system.new_counters(counters_len)?;
    let rules = compile(system, &caller.machine, &mut table, &counters)
        .map_err(|errno| Cause::Program.with(errno))?;
    let summary = Summary {
        map_bytes: rules.summary.map_bytes + counters_len as u64,
        ..rules.summary
    };
    let flags = flags(table.needs());
    let written = header_of(&mut table, rows);
    let (_, kept) = table.into_entries();
    *head = image::Header { kept, ..written };
    drop(work);
    Ok(Generation {
        table: spec,
        rules: Some(rules),
        counters,
        image: system.seal(draft)?,
        flags,
        summary,
    })
}

fn give_counters<S: System>(
    mut stream: Stream<'_, S>,
    tally: Option<Tally<S>>,
    num_counters: u32,
) -> Result<()> {
    for index in 0..num_counters as usize {
        let zero = Counters { pcnt: 0, bcnt: 0 };
        let counters = tally.as_ref().map_or(zero, |tally| tally.of(index));
        stream.push(counters.as_bytes())?;
    }
    stream.flush()
}
