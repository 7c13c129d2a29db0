// SPDX-License-Identifier: GPL-2.0-only
//! From a checked table to the programs of its hooks.
//!
//! Owns: the order in which maps are made, filled and used. What goes into
//! them, and what the programs are, is the core's.

use bpfilter_msgfmt::HOOKS;
use heapless::Vec;
use umh_core::abi::Hook;
use umh_core::errno::{Errno, Result};
use umh_core::ir::named::NAMED_MAX;
use umh_core::plan::Ruleset;
use umh_core::program::{self, Insn, PROGRAM_MAX};
use umh_core::table::Table;
use zerocopy::FromBytes;

use crate::system::{Machine, Maps, System};

/// Loads the programs of `table`, which count in `counters` and keep all
/// maps that they use alive.
pub(super) fn compile<S: System>(
    system: &S,
    machine: &Machine,
    table: &mut Table<'_>,
    counters: &S::Handle,
) -> Result<[S::Handle; HOOKS]> {
    let mut named = Vec::<S::Handle, NAMED_MAX>::new();
    for table in table.named_mut() {
        let map = match table.map {
            0 => {
                let (map, id) = system.new_named(table.shape(system.total_memory()))?;
                table.map = id;
                map
            }
            id => system.named(id)?,
        };
        named.push(map).map_err(|_| Errno::ENOENT)?;
    }
    let mut room = Ruleset::room(table);
    let mut drafts;
    let mut ruleset = loop {
        let [draft, state] = room;
        drafts = (system.memory(draft)?, system.memory(state)?);
        let Machine { kernel, host, cpus } = machine;
        let (draft, state) = &mut drafts;
        match Ruleset::plan(table, kernel, host.hz, *cpus, draft, state)? {
            Ok(ruleset) => break ruleset,
            Err(needed) => room = needed,
        }
    };
    let (data, mut data_bytes) = system.new_map(ruleset.data_len())?;
    let (state, mut state_bytes) = system.new_map(ruleset.state_len())?;
    ruleset.write(&mut data_bytes, &mut state_bytes)?;
    drop((data_bytes, state_bytes));

    let maps = Maps {
        data: &data,
        state: &state,
        counters,
        named: &named,
    };
    let mut memory = system.memory(PROGRAM_MAX * size_of::<Insn>())?;
    let (room, _) =
        <[Insn]>::mut_from_prefix_with_elems(&mut memory, PROGRAM_MAX).map_err(|_| Errno::EIO)?;
    let mut load = |hook| {
        let len = program::build(&ruleset, hook, room)?;
        system.load(room.get_mut(..len).ok_or(Errno::EIO)?, &maps)
    };
    Ok([
        load(Hook::LocalIn)?,
        load(Hook::Forward)?,
        load(Hook::LocalOut)?,
    ])
}
