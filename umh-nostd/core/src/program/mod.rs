// SPDX-License-Identifier: GPL-2.0-only
//! The programs that search a ruleset.
//!
//! Owns: the text of a program, which is the same for every table but for
//! what it leaves out: questions that no rule asks.
//!
//! ```text
//! asm        the language: instructions, labels, parameters, conditions
//! block      constant tables of it
//! assembler  from these to a program
//! names      labels, parameters, needs, shared blocks
//! frame      what is kept where
//! packet     prologue: the packet becomes addresses, class word, fields
//! search     the first rule from a position on whose record matches
//! ops        what its record leaves open
//! recent     one of these, with tables of addresses
//! hashlimit  one of these, with tables of rates
//! time       another, with the wall clock
//! act        counters, verdicts, jumps and returns
//! types      BTF of maps and functions
//! ```
//!
//! One loop goes round for every record that is looked at in vain, every op
//! and every rule that matches. It gives up (and drops the packet) after some
//! 8 million rounds.

#[macro_use]
mod block;
mod act;
mod asm;
mod assembler;
mod frame;
mod hashlimit;
mod names;
mod ops;
mod packet;
mod prelude;
mod recent;
mod search;
mod time;
pub mod types;

pub use asm::{Insn, Map};

use bpf_abi::attr::FuncInfo;

use crate::abi::Hook;
use crate::errno::{Errno, Result};
use crate::ir::op::{Ends, OPS, OpKind, Reads};
use crate::ir::{Field, action, kind};
use crate::plan::{COUNTERS, GROUP, IN_FRAME, Ruleset, data};
use crate::target::{Kernel, kernel};
use assembler::{Assembler, FUNCTIONS};
use kernel::FACTS;
use names::{label, need, param, shared};
use prelude::*;

#[cfg(not(target_endian = "little"))]
compile_error!(
    "headers are read in network order and swapped, addresses and keys in the maps are not"
);
#[cfg(not(target_pointer_width = "64"))]
compile_error!("pointers of the kernel's structures are read as 8 bytes");

/// Instructions that any program fits into.
pub const PROGRAM_MAX: usize = 4096;

static SHARED: [Block; shared::COUNT] = [
    AGAIN,
    search::RECORD_OF_R7,
    search::BIT_OF_R0,
    act::COUNTED,
    act::PLACE,
    act::DROP_LATER,
    act::RULE_DONE,
    ops::CONNECTION_PART,
    ops::COMPARE_PART,
    ops::THIS_OP,
    recent::ROUND,
    recent::SLOT_AT,
    recent::LOOKED_UP,
    ops::STATE_AT_R5,
    ops::KEEP_R4,
    ops::READ,
    ops::STARTS,
    ops::FOLLOWED,
    ops::EXTRAS,
    ops::EXTRA,
    packet::OWNER,
    packet::LENGTH,
    packet::PACKET_DATA,
    FORGET,
    ops::ONCE_MORE,
];

/// The functions behind a program, in the order in which they stand there.
mod function {
    /// Collects what hashlimit does not need any more.
    pub(super) const COLLECT: u8 = 0;
    /// Does nothing.
    pub(super) const FORGET: u8 = 1;
}

const FORGET: Block = block![
    mov(R1, Fp),
    add_imm(R1, frame::FORGOTTEN as i32),
    call_function(function::FORGET),
];

const AGAIN: Block = block![
    unless(
        need::ITERATOR,
        &[
            // See `frame`; a call does the same.
            mov_imm(Reg::R0, 0),
            mov_imm(Reg::R1, 0),
            mov_imm(Reg::R2, 0),
            mov_imm(Reg::R3, 0),
            mov_imm(Reg::R4, 0),
            mov_imm(Reg::R5, 0),
            jump_when_tired(label::DROP),
        ]
    ),
    when(
        need::ITERATOR,
        &[
            mov(R1, Fp),
            add_imm(Reg::R1, frame::ITERATOR as i32),
            call_kfunc(kernel::ITER_NEXT),
            jump_if_imm(Reg::R0, Cond::Eq, 0, label::DROP),
        ]
    ),
];

/// The program in the making, and what it is made for.
struct Builder<'a> {
    asm: Assembler<'a>,
    ruleset: &'a Ruleset<'a>,
}

/// The parameters of one program.
struct Params {
    values: [i32; FACTS + param::COUNT],
    /// Whether each has got a value that fits.
    fit: bool,
}

impl Params {
    fn set(&mut self, param: Param, value: usize) {
        match (
            self.values.get_mut(usize::from(param.0)),
            i32::try_from(value),
        ) {
            (Some(param), Ok(value)) => *param = value,
            _ => self.fit = false,
        }
    }
}

/// A program.
#[derive(Clone, Copy, Debug)]
pub struct Built {
    /// How many instructions it has.
    pub len: usize,
    functions: [FuncInfo; 1 + FUNCTIONS],
    num_functions: usize,
}

impl Built {
    fn new(len: usize, starts: [usize; FUNCTIONS]) -> Self {
        let mut built = Self {
            len,
            functions: [types::MAIN; 1 + FUNCTIONS],
            num_functions: 0,
        };
        let [collect, forget] = starts;
        if forget != 0 {
            built.push(types::MAIN);
        }
        if collect != 0 {
            built.push(types::collect(collect));
        }
        if forget != 0 {
            built.push(types::forget(forget));
        }
        built
    }

    fn push(&mut self, function: FuncInfo) {
        if let Some(place) = self.functions.get_mut(self.num_functions) {
            *place = function;
            self.num_functions += 1;
        }
    }

    /// The program itself and the functions behind it; none if there is only
    /// the program.
    pub fn functions(&self) -> &[FuncInfo] {
        self.functions.get(..self.num_functions).unwrap_or_default()
    }
}

/// Writes the program of one hook into `insns`. Its maps are still to be
/// named, see [`Map::of`].
pub fn build(ruleset: &Ruleset<'_>, hook: Hook, insns: &mut [Insn]) -> Result<Built> {
    let mut params = Params {
        values: [0; FACTS + param::COUNT],
        fit: true,
    };
    let kernel = ruleset.machine().packets.btf().ok_or(Errno::ENOPROTOOPT)?;
    for (param, fact) in params.values.iter_mut().zip(kernel.facts()) {
        *param = *fact;
    }
    let mut set = |param, value| params.set(param, value);
    let table = ruleset.table();
    let rules = ruleset.num_entries() as usize;
    set(param::ZERO, data::ZERO);
    set(param::ODD_KEEPS, data::MALFORMED_KEEPS);
    set(param::RECORDS, data::RECORDS);
    set(param::OPS, ruleset.ops_at());
    set(param::LAST_OP, ruleset.last_op());
    set(param::LAST_BUCKET, ruleset.last_bucket());
    set(param::RULES, rules);
    set(param::CPUS, ruleset.machine().cpus as usize);
    set(param::ROW, rules * COUNTERS);
    set(param::START, table.hook_entry(hook).0 as usize);
    set(param::POLICY, table.underflow(hook).0 as usize);
    set(param::NESTING, table.jump_depth() as usize);
    let index = ruleset.index();
    set(param::GROUPS, ruleset.index_at());
    set(param::GROUPS_LEN, index.num_groups() * GROUP);
    set(param::BUCKETS, ruleset.index_at() + index.buckets_at());
    set(param::NUM_BUCKETS, index.num_buckets());
    set(param::LIST, ruleset.index_at() + index.list_at());
    if let Some(rows_of_list) = index.rows() {
        set(param::NUM_WORDS, rows_of_list.words);
        set(param::NUM_SUMMARY, rows_of_list.summary);
        set(param::BIT_NUMBERS, data::BIT_NUMBERS);
    }
    set(param::DEEP, ruleset.deep_at());
    let (places, place_len) = (ruleset.deep_places() as usize, ruleset.deep_place_len());
    set(param::PLACES, places);
    set(param::PLACE_LEN, place_len);
    set(param::LAST_PLACE, places.saturating_sub(1) * place_len);
    set(param::PLACE_RETURNS, (place_len - 8) / 4);
    const { assert!(IN_FRAME == frame::RETURNS_MAX as usize) };
    set(
        param::PER_TICK,
        crate::target::limit_per_tick(ruleset.machine().host.hz) as usize,
    );
    set(param::HZ, ruleset.machine().host.hz as usize);
    const { assert!(action::DROP == 0 && action::ACCEPT == 1) };
    if !params.fit {
        return Err(Errno::ENOMEM);
    }

    let needs = needs(ruleset, kernel, hook);
    let mut builder = Builder {
        asm: Assembler::new(insns, &params.values, needs, &SHARED),
        ruleset,
    };
    // One program at least must keep the named tables, whether any packet
    // gets to the rules that name them or not.
    let keeps = hook == Hook::LocalIn && !table.named().is_empty();
    if !keeps && table.hook_entry(hook) == table.underflow(hook) {
        builder.policy();
    } else {
        builder.packet();
        builder.search();
        builder.ops();
        builder.act();
        builder.functions();
    }
    let starts = builder.asm.functions();
    Ok(Built::new(builder.asm.finish()?, starts))
}

/// What the program of a hook has.
fn needs(ruleset: &Ruleset<'_>, kernel: &Kernel, hook: Hook) -> Needs {
    let uses = ruleset.uses();
    let [incoming, outgoing] = uses.interfaces;
    let mut fields = uses.fields;
    if fields & 1 << Field::PacketType as u32 != 0 {
        fields |= 1 << Field::Destination as u32;
    }
    // One goes with the other.
    if fields & 1 << Field::MacFirst as u32 != 0 {
        fields |= 1 << Field::MacLast as u32;
    }
    let groups = fields & (1 << Field::InGroup as u32 | 1 << Field::OutGroup as u32) != 0;
    let has =
        |those: &dyn Fn(&OpKind) -> bool| OPS.iter().any(|op| op.is_in(uses.kinds) && those(op));
    let compare = has(&|op| op.ends == Ends::Compares);
    let state = has(&|op| op.calls) || fields & 1 << Field::Socket as u32 != 0;
    let ttl_before = fields & 1 << Field::TtlBefore as u32 != 0;
    let others = [
        (need::TRANSPORT, uses.transport),
        (
            need::READS_STATE,
            incoming || outgoing || groups || state || ttl_before,
        ),
        (need::INCOMING, incoming),
        (need::OUTGOING, outgoing),
        (need::NAT, uses.nat),
        (need::OPS, has(&|op| !op.is_target())),
        (need::FAILED, uses.kinds != 0),
        (need::STATE, state),
        (need::TARGETS, has(&OpKind::is_target)),
        (need::COMPARE, compare),
        (need::ANSWER, compare || has(&|op| op.ends == Ends::Answers)),
        (need::INDEX, ruleset.index().is_used()),
        (need::DEEP, ruleset.deep_places() != 0),
        (need::ITERATOR, !kernel.has_may_goto()),
        (need::LOCAL_OUT, hook == Hook::LocalOut),
        (need::FORWARD, hook == Hook::Forward),
        (need::SOCK_NET, kernel.fact(kernel::SOCK_NET) >= 0),
        (need::PAYLOAD, has(&|op| op.reads == Reads::Packet)),
    ];
    let others = others
        .iter()
        .fold(0, |bits, &(need, has)| bits | Needs::from(has) << need.0);
    Needs::from(fields) | Needs::from(uses.kinds) << need::OPS_FROM | others
}

impl Builder<'_> {
    /// What stands behind the program itself.
    fn functions(&mut self) {
        let kinds = self.ruleset.uses().kinds;
        if kinds & 1 << kind::HASHLIMIT != 0 {
            self.collect();
        }
        let asked = |op: &OpKind| op.is_in(kinds) && !op.is_target();
        if OPS.iter().any(asked) {
            self.asm.start_function(function::FORGET);
            self.emit(block![mov_imm(R0, 0), exit()]);
        }
    }

    #[inline(never)]
    fn emit(&mut self, block: Block) {
        self.asm.emit(block, &[]);
    }

    /// Emits a block whose [`Param::arg`] and [`Label::arg`] are `args`.
    fn emit_with(&mut self, block: Block, args: &[i32]) {
        self.asm.emit(block, args);
    }
}
