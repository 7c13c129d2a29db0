// SPDX-License-Identifier: GPL-2.0-only
//! The programs that search a ruleset.
//!
//! Owns: the text of a program, which is the same for every table but for
//! what it leaves out: questions that no rule asks.
//!
//! ```text
//! asm         the language: instructions, labels, parameters, conditions
//! block       constant tables of it
//! assembler   from these to a program
//! names       labels, parameters, needs
//! frame       what is kept where
//! prologue    the record of a packet becomes what rules are compared with
//! predicates  the questions that are answered once for all rules
//! search      the first rule from a position on that matches
//! ops         what its record leaves open
//! time        one of these, with the wall clock
//! act         counters, verdicts, jumps and returns
//!
//! For netfilter links, behind the feature `links`:
//! btf         fills the record of a packet, by what the kernel's BTF says
//! recent      an op with tables of addresses
//! hashlimit   an op with tables of rates
//! types       BTF of their maps and functions
//! ```
//!
//! One loop goes round for every record that is looked at in vain, every op
//! and every rule that matches. It gives up, and drops the packet, where
//! `jump_when_tired` (asm.rs) jumps.

#[macro_use]
mod block;
mod act;
#[cfg_attr(
    not(feature = "links"),
    allow(dead_code, reason = "only programs for links use all of the language")
)]
mod asm;
mod assembler;
#[cfg(feature = "links")]
mod btf;
mod frame;
#[cfg(feature = "links")]
mod hashlimit;
mod names;
mod ops;
mod predicates;
mod prelude;
mod prologue;
#[cfg(feature = "links")]
mod recent;
mod search;
mod time;
#[cfg(feature = "links")]
pub mod types;

pub use asm::{Insn, Map};

use bpf_abi::attr::FuncInfo;
use bpfilter_msgfmt::reads;

use crate::abi::{Family, Hook};
use crate::errno::{Errno, Result};
use crate::ir::op::{Ends, OPS, OpKind, Reads};
use crate::ir::{Field, kind};
use crate::plan::{Ruleset, data};
use crate::table::{Target, Verdict};
use crate::target::{FACTS, Packets};
use assembler::Assembler;
use names::{label, need, param};
use prelude::*;

#[cfg(not(target_endian = "little"))]
compile_error!(
    "headers are read in network order and swapped, addresses and keys in the maps are not"
);
#[cfg(all(feature = "links", not(target_pointer_width = "64")))]
compile_error!("pointers of the kernel's structures are read as 8 bytes");

/// Instructions that any program fits into.
pub const PROGRAM_MAX: usize = 4096;

macro_rules! shared_blocks {
    ($($(#[doc = $doc:literal])* $(#[cfg($($cfg:tt)*)])? $name:ident = $block:path;)*) => {
        /// Text that several blocks have in common.
        mod shared {
            use super::asm::Shared;

            #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "names of constants")]
            enum Number { $($(#[cfg($($cfg)*)])? $name,)* COUNT }
            $($(#[doc = $doc])* $(#[cfg($($cfg)*)])?
            pub(in crate::program) const $name: Shared = Shared(Number::$name as u8);)*
            pub(in crate::program) const COUNT: usize = Number::COUNT as usize;
        }

        static SHARED: [Block; shared::COUNT] = [$($(#[cfg($($cfg)*)])? $block),*];
    };
}

shared_blocks! {
    /// R6 = the record that the kernel half has filled in, R1 being the packet.
    FIND = prologue::FIND;
    /// One more round of a loop. Nothing in R0..R5 survives, or need be known.
    AGAIN = AGAIN_BLOCK;
    /// R0..R5 become what they are after a call: the verifier need not follow what
    /// comes for each way that leads there.
    NOTHING_KNOWN = NOTHING_KNOWN_BLOCK;
    /// The same, but for R1.
    ONLY_R1_KNOWN = ONLY_R1_KNOWN_BLOCK;
    /// One more round of a loop that only its own end leads to: what is known of R0..R5
    /// there is the same each time, or soon is.
    ROUND_OF_SEARCH = ROUND_BLOCK;
    /// R2 = the record of rule R7, which is at most the number of rules.
    RECORD_OF_R7 = search::RECORD_OF_R7;
    /// R1 = the number of the lowest bit of R0, which is not zero.
    BIT_OF_R0 = search::BIT_OF_R0;
    /// A packet counts for rule R7, which there is. R3 survives.
    COUNTED = act::COUNTED;
    /// A rule is done: the packet is dropped if that was wanted.
    RULE_DONE = act::RULE_DONE;
    /// R1 is compared as the op at frame::OP says.
    COMPARE_PART = ops::COMPARE_PART;
    /// R2 = the op at frame::OP. R1 does not survive.
    THIS_OP = ops::THIS_OP;
    /// R5 = what the op at R2 keeps.
    STATE_AT_R5 = ops::STATE_AT_R5;
    /// R4 is kept there, R1 is the answer.
    KEEP_R4 = ops::KEEP_R4;
    /// The op at hand is asked once more.
    ONCE_MORE = ops::ONCE_MORE;
    /// R2 bytes at R4 of the packet are copied.
    READ = ops::READ;
    /// R1 = the address of what an op asks of the connection.
    #[cfg(feature = "links")]
    CONNECTION_PART = ops::CONNECTION_PART;
    /// As AGAIN, under the lock of a table.
    #[cfg(feature = "links")]
    ROUND = recent::ROUND;
    /// R4 = slot R3 of the table at R5.
    #[cfg(feature = "links")]
    SLOT = recent::SLOT_AT;
    /// R0 = what the map at R1 has for the number at recent::TABLE.
    #[cfg(feature = "links")]
    LOOKED_UP = recent::LOOKED_UP;
    /// Bytes that start others.
    #[cfg(feature = "links")]
    STARTS = ops::STARTS;
    /// R1 = where a pointer is becomes the pointer, which is not NULL.
    #[cfg(feature = "links")]
    FOLLOWED = ops::FOLLOWED;
    /// R1 = a connection becomes what else it carries, which is SAVED.
    #[cfg(feature = "links")]
    EXTRAS = ops::EXTRAS;
    /// R1 becomes the part of it whose place is at R1.
    #[cfg(feature = "links")]
    EXTRA = ops::EXTRA;
    /// R5 = whose the packet is, R4 = who that is.
    #[cfg(feature = "links")]
    OWNER = btf::OWNER;
    /// The dynptr is that of the packet R1.
    #[cfg(feature = "links")]
    DATA = btf::PACKET_DATA;
}

const AGAIN_BLOCK: Block = block![
    insert(shared::NOTHING_KNOWN),
    insert(shared::ROUND_OF_SEARCH),
];

const NOTHING_KNOWN_BLOCK: Block = block![insert(shared::ONLY_R1_KNOWN), mov_imm(R1, 0)];

const ONLY_R1_KNOWN_BLOCK: Block = block![
    mov_imm(R0, 0),
    mov_imm(R2, 0),
    mov_imm(R3, 0),
    mov_imm(R4, 0),
    mov_imm(R5, 0),
];

const ROUND_BLOCK: Block = block![
    when(need::LINKS, COUNT_ROUND),
    unless(need::LINKS, &[jump_when_tired(label::DROP)]),
];

#[cfg(not(feature = "links"))]
const COUNT_ROUND: &[Item] = &[];
#[cfg(feature = "links")]
const COUNT_ROUND: &[Item] = btf::COUNT_ROUND;

/// The program in the making, and what it is made for.
struct Builder<'a> {
    asm: Assembler<'a>,
    ruleset: &'a Ruleset<'a>,
    #[cfg(feature = "links")]
    hook: Hook,
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
    #[cfg(feature = "links")]
    functions: Option<[FuncInfo; 2]>,
}

impl Built {
    /// The program itself and the function behind it; none if there is only
    /// the program.
    pub fn functions(&self) -> &[FuncInfo] {
        #[cfg(feature = "links")]
        if let Some(functions) = &self.functions {
            return functions;
        }
        &[]
    }
}

/// The memory in which the programs of a table are handed packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PacketMemory {
    /// Bytes of a record.
    pub size: usize,
    /// How many records there are.
    pub records: usize,
}

impl PacketMemory {
    /// What the programs of a table need.
    pub fn of(ruleset: &Ruleset<'_>) -> Self {
        let machine = ruleset.machine();
        let size = frame::size(ruleset.table().jump_depth() as usize);
        let cpus = machine.cpus as usize;
        let records = match machine.packets {
            Packets::KernelHalf => cpus * prologue::LEVELS_MAX,
            #[cfg(feature = "links")]
            Packets::Btf(_) => btf::records(cpus, size),
        };
        Self { size, records }
    }

    /// Bytes of all of them.
    pub fn len(&self) -> usize {
        self.size.saturating_mul(self.records)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }
}

/// Whether every packet of a hook gets to its policy at once.
fn is_policy(ruleset: &Ruleset<'_>, hook: Hook) -> bool {
    let table = ruleset.table();
    // One program at least must keep the named tables, whether any packet
    // gets to the rules that name them or not.
    let keeps = table.spec().each_hook().next() == Some(hook) && !table.named().is_empty();
    !keeps && table.hook_entry(hook) == table.underflow(hook)
}

/// What the kernel half does where every packet of a hook gets to its policy at
/// once: whether it accepts them. `None` where the hook needs a program.
pub fn policy(ruleset: &Ruleset<'_>, hook: Hook) -> Option<bool> {
    match ruleset.machine().packets {
        Packets::KernelHalf if is_policy(ruleset, hook) => {
            let table = ruleset.table();
            let policy = table.entry(table.underflow(hook))?.target;
            Some(matches!(policy, Target::Standard(Verdict::Accept)))
        }
        _ => None,
    }
}

/// Whether one program serves all hooks that need one.
pub fn is_shared(ruleset: &Ruleset<'_>) -> bool {
    matches!(ruleset.machine().packets, Packets::KernelHalf)
}

/// What the program of a hook reads of a packet: bits of [`mod@reads`].
pub fn reads(ruleset: &Ruleset<'_>, hook: Hook) -> u64 {
    if is_policy(ruleset, hook) {
        return 0;
    }
    let uses = ruleset.uses();
    let [incoming, outgoing] = uses.interfaces;
    let payload = OPS
        .iter()
        .any(|op| op.is_in(uses.kinds) && op.reads == Reads::Packet);
    let others = [
        (reads::IN, incoming),
        (reads::OUT, outgoing),
        (reads::TRANSPORT, uses.transport || payload),
        (reads::TIME, uses.kinds & 1 << kind::TIME != 0),
    ];
    let others = others.iter().filter(|(_, has)| *has);
    others.fold(u64::from(uses.fields) & reads::FIELDS, |bits, (bit, _)| {
        bits | bit
    })
}

/// Writes the program of one hook into `insns`. Its maps are still to be
/// named, see [`Map::of`].
pub fn build(ruleset: &Ruleset<'_>, hook: Hook, insns: &mut [Insn]) -> Result<Built> {
    let mut params = Params {
        values: [0; FACTS + param::COUNT],
        fit: true,
    };
    let machine = ruleset.machine();
    #[cfg(feature = "links")]
    if let Packets::Btf(kernel) = &machine.packets {
        for (param, fact) in params.values.iter_mut().zip(kernel.facts()) {
            *param = *fact;
        }
    }
    let mut set = |param, value| params.set(param, value);
    let table = ruleset.table();
    let rules = ruleset.num_entries() as usize;
    set(param::ZERO, data::ZERO);
    set(param::MALFORMED_KEEPS, data::MALFORMED_KEEPS);
    set(param::RECORDS, data::RECORDS);
    set(param::OPS, ruleset.ops_at());
    set(param::LAST_OP, ruleset.last_op());
    set(param::LAST_BUCKET, ruleset.last_bucket());
    set(param::RULES, rules);
    set(param::CPUS, machine.cpus as usize);
    set(param::ROW, ruleset.counters_row());
    set(param::NESTING, table.jump_depth() as usize);
    let packets = PacketMemory::of(ruleset);
    set(
        param::LAST_PACKET,
        packets.len().saturating_sub(packets.size),
    );
    #[cfg(feature = "links")]
    {
        set(param::PACKET_SIZE, packets.size);
        set(param::PACKETS, packets.records);
        set(param::HZ, machine.host.hz as usize);
    }
    let index = ruleset.index();
    set(param::LIST, ruleset.index_at() + index.list_at());
    if let Some(bitmaps) = index.bitmaps() {
        set(param::NUM_WORDS, bitmaps.words);
        set(param::NUM_AGGREGATE, bitmaps.aggregate);
        set(param::BIT_NUMBERS, data::BIT_NUMBERS);
    }
    set(
        param::PER_TICK,
        crate::target::limit_per_tick(machine.host.hz) as usize,
    );
    if !params.fit {
        return Err(Errno::ENOMEM);
    }

    let needs = needs(ruleset, hook);
    let mut builder = Builder {
        asm: Assembler::new(insns, &params.values, needs, &SHARED),
        ruleset,
        #[cfg(feature = "links")]
        hook,
    };
    builder.rules();
    #[cfg(feature = "links")]
    let functions = types::functions(builder.asm.functions());
    Ok(Built {
        len: builder.asm.finish()?,
        #[cfg(feature = "links")]
        functions,
    })
}

/// What the program of a hook has.
fn needs(ruleset: &Ruleset<'_>, hook: Hook) -> Needs {
    let uses = ruleset.uses();
    let has =
        |those: &dyn Fn(&OpKind) -> bool| OPS.iter().any(|op| op.is_in(uses.kinds) && those(op));
    let compare = has(&|op| op.ends == Ends::Compares);
    let others = [
        (need::TRANSPORT, uses.transport),
        (need::IPV6, ruleset.table().spec().family == Family::Ipv6),
        (need::OPS, uses.kinds != 0),
        (need::PLAIN_OPS, uses.plain_ops),
        (need::TARGETS, uses.targets),
        (need::CALLS, uses.kinds & 1 << kind::XT_MATCH != 0),
        (need::COMPARE, compare),
        (need::ANSWER, compare || has(&|op| op.ends == Ends::Answers)),
        (need::INDEX, ruleset.index().is_used()),
        (need::PAYLOAD, has(&|op| op.reads == Reads::Packet)),
    ];
    let others = others
        .iter()
        .fold(0, |bits, &(need, has)| bits | Needs::from(has) << need.0);
    let needs = Needs::from(uses.kinds) << need::OPS_FROM | others;
    #[cfg(feature = "links")]
    if let Packets::Btf(kernel) = &ruleset.machine().packets {
        return needs | btf::needs(uses, kernel, hook);
    }
    let _ = hook;
    needs
}

impl Builder<'_> {
    /// The program of a hook with rules.
    #[cfg(not(feature = "links"))]
    fn rules(&mut self) {
        self.searching();
    }

    /// The program of any hook: without a kernel half there is one for a policy,
    /// too.
    #[cfg(feature = "links")]
    fn rules(&mut self) {
        if !is_shared(self.ruleset) && is_policy(self.ruleset, self.hook) {
            self.policy();
        } else {
            self.searching();
            self.tired();
            self.collector();
        }
    }

    fn searching(&mut self) {
        self.prologue();
        self.search();
        self.act();
        self.ops();
    }

    /// A hundred callers, as of [`Assembler::emit`].
    #[inline(never)]
    fn emit(&mut self, block: Block) {
        self.asm.emit(block, &[]);
    }

    /// Emits a block whose [`Param::arg`] and [`Label::arg`] are `args`.
    fn emit_with(&mut self, block: Block, args: &[i32]) {
        self.asm.emit(block, args);
    }
}

/// Where in a record a field is.
const fn field(field: Field) -> i16 {
    frame::FIELDS + 4 * field as i16
}
