// SPDX-License-Identifier: GPL-2.0-only
//! One request, from its numbers to its status.
//!
//! Owns: which command is answered by which file of this folder, and how they
//! see the caller's memory. Promises: 0 only if the command was carried out
//! whole; a failed one has changed nothing.

mod add_counters;
mod compile;
mod current;
mod entries;
mod extensions;
mod info;
mod replace;
mod stream;

use bpfilter_msgfmt::{Reply, Request};
use umh_core::abi::TABLE_NAME_LEN;
use umh_core::command::Command;
use umh_core::errno::{Errno, Result};
use umh_core::table::is_filter;
use zerocopy::{FromBytes, IntoBytes};

use crate::system::{Machine, System, Tid, UserAddr};

/// The caller's memory around its `optval`.
struct Caller<'a, S> {
    system: &'a S,
    machine: Machine,
    tid: Tid,
    optval: UserAddr,
}

impl<S: System> Caller<'_, S> {
    /// The structure that the caller's `optval` points at, read once.
    fn header<T: FromBytes + IntoBytes>(&self) -> Result<T> {
        let mut value = T::new_zeroed();
        self.system
            .read(self.tid, self.optval, value.as_mut_bytes())?;
        Ok(value)
    }

    /// Fills `bytes` from `offset` bytes after the caller's `optval`.
    fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<()> {
        self.system.read(self.tid, self.optval.at(offset)?, bytes)
    }

    /// Writes `bytes` to the caller's `optval`.
    fn write(&self, bytes: &[u8]) -> Result<()> {
        self.system.write(self.tid, self.optval, bytes)
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
    let command = Command::parse(request)?;
    if command == Command::Ping {
        // It is there, whatever else it can or cannot do. A kernel half that
        // shows no names is as good.
        let _ = extensions::publish(system);
        return Ok(());
    }
    let caller = Caller {
        system,
        machine: system.machine()?,
        tid: Tid(request.pid),
        optval: UserAddr(request.addr),
    };
    match command {
        Command::Ping => Ok(()),
        Command::GetInfo => info::get_info(&caller),
        Command::GetEntries(len) => entries::get_entries(&caller, len),
        Command::GetRevision(kind) => extensions::get_revision(&caller, kind),
        Command::Replace(len) => replace::replace(&caller, len),
        Command::AddCounters(len) => add_counters::add_counters(&caller, len),
    }
}

/// ENOPROTOOPT for every table but `filter`: the kernel's ip_tables, if there
/// is one, gets the call and has the last word on it.
fn must_be_filter(name: &[u8; TABLE_NAME_LEN]) -> Result<()> {
    if is_filter(name) {
        Ok(())
    } else {
        Err(Errno::ENOPROTOOPT)
    }
}

#[cfg(test)]
mod tests;
