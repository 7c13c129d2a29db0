// SPDX-License-Identifier: GPL-2.0-only
//! From a checked table to the programs of its hooks.
//!
//! Owns: the order in which maps are made, filled and used. What goes into
//! them, and what the programs are, is the core's.

use bpfilter_msgfmt::HOOKS;
use heapless::Vec;
use umh_core::errno::{Errno, Result};
use umh_core::ir::named::{ARRAYS, Named};
use umh_core::plan::{Plan, Room, Unplanned};
use umh_core::program::{self, Insn, PROGRAM_MAX};
use umh_core::table::Table;
use umh_core::target::Machine;
use zerocopy::FromBytes;

use crate::system::{BATCH, Maps, System};

/// Loads the programs of `table`, which count in `counters` and keep all
/// maps that they use alive.
pub(super) fn compile<S: System>(
    system: &S,
    machine: &Machine,
    table: &mut Table<'_>,
    counters: &S::Handle,
) -> Result<[S::Handle; HOOKS]> {
    let named = arrays(system, table)?;
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
        let built = program::build(&ruleset, hook, room)?;
        let insns = room.get_mut(..built.len).ok_or(Errno::EIO)?;
        let program = system.load(insns, built.functions(), &maps)?;
        programs.push(program).map_err(|_| Errno::EIO)?;
    }
    // The generation has a program for each hook of the tables that are served.
    programs.into_array().map_err(|_| Errno::EIO)
}

/// The maps of all tables that rules know by name, in arrays; those that they
/// are in already, if it is the same tables as before.
fn arrays<S: System>(system: &S, table: &mut Table<'_>) -> Result<[Option<S::Handle>; ARRAYS]> {
    let mut arrays = [const { None }; ARRAYS];
    let mut ids = *table.arrays_mut();
    let known = ids.iter().any(|&id| id != 0);
    for (array, (handle, id)) in arrays.iter_mut().zip(&mut ids).enumerate() {
        if !known {
            *handle = fill(system, table.named_mut(), array, id)?;
        } else if *id != 0 {
            *handle = Some(system.named(*id)?);
        }
    }
    *table.arrays_mut() = ids;
    Ok(arrays)
}

/// One of these arrays, its id too; none if no table's map belongs there.
fn fill<S: System>(
    system: &S,
    tables: &mut [Named],
    array: usize,
    id: &mut u32,
) -> Result<Option<S::Handle>> {
    let len = tables.len() as u32;
    let mut made = None;
    let (mut places, mut maps) = (Vec::<u32, BATCH>::new(), Vec::<S::Handle, BATCH>::new());
    for (place, table) in (0..)
        .zip(tables)
        .filter(|(_, table)| table.array() == array)
    {
        let map = match table.map {
            0 => {
                let (map, id) = system.new_named(table.shape(system.total_memory()))?;
                table.map = id;
                map
            }
            id => system.named(id)?,
        };
        if made.is_none() {
            let (handle, its_id) = system.new_array(&map, len)?;
            *id = its_id;
            made = Some(handle);
        }
        if maps.is_full()
            && let Some(array) = &made
        {
            system.fill_array(array, &places, &maps)?;
            places.clear();
            maps.clear();
        }
        maps.push(map).map_err(|_| Errno::EIO)?;
        places.push(place).map_err(|_| Errno::EIO)?;
    }
    if let Some(array) = &made {
        system.fill_array(array, &places, &maps)?;
    }
    Ok(made)
}
