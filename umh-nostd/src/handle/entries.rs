// SPDX-License-Identifier: GPL-2.0-only
//! GET_INFO and GET_ENTRIES: the table as it was loaded, with live counters.

use umh_core::abi::{Counters, GetEntries, Layout};
use umh_core::arena::Arena;
use umh_core::command::OptLen;
use umh_core::errno::{Errno, Result};
use umh_core::table::compat::{Sizes, ToCaller};
use umh_core::table::image::Image;
use zerocopy::IntoBytes;

use super::Caller;
use super::current::{Current, Tally};
use super::stream::Stream;
use crate::system::System;

/// The most bytes of an entry.
const ENTRY_MAX: usize = u16::MAX as usize;

/// GET_INFO.
pub(super) fn get_info<S: System>(caller: &Caller<'_, S>, image: &Image<'_>) -> Result<()> {
    let (system, to) = (caller.system, caller.optval);
    if caller.layout == Layout::NATIVE {
        return system.answer(to, image.info().as_bytes());
    }
    translated(caller, image, |table, _| {
        system.answer(to, table.info().as_bytes())
    })
}

/// EINVAL, if the caller has not got room for what it asks for, or more.
pub(super) fn check(layout: Layout, header: &GetEntries, len: OptLen) -> Result<()> {
    match len.after(layout.get_entries())? == header.size as usize {
        true => Ok(()),
        false => Err(Errno::EINVAL),
    }
}

/// Has `with` see the table as the caller sees it.
fn translated<S: System>(
    caller: &Caller<'_, S>,
    image: &Image<'_>,
    with: impl FnOnce(&ToCaller<'_>, &mut Sizes<'_>) -> Result<()>,
) -> Result<()> {
    let entries = image.header().num_entries as usize;
    let mut work = caller.system.memory(ToCaller::work_len(entries))?;
    caller.with_sizes(|sizes| {
        let table = ToCaller::new(image, caller.layout, &mut Arena::new(&mut work), sizes)?;
        with(&table, sizes)
    })
}

/// GET_ENTRIES.
pub(super) fn get_entries<S: System>(
    caller: &Caller<'_, S>,
    header: &GetEntries,
    current: &Current<S>,
    image: &Image<'_>,
) -> Result<()> {
    let to = caller.optval.at(caller.layout.get_entries())?;
    let as_it_is = caller.layout == Layout::NATIVE && image.header().kept == 0;
    let sum = |tally: &Option<Tally<S>>, index| match tally {
        Some(tally) => tally.of(index),
        None => Counters { pcnt: 0, bcnt: 0 },
    };
    if as_it_is {
        if header.size != image.header().size {
            return Err(Errno::EAGAIN);
        }
        let tally = current.tally(caller.system)?;
        let mut stream = Stream::new(caller, to)?;
        let counters_at = image.table().family.entry().counters;
        for (index, entry) in image.entries().enumerate() {
            let copy = stream.push(entry)?;
            let counters = copy.get_mut(counters_at..).ok_or(Errno::EIO)?;
            let sum = sum(&tally, index);
            sum.write_to_prefix(counters).map_err(|_| Errno::EIO)?;
        }
        return stream.flush();
    }
    translated(caller, image, |table, sizes| {
        if header.size != table.info().size {
            return Err(Errno::EAGAIN);
        }
        let tally = current.tally(caller.system)?;
        let mut stream = Stream::new(caller, to)?;
        let mut scratch = caller.system.memory(ENTRY_MAX)?;
        for (index, entry) in image.entries().enumerate() {
            let len = table.write(entry, &sum(&tally, index), &mut scratch, sizes)?;
            stream.push(scratch.get(..len).ok_or(Errno::EIO)?)?;
        }
        stream.flush()
    })
}
