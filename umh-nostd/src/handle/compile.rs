// SPDX-License-Identifier: GPL-2.0-only
//! From a checked table to the programs of its hooks.
//!
//! Owns: the order in which maps are made, filled and used. What goes into
//! them, and what the programs are, is the core's.

use bpfilter_msgfmt::HOOKS;
use heapless::Vec;
use umh_core::errno::{Errno, Result};
use umh_core::ir::named::NAMED_MAX;
use umh_core::plan::{Plan, Room, Unplanned};
use umh_core::program::{self, Insn, PROGRAM_MAX};
use umh_core::table::Table;
use umh_core::target::Machine;
use zerocopy::FromBytes;

use crate::system::{Maps, System};

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
    let mut room = Room::of(table);
    let mut drafts;
    let plan = loop {
        drafts = (system.memory(room.data)?, system.memory(room.state)?);
        let (data, state) = &mut drafts;
        match Plan::new(table, machine, data, state) {
            Ok(plan) => break plan,
            Err(Unplanned::NeedsRoom(needed)) => room = needed,
            Err(Unplanned::Failed(errno)) => return Err(errno),
        }
    };
    let (data, mut data_bytes) = system.new_map(plan.data_len())?;
    let (state, mut state_bytes) = system.new_map(plan.state_len())?;
    let ruleset = plan.write(&mut data_bytes, &mut state_bytes)?;
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
    let mut programs = Vec::<S::Handle, HOOKS>::new();
    for hook in table.spec().each_hook() {
        let len = program::build(&ruleset, hook, room)?;
        let program = system.load(room.get_mut(..len).ok_or(Errno::EIO)?, &maps)?;
        programs.push(program).map_err(|_| Errno::EIO)?;
    }
    // The generation has a program for each hook of the tables that are served.
    programs.into_array().map_err(|_| Errno::EIO)
}
