// SPDX-License-Identifier: GPL-2.0-only
//! One request, from its numbers to its status.
//!
//! Owns: which command is answered by which file of this folder. Promises: 0 only if the command was carried out
//! whole; a failed one has changed nothing.

mod add_counters;
mod compile;
mod current;
mod entries;
mod extensions;
#[cfg(feature = "links")]
mod named;
mod replace;
mod stream;

use bpfilter_msgfmt::{CMD_PING, Reply, Request};
use umh_core::abi::{Family, GetRevision, Layout, Replace, TABLE_NAME_LEN, TableSpec};
use umh_core::command::Command;
use umh_core::errno::{Errno, Result};
use umh_core::table::check_header;
use umh_core::table::compat::Sizes;
use umh_core::target::Machine;
use zerocopy::FromBytes;

use current::Current;

use crate::system::{System, UserAddr};

/// Who is answered, and on what.
struct Caller<'a, S> {
    system: &'a S,
    machine: Machine,
    family: Family,
    layout: Layout,
    optval: UserAddr,
}

impl<S: System> Caller<'_, S> {
    /// Has `with` ask for the sizes of extensions' data.
    fn with_sizes<T>(&self, with: impl FnOnce(&mut Sizes<'_>) -> T) -> T {
        let ask = &mut |kind, name: &_, revision| {
            self.system.data_size(self.family, kind, name, revision)
        };
        with(&mut Sizes::new(&self.machine.host, self.family, ask))
    }
}

/// Answers `request`.
pub fn answer<S: System>(system: &S, request: &Request) -> Reply {
    let status = match carry_out(system, request) {
        Ok(()) => 0,
        Err(errno) => errno.status(),
    };
    Reply { status }
}

fn carry_out<S: System>(system: &S, request: &Request) -> Result<()> {
    if request.cmd == CMD_PING {
        // It is there, whatever else it can or cannot do. A kernel half that
        // shows no names is as good.
        let _ = extensions::publish(system);
        return Ok(());
    }
    let machine = system.machine()?;
    let (family, layout) = system.caller()?;
    let command = Command::parse(family, layout, request)?;
    let caller = Caller {
        system,
        machine,
        family,
        layout,
        optval: UserAddr(request.addr),
    };
    // The structure that the caller's `optval` points at, read once; it may be shorter than
    // the kernel's own.
    let mut header = [0; size_of::<Replace>()];
    let len = match command {
        Command::GetInfo => TABLE_NAME_LEN,
        Command::GetEntries(_) => layout.get_entries(),
        Command::AddCounters(_) => layout.counters_info(),
        Command::GetRevision(_) => size_of::<GetRevision>(),
        Command::Replace(_) => layout.replace(),
    };
    system.optval(0, header.get_mut(..len).ok_or(Errno::EIO)?)?;
    let header = &header;
    // What the numbers of the header tell is wrong whatever the table is.
    match command {
        // It is about no table.
        Command::GetRevision(kind) => {
            return extensions::get_revision(&caller, kind, &read(header)?);
        }
        Command::GetInfo => {}
        Command::GetEntries(len) => entries::check(layout, &read(header)?, len)?,
        Command::Replace(len) => {
            check_header(layout, &replace_of(layout, header)?, len.number()).map(drop)?;
        }
        Command::AddCounters(len) => add_counters::check(layout, &read(header)?, len)?,
    }
    // For every table that is not served the kernel's ip_tables, if there is
    // one, gets the call and has the last word on it.
    let name = header.first_chunk().ok_or(Errno::EIO)?;
    let table = TableSpec::named(family, name).ok_or(Errno::ENOPROTOOPT)?;
    let current = Current::open(system, table)?;
    let image = current.image()?;
    match command {
        Command::GetRevision(_) => Err(Errno::EIO),
        Command::GetInfo => entries::get_info(&caller, &image),
        Command::GetEntries(_) => entries::get_entries(&caller, &read(header)?, &current, &image),
        Command::Replace(_) => {
            replace::replace(&caller, &replace_of(layout, header)?, &current, &image)
        }
        Command::AddCounters(_) => {
            add_counters::add_counters(&caller, &read(header)?, &current, &image)
        }
    }
}

/// The structure that a header starts with.
fn read<T: FromBytes>(header: &[u8]) -> Result<T> {
    let (value, _) = T::read_from_prefix(header).map_err(|_| Errno::EIO)?;
    Ok(value)
}

fn replace_of(layout: Layout, header: &[u8]) -> Result<Replace> {
    Replace::of(layout, header).ok_or(Errno::EIO)
}

#[cfg(test)]
mod tests;
