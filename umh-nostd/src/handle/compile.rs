// SPDX-License-Identifier: GPL-2.0-only
//! From a checked table to the programs of its hooks.
//!
//! Owns: the order in which maps are made, filled and used. What goes into
//! them, and what the programs are, is the core's.

use bpfilter_msgfmt::{HOOKS, Summary};
use heapless::Vec;
use umh_core::errno::{Errno, Result};
use umh_core::plan::{Plan, Room, Ruleset, Unplanned};
use umh_core::program::{self, Insn, PROGRAM_MAX, PacketMemory};
use umh_core::table::Table;
use umh_core::target::Machine;
use zerocopy::FromBytes;

#[cfg(feature = "links")]
use super::named;
use crate::system::{AtHook, Maps, Rules, Run, System};

/// Loads the programs of `table`, which count in `counters` and keep all
/// maps that they use alive.
pub(super) fn compile<S: System>(
    system: &S,
    machine: &Machine,
    table: &mut Table<'_>,
    counters: &S::Handle,
) -> Result<Rules<S::Handle>> {
    #[cfg(feature = "links")]
    let named = named::arrays(system, table)?;
    #[cfg(not(feature = "links"))]
    let named = [];
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
    let (data_len, state_len) = (plan.data_len(), plan.state_len());
    let (data, mut data_bytes) = system.new_map(data_len)?;
    let (state, mut state_bytes) = system.new_map(state_len)?;
    let ruleset = plan.write(&mut data_bytes, &mut state_bytes)?;
    drop((data_bytes, state_bytes));

    let memory = PacketMemory::of(&ruleset);
    let mut hooks = ruleset.table().spec().each_hook();
    let packets = match hooks.all(|hook| program::policy(&ruleset, hook).is_some()) {
        true => None,
        false => Some(system.new_packets(memory.len())?),
    };
    let len = |bytes: usize| bytes as u64;
    let packets_len = packets.as_ref().map_or(0, |_| len(memory.len()));
    let summary = Summary {
        map_bytes: len(data_len) + len(state_len) + packets_len,
        ..ruleset.summary()
    };
    let maps = Maps {
        data: &data,
        state: &state,
        counters,
        packets: packets.as_ref(),
        named: &named,
    };
    let (programs, hooks) = programs(system, &ruleset, &maps)?;
    Ok(Rules {
        programs,
        hooks,
        packets,
        packet_size: u32::try_from(memory.size).map_err(|_| Errno::ENOMEM)?,
        counters_row: u32::try_from(ruleset.counters_row()).map_err(|_| Errno::ENOMEM)?,
        summary,
    })
}

/// The programs that a table's hooks have.
type Programs<H> = (Vec<H, HOOKS>, [Option<AtHook>; HOOKS]);

/// Loads a program for each hook that needs one, or one for all of them.
fn programs<S: System>(
    system: &S,
    ruleset: &Ruleset<'_>,
    maps: &Maps<'_, S::Handle>,
) -> Result<Programs<S::Handle>> {
    let mut memory = system.memory(PROGRAM_MAX * size_of::<Insn>())?;
    let (room, _) =
        <[Insn]>::mut_from_prefix_with_elems(&mut memory, PROGRAM_MAX).map_err(|_| Errno::EIO)?;
    let table = ruleset.table();
    let (mut programs, mut hooks) = (Vec::new(), [None; HOOKS]);
    let shared = program::is_shared(ruleset);
    for hook in table.spec().each_hook() {
        let run = match program::policy(ruleset, hook) {
            Some(accepts) => Run::Policy(accepts),
            None if shared && !programs.is_empty() => Run::Program(0),
            None => {
                let built = program::build(ruleset, hook, room)?;
                let insns = room.get_mut(..built.len).ok_or(Errno::EIO)?;
                let program = system.load(insns, built.functions(), maps)?;
                programs.push(program).map_err(|_| Errno::EIO)?;
                Run::Program(programs.len() - 1)
            }
        };
        *hooks.get_mut(hook.number()).ok_or(Errno::EIO)? = Some(AtHook {
            run,
            reads: program::reads(ruleset, hook),
            entry: table.hook_entry(hook).0,
            underflow: table.underflow(hook).0,
        });
    }
    Ok((programs, hooks))
}
